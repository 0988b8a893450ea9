/**
 * The recorder among many readers, long at rest, and in programs from elsewhere.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { closeSync, openSync, readSync } from "node:fs";
import {
  cat,
  leastPermissions,
  LIVE,
  namesIn,
  output,
  ROOT,
  startProgram,
  until,
  withDir,
  writeProgram,
} from "../helpers/program.ts";
import { body } from "../helpers/text.ts";

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

Deno.test("node, awk and python3 read the pipe", () =>
  withDir(async (dir) => {
    await using program = await startProgram(
      `incr("a", 3); incr("b: c", 4); await startRecorder(); ${LIVE}`,
      { dir },
    );
    await program.printed("live");
    const readers: [string, string[]][] = [
      ["node", [
        "-e",
        `for (const l of fs.readFileSync(process.argv[1], "utf8").trim().split("\\n")) console.log(l)`,
      ]],
      ["awk", ["{ print }"]],
      ["python3", [
        "-c",
        "import sys; print(open(sys.argv[1]).read(), end='')",
      ]],
    ];
    for (const [command, args] of readers) {
      const { code, stdout } = await output(command, ...args, program.path);
      assertEquals({ command, code, text: body(stdout) }, {
        command,
        code: 0,
        text: "a: 3\nb: c: 4\n",
      });
    }
  }));

Deno.test("an idle recorder without checkpoints sleeps: in ten seconds nothing but the engine's own timers", () =>
  withDir(async (dir) => {
    /** How often the program's threads have run, and for how many nanoseconds. */
    const used = async () => {
      const glob = `cat /proc/${program.pid}/task/*/schedstat`;
      const rows = (await output("sh", "-c", glob)).stdout.trim().split("\n")
        .map((row) => row.split(" ").map(Number));
      return {
        turns: rows.reduce((sum, [, , turns]) => sum + turns, 0),
        ns: rows.reduce((sum, [ns]) => sum + ns, 0),
      };
    };
    await using program = await startProgram(
      `incr("a"); await startRecorder({ checkpoint: false }); ${LIVE}`,
      { dir },
    );
    await program.printed("live");
    await cat(program.path);
    // For some seconds the engine still collects what the start has left, with
    // a recorder or without. One that polled would turn twenty times.
    for (let attempt = 0;; attempt++) {
      const before = await used();
      await new Promise((resolve) => setTimeout(resolve, 10_000));
      const after = await used();
      const turns = after.turns - before.turns;
      const ms = (after.ns - before.ns) / 1e6;
      if (turns < 10 && ms < 1) break;
      assert(attempt < 2, `${turns} turns, ${ms} ms`);
    }
  }));

const compiled = await withDir(async (dir) => {
  await Deno.writeTextFile(`${dir}/empty.ts`, "");
  const args = ["compile", "--quiet", "--output", `${dir}/empty`];
  return await output(Deno.execPath(), ...args, `${dir}/empty.ts`);
});

// It fetches the base of compiled programs when it is first used.
const cannotCompile = /error sending request.*denort/s.test(compiled.stderr);

Deno.test({
  name: `startRecorder() works in a compiled program${
    cannotCompile ? " (skipped: deno compile cannot fetch denort)" : ""
  }`,
  ignore: cannotCompile,
}, () =>
  withDir(async (dir) => {
    const pipes = `${dir}/pipes`;
    const file = await writeProgram(
      `incr("a"); await startRecorder(); ${LIVE}`,
      { dir: pipes },
    );
    const { code, stderr } = await output(
      Deno.execPath(),
      ...["compile", "--quiet"],
      ...["--config", new URL("deno.json", ROOT).pathname],
      ...leastPermissions(pipes),
      ...["--output", `${dir}/program`, file],
    );
    await Deno.remove(file);
    assertEquals(code, 0, stderr);
    const child = new Deno.Command(`${dir}/program`).spawn();
    const path = `${pipes}/${child.pid}.stats`;
    await until(path, () => namesIn(pipes).includes(`${child.pid}.stats`));
    assertEquals(body(await cat(path)), "a: 1\n");
    child.kill("SIGKILL");
    await child.status;
  }));
