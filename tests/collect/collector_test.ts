import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  Collector,
  countStates,
  type HostStats,
  toMap,
} from "../../collect.ts";
import { config } from "../../mod.ts";
import { inStates } from "../helpers/host.ts";
import {
  killShell,
  leastPermissions,
  LIVE,
  namesIn,
  output,
  type Program,
  ROOT,
  startProgram,
  startShell,
  stop,
  until,
  withDir,
} from "../helpers/program.ts";

/** Starts the programs and waits until all can be read. */
async function startAll(dir: string, texts: string[]): Promise<Program[]> {
  const programs = await Promise.all(
    texts.map((text) =>
      startProgram(`${text}; await startRecorder(); ${LIVE}`, {
        dir,
        permissions: leastPermissions(dir),
      })
    ),
  );
  await Promise.all(programs.map((program) => program.printed("live")));
  return programs;
}

/** The values by name. */
const values = (host: HostStats) =>
  Object.fromEntries(
    [...toMap(host)].map(([name, { value }]) => [name, value]),
  );

/** How many processes there are in each state. */
const states = ({ processes }: HostStats) => countStates(processes);

/** A live process that writes nothing, and whose pipe a test may play with. */
function bystander(): Deno.ChildProcess {
  return new Deno.Command("sleep", { args: ["60"] }).spawn();
}

Deno.test("collect() merges all processes, and percentiles over all their windows", () =>
  withDir(async (dir) => {
    const programs = await startAll(dir, [
      `incr("n"); set("f", 0.5); for (let i = 1; i <= 100; i++) record("r.{0}", i)`,
      `incr("n", 2); set("f", 1.5); for (let i = 101; i <= 200; i++) record("r.{0}", i)`,
      `config.annotations = false; incr("n", 4); incr("plain")`,
    ]);
    const collector = new Collector({ pipeDir: dir, deadline: 5000 });
    const expected = {
      "n": 7,
      "f": 2,
      "plain": 1,
      "r.median": 100,
      "r.95th": 190,
      "r.99th": 198,
      "r.100th": 200,
      "r.mean": 100.5,
    };
    for (let i = 0; i < 10; i++) {
      const host = await collector.collect();
      assertEquals(states(host), inStates({ ok: 2, unknown: 1 }));
      assertEquals(values(host), expected);
    }
    for (const program of programs) await program[Symbol.asyncDispose]();
  }));

Deno.test("collect() answers by its deadline whatever a pipe does, and says what", () =>
  withDir(async (dir) => {
    const [program] = await startAll(dir, [`incr("n")`]);
    const bystanders: Record<string, Deno.ChildProcess> = {};
    const writers: Deno.ChildProcess[] = [];
    // Each is a pipe of a live process, and what writes into it.
    const deeds: Record<string, string | undefined> = {
      silent: undefined,
      open: "sleep 60 > $0",
      drip: "while :; do printf a; sleep 0.05; done > $0",
      endless: "yes 'a: 1' > $0",
      endlessLine: "cat /dev/zero > $0",
      garbled: "while :; do echo garbage > $0; sleep 0.02; done",
      invalidUtf8: "while :; do printf 'a\\377: 1\\n' > $0; sleep 0.02; done",
      lyingEnd:
        "while :; do printf 'a: 1\\n# EOF: 3\\n' > $0; sleep 0.02; done",
    };
    for (const [name, deed] of Object.entries(deeds)) {
      bystanders[name] = bystander();
      const path = `${dir}/${bystanders[name].pid}.stats`;
      await output("mkfifo", path);
      if (deed !== undefined) {
        writers.push(
          startShell(deed, path),
        );
      }
    }
    await Deno.writeTextFile(
      `${dir}/${(bystanders.file = bystander()).pid}.stats`,
      "a: 1\n",
    );
    await Deno.mkdir(
      `${dir}/${(bystanders.directory = bystander()).pid}.stats`,
    );
    await Deno.symlink(
      program.path,
      `${dir}/${(bystanders.link = bystander()).pid}.stats`,
    );
    await Deno.writeTextFile(`${dir}/other.txt`, "not a pipe");
    await Deno.writeTextFile(`${dir}/1e3.stats`, "not a process");
    const before = namesIn(dir).filter((name) => !name.startsWith("."));

    const collector = new Collector({ pipeDir: dir, deadline: 250 });
    for (let i = 0; i < 4; i++) {
      const start = performance.now();
      const host = await collector.collect();
      const processes = states(host);
      const ms = performance.now() - start;
      assertEquals(values(host), { n: 1 });
      assertEquals(processes.ok, 1);
      assertEquals(processes.dead, 0);
      // And what is named after no process.
      assertEquals(
        processes.timeout + processes.invalid,
        Object.keys(bystanders).length + 1,
      );
      assert(processes.invalid >= 4, JSON.stringify(processes));
      // A loaded machine adds to the 250 ms; endless pipes must not.
      assert(ms < 5000, `${ms} ms`);
    }
    // Slow pipes are never removed.
    assertEquals(namesIn(dir).filter((name) => !name.startsWith(".")), before);
    await Promise.all(writers.map(killShell));
    for (const child of Object.values(bystanders)) child.kill("SIGKILL");
    await Promise.all(
      Object.values(bystanders).map((child) => child.status),
    );
    await program[Symbol.asyncDispose]();
  }));

