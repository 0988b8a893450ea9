/**
 * The layout: which folder may import which.
 *
 * Pure: no clock, no I/O. Imports nothing.
 *
 * @module
 */

/** The rooms, lowest first, each with the rooms that it may import. */
export const ROOMS: Record<string, readonly string[]> = {
  runtime: [],
  model: [],
  format: ["model"],
  slab: ["model"],
  memory: ["slab", "model", "runtime"],
  directory: ["model", "runtime"],
  ended: ["directory", "format", "model", "runtime"],
  stats: ["memory", "slab", "directory", "model", "runtime"],
  recorder: [
    ...["directory", "ended", "memory", "slab"],
    ...["format", "model", "runtime"],
  ],
  collect: ["directory", "ended", "format", "model", "runtime"],
  prometheus: ["collect/host_stats.ts", "format", "model", "runtime"],
  push: ["collect/host_stats.ts", "model", "runtime"],
  web: [
    ...["collect", "prometheus", "push", "directory"],
    ...["format", "model", "runtime"],
  ],
  cli: [
    ...["web", "push", "prometheus", "collect", "ended"],
    ...["directory", "model", "runtime"],
  ],
};

/** The door that rooms may import, since it imports nothing itself. */
const OPEN_DOOR = "percentile.ts";

/** The room that may name a runtime's own API. */
const EDGE = "runtime";

/** Folders that are no rooms: their modules may import everything. */
const OUTSIDE = ["bench", "demo", "examples", "npm", "scripts", "tests"];

/** The text of a module, by its path from the root. */
export type Modules = Record<string, string>;

/** Comments, whose examples import what they like. A URL in a string is none. */
const COMMENT = /\/\*[\s\S]*?\*\/|(?<![:"'`])\/\/[^\n]*/g;

const IMPORT = /(?:\bfrom\s*|\bimport\s*\(\s*|\bimport\s+)"([^"\n]+)"/g;

/** The room of a path: its folder, or nothing for a module in the root. */
function roomOf(path: string): string {
  return path.slice(0, Math.max(path.indexOf("/"), 0));
}

/** Why a module of a room must not import another module, if it must not. */
function whyNot(from: string, to: string): string | undefined {
  const [room, target] = [roomOf(from), roomOf(to)];
  if (room === target || to === OPEN_DOOR) return undefined;
  if (target === "") return `${from} imports the door ${to}`;
  const below = ROOMS[room].some((each) => each === target || each === to);
  return below ? undefined : `${from} imports ${to}, which is not below it`;
}

/** The circles of imports, each as the way around. */
function circles(imports: Map<string, string[]>): string[] {
  const found: string[] = [];
  const done = new Set<string>();
  const visit = (path: string, way: string[]): void => {
    const start = way.indexOf(path);
    if (start >= 0) {
      found.push(`a circle: ${[...way.slice(start), path].join(" -> ")}`);
    } else if (!done.has(path)) {
      for (const next of imports.get(path) ?? []) visit(next, [...way, path]);
      done.add(path);
    }
  };
  for (const path of imports.keys()) visit(path, []);
  return found;
}

/** What is wrong with one module, whose own imports are `imports`. */
function wrongOf(
  path: string,
  code: string,
  imports: string[],
  doors: string[],
): (string | undefined)[] {
  const room = roomOf(path);
  const foreign = room === EDGE
    ? undefined
    : /\bDeno\s*[.[]|"node:/.exec(code)?.[0];
  const wrong = foreign && `${path} names ${foreign.replace(/\W*$/, "")}`;
  if (room === "") {
    return [
      wrong,
      doors.includes(path) ? undefined : `${path} is no entry`,
      ...imports.filter(() => path === OPEN_DOOR)
        .map((to) => `${path} imports ${to}, and must import nothing`),
    ];
  }
  if (ROOMS[room] === undefined) return [wrong, `${path} is in no room`];
  return [wrong, ...imports.map((to) => whyNot(path, to))];
}

/**
 * Says what is wrong with the layout: imports upwards, types included, and
 * circles; rooms that import a door; a runtime's API outside `runtime/`; modules
 * in a folder that is no room, or in the root without being an entry.
 *
 * @param modules All modules of the repository, but for generated ones.
 * @param exports The entries, as `deno.json` names them.
 */
export function violations(
  modules: Modules,
  exports: Record<string, string>,
): string[] {
  const doors = Object.values(exports).map((path) => path.replace("./", ""));
  const all = new Map<string, string[]>();
  const wrong: (string | undefined)[] = [];
  for (const [path, text] of Object.entries(modules)) {
    if (OUTSIDE.includes(roomOf(path))) continue;
    const code = text.replaceAll(COMMENT, "");
    const imports = [...code.matchAll(IMPORT)]
      .map(([, specifier]) => specifier)
      .filter((specifier) => specifier.startsWith("."))
      .map((specifier) =>
        new URL(specifier, `file:///${path}`).pathname.slice(1)
      );
    all.set(path, imports);
    wrong.push(...wrongOf(path, code, imports, doors));
  }
  return [...wrong, ...circles(all)].filter((line) => line !== undefined);
}
