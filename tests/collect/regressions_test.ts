/**
 * What somebody found who tried to break it.
 *
 * @module
 */

import {
  assert,
  assertEquals,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { Census, type HostReading } from "../../collect/census.ts";
import { merge, toMap } from "../../collect.ts";
import { parseSnapshot, type Snapshot } from "../../format.ts";
import { writeEnded } from "../../ended/ended_files.ts";
import { takeIn } from "../../ended/ledger_writer.ts";
import { parseQuery, QueryError } from "../../web/query.ts";
import { createHandler } from "../../web.ts";
import {
  cat,
  leastPermissions,
  LIVE,
  namesIn,
  output,
  ROOT,
  startProgram,
  until,
  whole,
  withDir,
} from "../helpers/program.ts";

const read = (text: string) => parseSnapshot(whole(text));

/** What the books make of one reading after the other. */
function account(hosts: Partial<HostReading>[]) {
  const census = new Census();
  return hosts.map((host, now) => {
    const counted = census.update({
      readings: [],
      ended: [],
      ledgers: [],
      now,
      lives: () => false,
      ...host,
    });
    const live = counted.live.values();
    return toMap(merge({ ...counted, live })).get("n")?.value ?? 0;
  });
}

const systemStart = () => "1";
const said = (text: string) => ({
  readings: [{
    pid: 7,
    systemStart,
    result: { snapshot: read(text), bytes: whole(text), owner: 0 },
  }],
});
const dead = {
  readings: [{
    pid: 7,
    systemStart,
    result: { failure: "dead" as const, why: "" },
  }],
};

Deno.test("a killed process counts on although its user's ledger has taken in more than it lists", () => {
  const ledger = (count: number) => {
    const info = { id: "i", count, ended: ["1@1"] };
    const snapshot: Snapshot = read("other: 1\n");
    return [{ owner: 0, info, snapshot, bytes: new Uint8Array() }];
  };
  const first = said(`n: 5\n# process {"start":1}: 0.0\n`);
  const killed = account([
    { ...first, ledgers: ledger(1) },
    { ...dead, ledgers: ledger(100) },
    { ledgers: ledger(101) },
  ]);
  assertEquals(killed, [5, 5, 5]);
  // One that has removed its pipe itself is in the ledger.
  assertEquals(
    account([{ ...first, ledgers: ledger(1) }, { ledgers: ledger(100) }]),
    [5, 0],
  );
});

Deno.test("a relay's counters end with it, since the next one has them too", () => {
  const relay = (start: number) =>
    said(`n: 5\n# process {"start":${start},"relay":true}: 0.0\n`);
  assertEquals(account([relay(1), relay(2), dead, {}]), [5, 5, 0, 0]);
});

Deno.test("text that is offered on a pipe counts once, whoever offers it", () =>
  withDir(async (pipeDir) => {
    const handler = createHandler({ pipeDir });
    const text = await (await handler(
      new Request("http://localhost/stats?format=text"),
    )).text();
    assertStringIncludes(text, `"relay":true}: 0.0\n`);
  }));

Deno.test("takeIn() takes in what dead processes have left that may have been ending", () =>
  withDir((dir) => {
    const values = whole("n: 1\n");
    const path = writeEnded(dir, 4_194_303, 1, values, 0o644, false);
    assertEquals(namesIn(dir), [".ending.4194303.1000"]);
    // Nobody here can tell whether it lives, so it must have been for a while.
    Deno.utimeSync(path, 1, 1);
    writeEnded(dir, 4_194_302, 1, values);
    takeIn(dir, Deno.uid()!);
    assertEquals(namesIn(dir), [`.ledger.${Deno.uid()}`]);
    assertStringIncludes(
      Deno.readTextFileSync(`${dir}/.ledger.${Deno.uid()}`),
      "n: 2\n",
    );
    return Promise.resolve();
  }));

Deno.test("describe() with a way to merge makes a gauge of what is only counted up", () =>
  withDir(async (dir) => {
    await using program = await startProgram(
      `incr("before"); statvent.describe("before", { merge: "max" });
       statvent.describe("after", { merge: "max" }); incr("after"); incr("after", 1, { a: 1 });
       statvent.describe("counted", { help: "Some" }); incr("counted");
       await startRecorder(); ${LIVE}`,
      { dir },
    );
    await program.printed("live");
    assertStringIncludes(
      await cat(program.path),
      `# gauge ["before","after","after{a=\\"1\\"}"]: 3\n`,
    );
  }));

Deno.test("parameters that make no sense are refused with a sentence", async () => {
  const query = (text: string) =>
    assertThrows(() => parseQuery(new URLSearchParams(text)), QueryError)
      .message;
  assertEquals(
    query("aggr=max&pid=1"),
    'Cannot take aggr: it must be left out with by=process or pid, got "max"',
  );
  assertEquals(
    query("aggr=max&by=process"),
    'Cannot take aggr: it must be left out with by=process or pid, got "max"',
  );
  const handler = createHandler({ pipeDir: "/nonexistent" });
  for (const path of ["/metrics", "/processes"]) {
    const response = await handler(new Request(`http://localhost${path}?x=1`));
    assertEquals(response.status, 400);
    assertEquals(await response.json(), {
      message: 'Cannot take the parameter "x": there must be none here',
    });
  }
});

Deno.test("the path of the stats hides neither the metrics nor the processes", async () => {
  assertEquals(
    assertThrows(() => createHandler({ path: "/a/metrics" }), TypeError)
      .message,
    'Cannot serve: the path of the stats must not be that of the metrics, got "/a/metrics"',
  );
  const flags: [string[], string][] = [
    [["--path", "/metrics"], "--path must not end in /processes or /metrics"],
    [
      ["--pipe-dir", `${ROOT.pathname}/deno.json`],
      "--pipe-dir must be a directory, got the file",
    ],
  ];
  for (const [args, expected] of flags) {
    const { code, stderr } = await output(
      Deno.execPath(),
      ...["run", "--quiet", "-A", `${ROOT.pathname}/web.ts`, ...args],
    );
    assertEquals(code, 2);
    assertStringIncludes(stderr, expected);
  }
});

Deno.test("a pipe that was long in coming is watched like others", () =>
  withDir(async (dir) => {
    // A mkfifo that takes longer than it takes until a pipe is watched.
    const slow = `${dir}/slow`;
    await Deno.mkdir(`${dir}/bin`);
    await Deno.writeTextFile(
      `${dir}/bin/mkfifo`,
      `#!/bin/sh\nif [ -e ${slow} ]; then sleep 3.6; fi\nPATH=\${PATH#*:} exec mkfifo "$@"\n`,
      { mode: 0o755 },
    );
    const pipes = `${dir}/pipes`;
    await using program = await startProgram(
      `Deno.env.set("PATH", "${dir}/bin:" + Deno.env.get("PATH"));
       incr("a"); await startRecorder(); ${LIVE}`,
      { dir: pipes },
    );
    await program.printed("live");
    await Deno.writeTextFile(slow, "");
    const inode = () => {
      try {
        return Deno.statSync(program.path).ino;
      } catch {
        return undefined;
      }
    };
    // Readers that stay use all pipes up, until new ones must be made.
    const readers = [];
    const atFirst = namesIn(pipes).length;
    while (namesIn(pipes).length <= atFirst) {
      const before = inode();
      const reader = await Deno.open(program.path);
      await reader.read(new Uint8Array(65_536));
      readers.push(reader);
      await until(
        "the next pipe",
        () => ![before, undefined].includes(inode()),
      );
    }
    for (const reader of readers) reader.close();
    await new Promise((resolve) => setTimeout(resolve, 4_500));
    const before = inode();
    await Deno.remove(program.path);
    await until("a new pipe", () => ![before, undefined].includes(inode()));
    assertEquals((await cat(program.path)).split("\n")[0], "a: 1");
    program.kill("SIGKILL");
  }));

Deno.test("a pipe that is lost again and again is served, and parks few threads", () =>
  withDir(async (dir) => {
    // Without a permission for /proc nobody can end the wait at a lost pipe.
    await using program = await startProgram(
      `incr("a"); await startRecorder(); ${LIVE}`,
      { dir, permissions: leastPermissions(dir) },
    );
    await program.printed("live");
    const threads = async () =>
      (await output("ls", `/proc/${program.pid}/task`)).stdout.split("\n")
        .length;
    await cat(program.path);
    const atFirst = await threads();
    for (let i = 0; i < 10; i++) {
      await Deno.remove(program.path);
      await until(
        "the pipe",
        () => namesIn(dir).includes(`${program.pid}.stats`),
      );
      assertEquals((await cat(program.path)).split("\n")[0], "a: 1");
    }
    const atLast = await threads();
    assert(atLast <= atFirst + 6, `${atFirst} to ${atLast} threads`);
    program.kill("SIGKILL");
  }));

Deno.test("a program that survives errors within milliseconds is served, and its pipe healed", () =>
  withDir(async (dir) => {
    await using program = await startProgram(
      `addEventListener("error", (event) => event.preventDefault());
       await startRecorder(); incr("a");
       for (const gap of [0, 1, 3, 0, 1, 3]) {
         for (const ms of [0, gap]) {
           setTimeout(() => { throw new Error("survived"); }, ms);
         }
         await new Promise((resolve) => setTimeout(resolve, 300));
         const cat = new Deno.Command("cat", { args: [config.pipeDir + "/" + Deno.pid + ".stats"] });
         const { stdout } = await cat.output();
         console.log(new TextDecoder().decode(stdout).split("\\n")[0]);
       }
       ${LIVE}`,
      { dir },
    );
    await program.printed("live");
    assertEquals(program.stdout, "a: 1\n".repeat(6) + "live\n");
    await Deno.remove(program.path);
    await until(
      "the pipe",
      () => namesIn(dir).includes(`${program.pid}.stats`),
    );
    assertEquals((await cat(program.path)).split("\n")[0], "a: 1");
    program.kill("SIGKILL");
  }));
