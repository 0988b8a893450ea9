/**
 * Programs end as they would without statvent, whatever they do at their end, and
 * lose nothing that could be kept.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { Collector, merge, toMap } from "../../collect.ts";
import { end, startCounting } from "../helpers/counting.ts";
import {
  buildPackage,
  hasProgram,
  isLedger,
  ledgerIn,
  leftIn,
  namesIn,
  output,
  strayIn,
  until,
  withDir,
} from "../helpers/program.ts";

/** How long a program may take, in seconds, before it is killed. */
const PATIENCE_S = "30";

/** What a program does after it has counted 5; it counts 5 more before its end. */
const ENDS: Record<string, string> = {
  "ends by itself": "",
  "calls process.exit": "process.exit(3);",
  "calls process.exit in a listener":
    `process.on("exit", () => process.exit(2));`,
  "throws in a listener":
    `process.on("exit", () => { throw new Error("x"); });`,
  "throws in a listener, and catches that":
    `process.on("uncaughtException", () => {}); process.on("exit", () => { throw new Error("x"); });`,
  "calls process.reallyExit": "process.reallyExit(2);",
  "calls process.reallyExit in a listener":
    `process.on("exit", () => process.reallyExit(2));`,
  "throws": `throw new Error("x");`,
  "rejects": `Promise.reject(new Error("x"));`,
  "throws in the handler of an error":
    `process.on("uncaughtException", () => { throw new Error("again"); }); throw new Error("x");`,
  "throws in the monitor of errors":
    `process.on("uncaughtExceptionMonitor", () => { throw new Error("again"); }); throw new Error("x");`,
  "throws in the callback for errors":
    `process.setUncaughtExceptionCaptureCallback?.(() => { throw new Error("y"); }); throw new Error("x");`,
  "removes all listeners for the end": `process.removeAllListeners("exit");`,
  "removes all listeners": "process.removeAllListeners();",
  "removes all listeners before the end":
    `process.on("beforeExit", () => process.removeAllListeners());`,
  "removes all listeners, and throws":
    `process.removeAllListeners(); throw new Error("x");`,
};

/** A program that does `text` at its end, and starts the recorder unless that is left out. */
function programOf(npm: string, pipes: string, text: string, start: string) {
  return `import process from "node:process";
    import { config, incr, startRecorder } from "${npm}/mod.js";
    config.pipeDir = "${pipes}";
    ${start}
    incr("n", 5);
    await new Promise((resolve) => setTimeout(resolve, 50));
    setTimeout(() => { incr("n", 5); ${text} });`;
}

/** What a later service says: what ended processes have counted, how many were killed. */
async function countedIn(dir: string): Promise<[number?, number?]> {
  const collector = new Collector({ pipeDir: dir, deadline: 5000 });
  const collected = await collector.read();
  return [toMap(merge(collected)).get("n")?.value, collected.killed];
}

for (const runtime of ["node", "bun"]) {
  Deno.test({
    name: `a program on ${runtime} ends as it does without the recorder`,
    ignore: !await hasProgram(runtime, "--version"),
    fn: (t) =>
      withDir(async (dir) => {
        const npm = await buildPackage(dir);
        const run = async (text: string, start: string, pipes: string) => {
          const file = `${dir}/program.mjs`;
          await Deno.writeTextFile(file, programOf(npm, pipes, text, start));
          const { code, stderr } = await output(
            ...["timeout", "-s", "KILL", PATIENCE_S, runtime, file] as const,
          );
          return { code, errors: stderr.match(/^\w*Error: .*/mg) };
        };
        for (const [i, [what, text]] of Object.entries(ENDS).entries()) {
          await t.step(what, async () => {
            const pipes = `${dir}/${i}`;
            const expected = await run(text, "", pipes);
            assert(expected.code < 128);
            const ended = await run(text, "await startRecorder();", pipes);
            assertEquals(ended, expected);
            assertEquals(strayIn(pipes), []);
            assertEquals(await countedIn(pipes), [10, 0]);
            assertEquals(leftIn(pipes), []);
          });
        }
      }),
  });
}

Deno.test({
  name:
    "a stat that is new in a worker counts, even if Node ends before it looks",
  ignore: !await hasProgram("node", "--version"),
  fn: () =>
    withDir(async (dir) => {
      const npm = await buildPackage(dir);
      const pipes = `${dir}/pipes`;
      const count = `import { workerData } from "node:worker_threads";
        import { incr } from "${npm}/mod.js";
        incr("n", 7); Atomics.store(workerData, 0, 1); Atomics.notify(workerData, 0);
        setInterval(() => {}, 1e6);`;
      await Deno.writeTextFile(`${dir}/worker.mjs`, count);
      await Deno.writeTextFile(
        `${dir}/program.mjs`,
        `import { Worker } from "node:worker_threads";
         import { config, startRecorder } from "${npm}/mod.js";
         config.pipeDir = "${pipes}"; await startRecorder();
         const workerData = new Int32Array(new SharedArrayBuffer(4));
         new Worker("${dir}/worker.mjs", { workerData });
         Atomics.wait(workerData, 0, 0); process.exit(4);`,
      );
      const { code } = await output("node", `${dir}/program.mjs`);
      assertEquals(code, 4);
      assertEquals(await countedIn(pipes), [7, 0]);
    }),
});

Deno.test("a program that ends where nothing may be written leaves its checkpoint", () =>
  withDir(async (dir) => {
    await using program = await startCounting(5, dir);
    const path = () =>
      namesIn(dir).find((name) => name.endsWith(".checkpoint"));
    await until(
      "the checkpoint",
      () =>
        path() !== undefined &&
        /^n: 5$/m.test(Deno.readTextFileSync(`${dir}/${path()}`)),
    );
    // Whoever may write there could falsify what it leaves.
    Deno.chmodSync(dir, 0o777);
    await end(program, "SIGUSR2");
    Deno.chmodSync(dir, 0o755);
    assertEquals(strayIn(dir), []);
    assertEquals(await countedIn(dir), [5, 1]);
    assertEquals(leftIn(dir), []);
  }));

function exists(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}

/** A time of access so long ago that the next reading of the file notes another one, in seconds. */
const LONG_AGO = 1_000_000;

Deno.test("a program that ends does not read the ledger", () =>
  withDir(async (dir) => {
    await using first = await startCounting(5, dir);
    await end(first, "SIGUSR2");
    await new Collector({ pipeDir: dir }).read();
    const forget = (path: string) =>
      Deno.utimeSync(path, LONG_AGO, Date.now() / 1000);
    const isRead = (path: string) =>
      Deno.statSync(path).atime?.getTime() !== 1000 * LONG_AGO;
    const control = ledgerIn(dir)!;
    forget(control);
    Deno.readFileSync(control);
    if (!isRead(control)) {
      console.log(
        "skipped: this file system does not note when files are read",
      );
      return;
    }
    // What it reads when it starts may last until its end on a loaded machine.
    let settle = 100;
    await until("an end without a look", async () => {
      await using program = await startCounting(5, dir);
      await new Promise((resolve) => setTimeout(resolve, settle *= 2));
      const ledgers = namesIn(dir).filter(isLedger)
        .map((name) => `${dir}/${name}`);
      ledgers.forEach(forget);
      await end(program, "SIGUSR2");
      return ledgers.every((path) => exists(path)) &&
        !ledgers.some(isRead);
    });
  }));
