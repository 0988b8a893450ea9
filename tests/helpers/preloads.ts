/**
 * Programs of Node and Bun whose recorder is started before they are: by a
 * preload, or by a text on the command line.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { namesIn, output, withDir } from "./program.ts";

/** What each program prints: how often the preload ran, and what `cat` showed. */
const APP = `
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
const { config, incr, startRecorder } = await import(process.env.MOD);
incr("app");
const { path } = await startRecorder();
execFile("timeout", ["5", "cat", path], (error, stdout) => {
  const preloads = readFileSync(process.env.LOG, "utf8").length;
  console.log(JSON.stringify([preloads, error?.code ?? stdout.split("\\n").filter((line) => /^\\w+: /.test(line)).sort()]));
  process.exit();
});
`;

const PRELOAD = `
import { appendFileSync } from "node:fs";
const { incr, startRecorder } = await import(process.env.MOD);
appendFileSync(process.env.LOG, "x");
incr("preload");
await startRecorder();
`;

const REQUIRED = `
require("node:fs").appendFileSync(process.env.LOG, "x");
import(process.env.MOD).then(({ incr, startRecorder }) => {
  incr("preload");
  return startRecorder();
});
`;

/** The ways in which a program is started, by the files of the test. */
function ways(
  dir: string,
  isBun: boolean,
): [what: string, args: string[], env: Record<string, string>][] {
  const [app, pre, required] = ["app.mjs", "pre.mjs", "pre.cjs"].map((name) =>
    `${dir}/${name}`
  );
  if (isBun) return [["--preload", ["--preload", pre, app], {}]];
  return [
    ["--import", ["--import", pre, app], {}],
    ["-r", ["-r", required, app], {}],
    ["NODE_OPTIONS=--import", [app], { NODE_OPTIONS: `--import ${pre}` }],
    ["NODE_OPTIONS=-r", [app], { NODE_OPTIONS: `-r ${required}` }],
    ["--input-type=module", ["--input-type=module", "-e", APP], {}],
  ];
}

/**
 * Checks that the program runs, that the preload runs once, and that the pipe
 * can be read.
 *
 * @param program The runtime.
 * @param mod The file of the module.
 */
export async function checkPreloads(
  program: string,
  mod: string,
): Promise<void> {
  const isBun = program.endsWith("bun");
  await withDir(async (dir) => {
    await Deno.writeTextFile(`${dir}/app.mjs`, APP);
    await Deno.writeTextFile(`${dir}/pre.mjs`, PRELOAD);
    await Deno.writeTextFile(`${dir}/pre.cjs`, REQUIRED);
    for (const [what, args, env] of ways(dir, isBun)) {
      const pipes = `${dir}/pipes ${what.replaceAll("/", "")}`;
      const log = `${dir}/log`;
      await Deno.writeTextFile(log, "");
      const all = { ...env, MOD: mod, LOG: log, STATVENT_PIPE_DIR: pipes };
      const { stdout, stderr, code } = await output(
        "env",
        ...Object.entries(all).map(([name, value]) => `${name}=${value}`),
        ...["timeout", "10", program, ...args],
      );
      const hasPreload = what !== "--input-type=module";
      assertEquals(
        [what, code, stdout, stderr],
        [
          what,
          0,
          hasPreload ? '[1,["app: 1","preload: 1"]]\n' : '[0,["app: 1"]]\n',
          "",
        ],
      );
      const pipesLeft = namesIn(pipes).filter((name) => /stats$/.test(name));
      assertEquals(pipesLeft, [], what);
    }
  });
}
