import { assertEquals } from "@std/assert";
import { type Modules, ROOMS, violations } from "../../scripts/rooms.ts";
import { ROOT } from "../helpers/program.ts";

const { exports } = JSON.parse(
  await Deno.readTextFile(new URL("deno.json", ROOT)),
);

/** A bundle in a string, which imports nothing, and a package that another test may be building. */
const GENERATED = ["recorder/worker_source.ts", "npm"];

/** All modules in a folder, and below it. */
function modulesIn(folder: string): Modules {
  const modules: Modules = {};
  for (const { name, isDirectory } of Deno.readDirSync(new URL(folder, ROOT))) {
    if (/^(\.|node_modules$)/.test(name)) continue;
    const path = `${folder}${name}`.replace("./", "");
    if (GENERATED.includes(path)) continue;
    if (isDirectory) Object.assign(modules, modulesIn(`${path}/`));
    else if (path.endsWith(".ts")) {
      modules[path] = Deno.readTextFileSync(new URL(path, ROOT));
    }
  }
  return modules;
}

Deno.test("every module imports only what lies below its room", () => {
  const modules = modulesIn("./");
  assertEquals(violations(modules, exports), []);
  // All rooms were looked at.
  const rooms = new Set(Object.keys(modules).map((path) => path.split("/")[0]));
  assertEquals(Object.keys(ROOMS).filter((room) => !rooms.has(room)), []);
});

Deno.test("violations() finds each way to break the layout, and nothing else", () => {
  const table: [path: string, text: string, ...wrong: string[]][] = [
    ["web/a.ts", 'import { x } from "../collect/x.ts";'],
    ["model/a.ts", 'import { mean } from "../percentile.ts";'],
    ["push/a.ts", 'import type { X } from "../collect/host_stats.ts";'],
    ["runtime/a.ts", 'import "node:fs"; Deno.exit();'],
    ["tests/a.ts", 'import "node:fs"; import "../mod.ts"; Deno.exit();'],
    ["mod.ts", 'export * from "./stats/stats.ts";'],
    [
      "format/a.ts",
      '/** ```ts\n * import "../web/x.ts"; Deno.exit();\n * ``` */\n// from "../mod.ts"',
    ],
    [
      "model/a.ts",
      'import { x } from "../format/x.ts";',
      "model/a.ts imports format/x.ts, which is not below it",
    ],
    [
      "model/a.ts",
      'import type {\n  X,\n} from "../format/x.ts";',
      "model/a.ts imports format/x.ts, which is not below it",
    ],
    [
      "model/a.ts",
      'export * from "../format/x.ts";',
      "model/a.ts imports format/x.ts, which is not below it",
    ],
    [
      "model/a.ts",
      'const x: import("../format/x.ts").X = await import("../slab/x.ts");',
      "model/a.ts imports format/x.ts, which is not below it",
      "model/a.ts imports slab/x.ts, which is not below it",
    ],
    [
      "push/a.ts",
      'import { merge } from "../collect/merge.ts";',
      "push/a.ts imports collect/merge.ts, which is not below it",
    ],
    [
      "runtime/a.ts",
      'import "../percentil.ts";',
      "runtime/a.ts imports the door percentil.ts",
    ],
    [
      "web/a.ts",
      'import { Collector } from "../collect.ts";',
      "web/a.ts imports the door collect.ts",
    ],
    [
      "web/a.ts",
      'import { x } from "../tests/x.ts";',
      "web/a.ts imports tests/x.ts, which is not below it",
    ],
    ["web/a.ts", "Deno.exit();", "web/a.ts names Deno"],
    ["web.ts", 'Deno["exit"]();', "web.ts names Deno"],
    [
      "web/a.ts",
      'import { readFileSync } from "node:fs";',
      'web/a.ts names "node',
    ],
    [
      "percentile.ts",
      'import { x } from "./model/x.ts";',
      "percentile.ts imports model/x.ts, and must import nothing",
    ],
    ["new.ts", "", "new.ts is no entry"],
    ["page/a.ts", "", "page/a.ts is in no room"],
    [
      "web/a.ts",
      'import "./a.ts";',
      "a circle: web/a.ts -> web/a.ts",
    ],
  ];
  for (const [path, text, ...wrong] of table) {
    assertEquals(violations({ [path]: text }, exports), wrong, text);
  }
});

Deno.test("violations() finds circles, once each", () => {
  assertEquals(
    violations({
      "web/a.ts": 'import type { B } from "./b.ts";',
      "web/b.ts": 'import { c } from "./c.ts";',
      "web/c.ts": 'import "./b.ts"; import "./d.ts";',
      "web/d.ts": "",
    }, exports),
    ["a circle: web/b.ts -> web/c.ts -> web/b.ts"],
  );
});
