import { assert, assertEquals, assertThrows } from "@std/assert";
import { FLAGS, help, parseFlags, UsageError } from "../../cli/flags.ts";
import { flagsTable } from "../helpers/flags_table.ts";
import { ROOT } from "../helpers/program.ts";

/** The documents that may hold the table. */
function documents(): string[] {
  const paths = ["README.md"];
  try {
    for (const { name } of Deno.readDirSync(new URL("docs", ROOT))) {
      if (name.endsWith(".md")) paths.push(`docs/${name}`);
    }
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  return paths.map((path) => Deno.readTextFileSync(new URL(path, ROOT)));
}

Deno.test("the documentation lists all flags as the program has them", () => {
  const tables = documents().flatMap((text) =>
    text.match(/^\| flag .*\n(\|.*\n)+/gm) ?? []
  );
  assertEquals(tables, [flagsTable()]);
});

Deno.test("help() names every flag once, on lines of at most 80 characters", () => {
  const text = help("statvent serve");
  for (const { name } of FLAGS) {
    const lines = text.split("\n").filter((line) =>
      new RegExp(`^ {2}(-\\w,|   ) --${name}( |$)`).test(line)
    );
    assertEquals(lines.length, 1, name);
  }
  for (const line of text.split("\n")) assert(line.length <= 80, line);
});

Deno.test("parseFlags() gives defaults, takes short names and refuses the rest", () => {
  assertEquals({ ...parseFlags(["-l", "/a", "--cert=c", "-h"]), "--": [] }, {
    _: [],
    "--": [],
    port: "7828",
    p: "7828",
    ip: "127.0.0.1",
    i: "127.0.0.1",
    path: "/a",
    l: "/a",
    cert: "c",
    help: true,
    h: true,
    version: false,
  } as unknown);
  for (
    const [args, message] of [
      [["--prot", "80"], "unknown flag --prot"],
      [["stats"], "unexpected argument stats"],
      [["--", "stats"], "unexpected argument stats"],
      [["--key="], "--key needs a value"],
    ] as const
  ) assertThrows(() => parseFlags([...args]), UsageError, message);
});
