/**
 * A preload may start the recorder, on the Node and the Bun of this machine.
 * `npm_test.ts` runs the same with other versions.
 *
 * @module
 */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { checkPreloads } from "../helpers/preloads.ts";
import { hasProgram, output, ROOT, withDir } from "../helpers/program.ts";

const NPM = `${ROOT.pathname}/npm`;

/** Builds the package for Node. */
async function buildNpm(): Promise<void> {
  const { code, stderr } = await output(
    Deno.execPath(),
    ...["task", "--quiet", "--config", `${ROOT.pathname}/deno.json`, "npm"],
  );
  assertEquals(code, 0, stderr);
}

for (const program of ["node", "bun"]) {
  Deno.test({
    name: `a preload of ${program} may start the recorder`,
    ignore: !await hasProgram(program, "--version"),
    fn: async () => {
      await buildNpm();
      await checkPreloads(program, `${NPM}/mod.js`);
    },
  });
}

/** What of the recorder's threads is made to fail, and what a program prints then. */
const failures: [what: string, from: RegExp, to: string, said: RegExp][] = [
  [
    "the thread that waits for readers",
    /const \{ openSync, constants \} = require/,
    "throw new Error(42); $&",
    /^statvent: the thread that waits for readers failed \(42\), so the recorder looks for them 50 times a second\nshown a: 1\n$/s,
  ],
  [
    "the recorder's thread",
    /Error\.stackTraceLimit=0;/,
    "$&setTimeout(() => { throw new Error(42); }, 300);",
    /^statvent: the recorder's thread failed \(42\), so the stats of this process can no longer be read\nshown \n$/,
  ],
];

for (const [what, from, to, said] of failures) {
  Deno.test({
    name: `an error of ${what} is said once`,
    ignore: !await hasProgram("node", "--version"),
    fn: () =>
      withDir(async (dir) => {
        await buildNpm();
        let planted = 0;
        for (const { name, isFile } of Deno.readDirSync(NPM)) {
          if (!isFile || !name.endsWith(".js")) continue;
          const text = Deno.readTextFileSync(`${NPM}/${name}`);
          const mended = text.replace(from, to);
          // The thread's text stands in the file that has both.
          if (mended !== text && text.includes("SharedArrayBuffer")) planted++;
          Deno.writeTextFileSync(`${dir}/${name}`, mended);
        }
        assert(planted > 0);
        Deno.writeTextFileSync(`${dir}/package.json`, '{"type":"module"}');
        const { stdout, stderr, code } = await output(
          "node",
          "--input-type=module",
          "-e",
          `
const { config, incr, startRecorder } = await import("${dir}/mod.js");
config.pipeDir = "${dir}/pipes";
incr("a");
const { path } = await startRecorder();
await new Promise((resolve) => setTimeout(resolve, 600));
const cat = process.getBuiltinModule("child_process").spawnSync("timeout", ["5", "cat", path]);
console.log("shown", String(cat.stdout).split("\\n")[0]);
process.exit();`,
        );
        assertEquals(code, 0, stderr);
        assertMatch(stderr + stdout, said);
      }),
  });
}
