/**
 * The recorder through hard times: many reads, no files left, a clock that
 * jumps, and counting where one does not expect it.
 *
 * @module
 */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { closeSync, openSync, readSync } from "node:fs";
import {
  cat,
  LIVE,
  namesIn,
  output,
  startProgram,
  until,
  withDir,
} from "../helpers/program.ts";

/** Reads a pipe to its end, as `cat` does. Returns how many bytes it had. */
function readAll(path: string, into: Uint8Array): number {
  const file = openSync(path, "r");
  try {
    let length = 0;
    for (let count; (count = readSync(file, into)) > 0;) length += count;
    return length;
  } finally {
    closeSync(file);
  }
}

Deno.test("a week in a minute: 100 000 reads leave memory and files where they were", () =>
  withDir(async (dir) => {
    await using program = await startProgram(
      `incr("n"); record("r.{0}", 1);
       await startRecorder();
       const files = () => [...Deno.readDirSync("/proc/self/fd")].length;
       Deno.addSignalListener("SIGUSR1", () =>
         console.log(JSON.stringify({ files: files(), rss: Deno.memoryUsage().rss })));
       ${LIVE}`,
      { dir },
    );
    await program.printed("live");
    const usage = async () => {
      const before = program.stdout.split("\n").length;
      program.kill("SIGUSR1");
      const line = await until("the usage", () => {
        const lines = program.stdout.split("\n");
        return lines.length > before && lines.at(-2);
      });
      return JSON.parse(line);
    };
    const bytes = new Uint8Array(65_536);
    const length = readAll(program.path, bytes);
    const read = async (times: number) => {
      for (let i = 0; i < times; i++) {
        // The seconds of a stall have more digits or fewer.
        const now = readAll(program.path, bytes);
        assert(Math.abs(now - length) < 20, `${now} instead of ${length}`);
        // The test itself must turn, too.
        if (i % 1000 === 0) await new Promise((resolve) => setTimeout(resolve));
      }
    };
    await read(10_000);
    const before = await usage();
    await read(90_000);
    const after = await usage();
    assert(after.files <= before.files + 12, JSON.stringify([before, after]));
    const megabytes = (after.rss - before.rss) / 2 ** 20;
    assert(megabytes < 40, `${megabytes} MB more`);
    assert(namesIn(dir).length < 400, `${namesIn(dir).length} files`);
  }));

Deno.test("without files left the recorder says so, or waits; with files again it works", () =>
  withDir(async (dir) => {
    await using program = await startProgram(
      `incr("a");
       const files = [];
       const exhaust = () => { try { for (;;) files.push(Deno.openSync("/dev/null")); } catch { /* There are none left. */ } };
       const free = () => { for (const file of files.splice(0)) file.close(); };
       exhaust();
       try { await startRecorder(); console.log("started"); }
       catch (error) { console.log(error.message); }
       free();
       await startRecorder();
       console.log("again");
       Deno.addSignalListener("SIGUSR1", () => { exhaust(); console.log("exhausted"); setTimeout(() => { free(); console.log("freed"); }, 1000); });
       ${LIVE}`,
      { dir },
    );
    await program.printed("live");
    assertStringIncludes(program.stdout, "Cannot start the recorder: ");
    assertStringIncludes(program.stdout, "again\nlive\n");
    assertStringIncludes(await cat(program.path), "a: 1\n");
    program.kill("SIGUSR1");
    await program.printed("exhausted");
    // Whoever reads now gets all, or nothing within a second.
    await output("timeout", "1", "cat", program.path);
    await program.printed("freed");
    await until("the pipe", async () => {
      const { stdout } = await output("timeout", "1", "cat", program.path);
      return stdout.includes("a: 1\n");
    });
  }));

Deno.test("a clock that jumps changes nothing but the times that it gives", () =>
  withDir(async (dir) => {
    await using program = await startProgram(
      `statvent.describe("last", { merge: "last" });
       await startRecorder();
       const { now } = Date;
       for (const jump of [-1e12, 1e12, NaN]) { Date.now = () => now() + jump; incr("n"); record("r.{0}", 1); set("last", 1); }
       Date.now = now; set("last", 2);
       ${LIVE}`,
      { dir },
    );
    await program.printed("live");
    for (let i = 0; i < 5; i++) {
      const text = await cat(program.path);
      assertStringIncludes(text, "last: 2\n");
      assertStringIncludes(text, "n: 3\n");
    }
  }));

Deno.test("10 000 names in a tick are all there, and a name of a megabyte is refused", () =>
  withDir(async (dir) => {
    await using program = await startProgram(
      `await startRecorder();
       setTimeout(() => {
         for (let i = 0; i < 10000; i++) incr("name." + i);
         try { incr("x".repeat(2 ** 20)); } catch (error) { console.log(error.name + ": " + error.message); }
         ${LIVE}
       });`,
      { dir },
    );
    await program.printed("live");
    const text = await cat(program.path);
    assertEquals(text.match(/^name\.\d+: 1$/gm)?.length, 10_000);
    assertStringIncludes(
      program.stdout,
      "TypeError: Cannot name a stat: the name must have at most 65536 characters, got 1048576\n",
    );
  }));

Deno.test("what a signal handler counts is there, and so is what it counts before it ends the program", () =>
  withDir(async (dir) => {
    await using program = await startProgram(
      `await startRecorder();
       Deno.addSignalListener("SIGUSR1", () => { incr("signals"); console.log("got it"); });
       Deno.addSignalListener("SIGTERM", () => { incr("signals"); Deno.exit(0); });
       ${LIVE}`,
      { dir },
    );
    await program.printed("live");
    program.kill("SIGUSR1");
    await program.printed("got it");
    assertStringIncludes(await cat(program.path), "signals: 1\n");
    program.kill("SIGTERM");
    assertEquals((await program.ended()).code, 0);
    assertStringIncludes(
      await Deno.readTextFile(`${dir}/.ledger.${Deno.uid()}`),
      "signals: 2\n",
    );
  }));
