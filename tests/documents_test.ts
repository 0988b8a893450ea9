/**
 * What the documents say of the repository is true: links, figures, tables, names.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { dirname, join } from "@std/path";
import { packageFiles } from "../scripts/package_files.ts";
import {
  blocks,
  fences,
  type Page,
  PAGES,
  read,
  README,
} from "./helpers/pages.ts";
import { ROOT } from "./helpers/program.ts";

/** The languages of the fences. Those that are not run are pictures of lines. */
const LANGUAGES = [
  ...["ts", "js", "sh", "console", "yaml", "text", ""],
  ...["promql", "promql classic", "promql native", "promql by"],
];

Deno.test("the pages have no fence of a language that is not looked at", () => {
  for (const page of PAGES) {
    for (const [language] of fences(page)) {
      assert(LANGUAGES.includes(language), `${page.path}: ${language}`);
    }
  }
});

Deno.test("docs/recording.md names the permissions that the README runs with", () => {
  const [permissions] = blocks("", read("docs/recording.md"));
  const command = `deno run ${permissions.trimEnd()} app.ts\n`;
  assert(blocks("sh", README).includes(command));
});

Deno.test("README.md fits into 8 kB", () => {
  assert(new TextEncoder().encode(README.text).length <= 8_000);
});

/** The rows of the README's figures: the rows and peers of bench/results/ they are taken from. */
const FIGURES: Record<string, [row: string, peer: string]> = {
  "count, by handle": ["handle.incr(), 100 stats at random", "prom-client"],
  "count with two labels, by handle": [
    "labels in the handle, 100 stats at random",
    "prom-client",
  ],
  "count with two labels in the call": [
    "labels in the call, 100 stats at random",
    "prom-client",
  ],
  "record into a histogram, by handle": [
    "handle.record(v), 100 stats at random",
    "prom-client histogram",
  ],
  "processor time of one read, 10,000 stats": [
    "whole process, 10000 stats",
    "prom-client",
  ],
  "one answer over 64 processes of 1,000 stats": [
    "64 processes of 1000 stats",
    "prom-client's cluster",
  ],
  "resident memory, 1,000 stats": ["1000 stats", "prom-client"],
  "start-up, until the pipe can be read": [
    "import and startRecorder()",
    "prom-client",
  ],
};

/** A ratio as the README shows it, such as `1/2.7` for `0.37`. */
function ratioOf(cell: string): string {
  const [, divisor] = /^1\/(.+)/.exec(cell) ?? [];
  const ratio = divisor === undefined ? Number(cell) : 1 / Number(divisor);
  const digits = (x: number) => x.toFixed(x < 10 ? 1 : 0);
  return ratio < 1 ? `1/${digits(1 / ratio)}` : digits(ratio);
}

Deno.test("README.md has the figures of bench/results/", () => {
  const results = ["deno", "node", "bun"].map((runtime) =>
    read(`bench/results/${runtime}.md`).text.split("\n")
      .map((line) => line.trim().split(/\s{2,}/))
  );
  const shown = [...README.text.matchAll(/^\| (.*\d) +\|$/gm)]
    .map(([, row]) => row.split("|").map((cell) => cell.trim()))
    .filter(([label]) => !label.startsWith("statvent"));
  const measured = Object.entries(FIGURES).map(([label, [row, peer]]) => [
    label,
    ...results.map((lines) =>
      // "1000 stats" is also a row of pauses, in an earlier table.
      ratioOf(
        lines.findLast((cells) => cells[0] === row && cells[1] === peer)?.[4] ??
          "",
      )
    ),
  ]);
  assertEquals(shown, measured);
});

/** The address that GitHub gives a heading. */
const anchorOf = (heading: string) =>
  heading.toLowerCase().replaceAll(/\[(.*?)\]\(.*?\)/g, "$1")
    .replaceAll(/[^\p{L}\p{N}\s_-]/gu, "").replaceAll(" ", "-");

Deno.test("all documents link to what is there", () => {
  const others = [...Deno.readDirSync(ROOT)]
    .map(({ name }) => name)
    .filter((name) => name.endsWith(".md") && name !== README.path)
    .map(read);
  let links = 0;
  for (const { path, text } of [...PAGES, ...others]) {
    for (const [, link] of text.matchAll(/\]\((?!https?:)([^)\s]+)\)/g)) {
      links++;
      const [file, anchor] = link.split("#");
      const target = file === "" ? path : join(dirname(path), file);
      Deno.statSync(new URL(target, ROOT));
      if (anchor === undefined) continue;
      const headings = [...read(target).text.matchAll(/^#+ (.*)$/gm)];
      assert(
        headings.some(([, heading]) => anchorOf(heading) === anchor),
        `${path}: no heading for ${link}`,
      );
    }
  }
  assert(links > 20, `${links}`);
});

/** The folders whose modules are published. */
const ROOMS = new Set(
  packageFiles(ROOT).filter((file) => /^\w+\/\w+\.ts$/.test(file)).map(dirname),
);

/** What each room may import according to the table of a page. */
function allowedImports({ text }: Page): Record<string, string[]> {
  return Object.fromEntries(
    [...text.matchAll(/^\| `(\w+)` +\| .* \| (.*) \|$/gm)]
      .filter(([, room]) => ROOMS.has(room))
      .map(([, room, cell]) => [
        room,
        [...cell.matchAll(/`(\w+)`/g)].map(([, name]) => name).sort(),
      ]),
  );
}

Deno.test("docs/architecture.md and CONTRIBUTING.md list what each room imports", () => {
  const allowed = allowedImports(read("docs/architecture.md"));
  assertEquals(allowedImports(read("CONTRIBUTING.md")), allowed);
  assertEquals(Object.keys(allowed).sort(), [...ROOMS].sort());
  for (const file of packageFiles(ROOT)) {
    const room = dirname(file);
    if (!ROOMS.has(room)) continue;
    for (const [, other] of read(file).text.matchAll(/"\.\.\/(\w+)\//g)) {
      assert(
        other === room || allowed[room].includes(other),
        `${file} imports ${other}`,
      );
    }
  }
});

Deno.test("docs/architecture.md and CONTRIBUTING.md name modules that exist", () => {
  const paths = ["docs/architecture.md", "CONTRIBUTING.md"].flatMap((path) =>
    read(path).text.match(/(?<=`)[\w/]+\/\w+\.(ts|mjs)(?=`)/g) ?? []
  );
  assert(paths.length > 20);
  for (const path of paths) Deno.statSync(new URL(path, ROOT));
});

Deno.test("docs/reliability.md names tests that exist", () => {
  const { text } = read("docs/reliability.md");
  const names = new Set(text.match(/\w+(_test\.ts|\.mjs)/g));
  assert(names.size > 10);
  const tests = new Set<string>();
  const walk = (folder: string) => {
    for (const { name, isDirectory } of Deno.readDirSync(folder)) {
      if (isDirectory) walk(`${folder}/${name}`);
      else tests.add(name);
    }
  };
  walk(`${ROOT.pathname}tests`);
  assertEquals([...names].filter((name) => !tests.has(name)), []);
});