Deno.test("collect() counts a killed process as dead once, and removes what it left", () =>
  withDir(async (dir) => {
    // Alone: a recorder that starts removes what dead processes have left.
    const [program] = await startAll(dir, [`incr("n")`]);
    program.kill("SIGKILL");
    await program.ended();
    assert(namesIn(dir).includes(`${program.pid}.stats`));
    const collector = new Collector({ pipeDir: dir, deadline: 5000 });
    const first = await collector.collect();
    assertEquals(states(first), inStates({ dead: 1 }));
    assertEquals(
      namesIn(dir).filter((name) => name.includes(`${program.pid}.`)),
      [],
    );
    const second = await collector.collect();
    assertEquals(states(second), inStates({}));
  }));

Deno.test("collect() counts a zombie as dead", () =>
  withDir(async (dir) => {
    // The shell becomes a program that never asks how its child has ended.
    const shell = startShell(
      'sleep 0.01 & mkfifo "$0/$!.stats"; exec sleep 60',
      dir,
    );
    await until("the pipe", () => namesIn(dir).length === 1);
    // With all permissions, which it takes to look into /proc.
    await using program = await startProgram(
      `const { Collector } = await import("${new URL("collect.ts", ROOT)}");
       const collector = new Collector({ pipeDir: config.pipeDir });
       while ((await collector.collect()).processes[0]?.state !== "dead");
       console.log("dead");`,
      { dir },
    );
    await program.printed("dead");
    assertEquals(namesIn(dir), []);
    await killShell(shell);
  }));

Deno.test("collect() keeps the pipe of a stopped process, and reads it when it goes on", () =>
  withDir(async (dir) => {
    const [program] = await startAll(dir, [`incr("n")`]);
    const collector = new Collector({ pipeDir: dir, deadline: 100 });
    await stop(program);
    for (let i = 0; i < 3; i++) {
      assertEquals(states(await collector.collect()), inStates({ timeout: 1 }));
    }
    program.kill("SIGCONT");
    await until(
      "going on",
      async () => states(await collector.collect()).ok === 1,
    );
    await program[Symbol.asyncDispose]();
  }));

Deno.test("collect() finds nothing in a directory that does not exist", () =>
  withDir(async (dir) => {
    const collector = new Collector({ pipeDir: `${dir}/none` });
    const host = await collector.collect();
    assertEquals(values(host), {});
    assertEquals(host.processes, []);
  }));

Deno.test("collect() reads config.pipeDir unless told otherwise", () =>
  withDir(async (dir) => {
    const before = config.pipeDir;
    const [program] = await startAll(dir, [`incr("n")`]);
    config.pipeDir = dir;
    try {
      assertEquals(
        states(await new Collector({ deadline: 5000 }).collect()).ok,
        1,
      );
    } finally {
      config.pipeDir = before;
    }
    await program[Symbol.asyncDispose]();
  }));

Deno.test("new Collector() refuses a deadline that is not positive", () => {
  for (const deadline of [0, -1, NaN]) {
    assertEquals(
      assertThrows(() => new Collector({ deadline }), RangeError).message,
      `Cannot collect: the deadline must be a positive number of milliseconds, got ${deadline}`,
    );
  }
});

Deno.test("8 collectors and cat at once never get a part of a snapshot, or two", () =>
  withDir(async (dir) => {
    const [program] = await startAll(dir, [
      `for (let i = 0; i < 10000; i++) incr("some.stat.with.a.name." + i);
       const all = []; for (let i = 0; i < 10000; i++) all.push(counter("some.stat.with.a.name." + i));
       setInterval(() => { for (const one of all) one.incr(); }, 5)`,
    ]);
    const collectors = Array.from(
      { length: 8 },
      () => new Collector({ pipeDir: dir, deadline: 20_000 }),
    );
    let reads = 0;
    let done = false;
    const cats = (async () => {
      while (!done) await output("timeout", "5", "cat", program.path);
    })();
    await Promise.all(collectors.map(async (collector) => {
      for (let i = 0; i < 25; i++) {
        const host = await collector.collect();
        assertEquals(states(host), inStates({ ok: 1 }));
        assertEquals(host.ids.length, 10000);
        // All stats are counted up together; a snapshot may fall into a turn.
        let min = Infinity;
        let max = 0;
        for (const value of host.values) {
          min = Math.min(min, value);
          max = Math.max(max, value);
        }
        assert(max - min <= 2, `${min} ${max}`);
        reads++;
      }
    }));
    done = true;
    await cats;
    assertEquals(reads, 200);
    // Not a pipe for each read.
    assert(namesIn(dir).length < 100, `${namesIn(dir).length} pipes`);
    await program[Symbol.asyncDispose]();
  }));

/** The id of a process that has ended. */
Deno.test("collect() removes files that were made for a moment, but only after long, since their processes may be elsewhere", () =>
  withDir(async (pipeDir) => {
    const old = new Date(Date.now() - 7_200_000);
    for (const pid of [1, 4_194_303]) {
      for (const name of ["x.new", "y.new"]) {
        const path = `${pipeDir}/.${pid}.${name}`;
        await Deno.writeTextFile(path, "");
        if (name === "x.new") await Deno.utime(path, old, old);
      }
    }
    await new Collector({ pipeDir, deadline: 5000 }).collect();
    assertEquals(namesIn(pipeDir), [".1.y.new", ".4194303.y.new"]);
  }));
