import { assert, assertEquals, assertThrows } from "@std/assert";
import { Collector, type HostStats, merge, toMap } from "../../collect.ts";
import {
  Census,
  type HostReading,
  type Reading,
} from "../../collect/census.ts";
import { parseSnapshot } from "../../format/snapshot_parser.ts";
import { SnapshotWriter } from "../../format/snapshot_writer.ts";
import { countOf } from "../../model/histogram.ts";
import {
  leftIn,
  LIVE,
  namesIn,
  type Program,
  startProgram,
  until,
  withDir,
} from "../helpers/program.ts";

const LEDGER = `.ledger.${Deno.uid()}`;

/** The values by name, but for those that show recorded stats. */
const values = (host: HostStats) =>
  Object.fromEntries(
    [...toMap(host)].map(([name, { value }]) => [name, value])
      .filter(([name]) => !`${name}`.startsWith("r.")),
  );

/** How many values were ever recorded. */
const recorded = ({ recorded: [stat] }: HostStats) =>
  stat?.histogram === undefined ? 0 : countOf(stat.histogram);

/**
 * Counts `n` when it starts. SIGUSR1 has it count 10 more and print that,
 * SIGUSR2 has it count 100 more and end at once.
 */
async function startCounting(
  n: number,
  dir: string,
  before = "",
): Promise<Program> {
  const program = await startProgram(
    `${before}
     incr("n", ${n}); set("g", 1); record("r.{0}", ${n});
     await startRecorder();
     Deno.addSignalListener("SIGUSR1", () => { incr("n", 10); console.log("more"); });
     Deno.addSignalListener("SIGUSR2", () => { incr("n", 100); Deno.exit(); });
     ${LIVE}`,
    { dir },
  );
  await program.printed("live");
  return program;
}

async function end(program: Program, signal: Deno.Signal): Promise<void> {
  program.kill(signal);
  await program.ended();
}

Deno.test("collect() loses nothing of a process that ends, and of a killed one what came after it was read", () =>
  withDir(async (dir) => {
    const [a, b] = await Promise.all([3, 4].map((n) => startCounting(n, dir)));
    const collectors = [1, 2].map(() => new Collector({ pipeDir: dir }));
    const both = () =>
      Promise.all(
        collectors.map(async (collector) => values(await collector.collect())),
      );
    assertEquals(await both(), [{ n: 7, g: 2 }, { n: 7, g: 2 }]);
    await end(a, "SIGUSR2");
    assertEquals(leftIn(dir).some((name) => name.includes(`${a.pid}`)), false);
    assertEquals(await both(), [{ n: 107, g: 1 }, { n: 107, g: 1 }]);
    b.kill("SIGUSR1");
    await b.printed("more");
    assertEquals(values(await collectors[0].collect()), { n: 117, g: 1 });
    b.kill("SIGUSR1");
    await b.printed("more\nmore");
    await end(b, "SIGKILL");
    // The other collector has not read it in the meantime.
    for (let i = 0; i < 3; i++) {
      assertEquals(await both(), [{ n: 117 }, { n: 107 }]);
    }
    assertEquals(recorded(await collectors[0].collect()), 2);
    assertEquals(namesIn(dir), [LEDGER]);
    // One that comes later knows what was handed over.
    const late = new Collector({ pipeDir: dir });
    assertEquals(values(await late.collect()), { n: 103 });
  }));

Deno.test("a total never falls while processes come, end and are killed", () =>
  withDir(async (dir) => {
    const collectors = [1, 2].map(() => new Collector({ pipeDir: dir }));
    let over = false;
    const watched = Promise.all(collectors.map(async (collector) => {
      let last = 0;
      let lastRecorded = 0;
      while (!over) {
        const host = await collector.collect();
        const { n = 0 } = values(host);
        assert(n >= last, `fell from ${last} to ${n}`);
        assert(recorded(host) >= lastRecorded);
        last = n;
        lastRecorded = recorded(host);
        await new Promise((resolve) => setTimeout(resolve, 1));
      }
    }));
    const lives = [1, 2, 3].map(async (n) => {
      for (let i = 0; i < 5; i++) {
        const program = await startCounting(n, dir);
        // Both have read it, since a killed one counts from then on.
        for (const collector of collectors) await collector.collect();
        for (const collector of collectors) await collector.collect();
        await end(program, i % 2 === 0 ? "SIGUSR2" : "SIGKILL");
      }
    });
    try {
      await Promise.all(lives);
    } finally {
      over = true;
    }
    await watched;
    // Each has counted 1, 2 or 3 five times, and three of five 100 more.
    for (const collector of collectors) {
      const host = await collector.collect();
      assertEquals([values(host), recorded(host)], [{ n: 30 + 900 }, 15]);
    }
    assertEquals(namesIn(dir), [LEDGER]);
  }));

Deno.test("processes that end at the same instant lose nothing and leave one ledger", () =>
  withDir(async (dir) => {
    const programs = await Promise.all(
      Array.from({ length: 10 }, () => startCounting(1, dir)),
    );
    for (const program of programs) program.kill("SIGUSR2");
    await Promise.all(programs.map((program) => program.ended()));
    const host = await new Collector({ pipeDir: dir }).collect();
    assertEquals([values(host), recorded(host)], [{ n: 1010 }, 10]);
    assertEquals(namesIn(dir), [LEDGER]);
  }));

Deno.test("a stopped process keeps its last values, and says how old they are", () =>
  withDir(async (dir) => {
    await using program = await startCounting(3, dir);
    const collector = new Collector({ pipeDir: dir, deadline: 100 });
    await collector.collect();
    program.kill("SIGSTOP");
    let last = 0;
    for (let i = 0; i < 3; i++) {
      const host = await until("timeout", async () => {
        const host = await collector.collect();
        return host.processes[0].state === "timeout" && host;
      });
      assertEquals(values(host), { n: 3, g: 1 });
      assertEquals(recorded(host), 1);
      const [{ pid, name, age, stalled, error }] = host.processes;
      assertEquals([pid, stalled, error], [
        program.pid,
        undefined,
        "It gave no answer in time",
      ]);
      assert(name?.startsWith("statvent-program-"));
      assert(age! > last + 0.09 && age! < 20, `${age}`);
      last = age!;
    }
    program.kill("SIGCONT");
    const { processes: [{ age }] } = await until("ok", async () => {
      const host = await collector.collect();
      return host.processes[0].state === "ok" && host;
    });
    assert(age! < 0.1, `${age}`);
  }));

Deno.test("a recorder that is stopped and started again counts once", () =>
  withDir(async (dir) => {
    await using program = await startProgram(
      `incr("n", 3); let recorder = await startRecorder();
       const states = [() => recorder.stop(), async () => { incr("n"); recorder = await startRecorder(); }, () => Deno.exit()];
       Deno.addSignalListener("SIGUSR1", async () => { await states.shift()(); console.log("state " + states.length); });
       ${LIVE}`,
      { dir },
    );
    await program.printed("live");
    const collector = new Collector({ pipeDir: dir });
    const n = async () => values(await collector.collect()).n;
    assertEquals(await n(), 3);
    program.kill("SIGUSR1");
    await program.printed("state 2");
    assertEquals([await n(), await n()], [3, 3]);
    program.kill("SIGUSR1");
    await program.printed("state 1");
    assertEquals([await n(), await n()], [4, 4]);
    await end(program, "SIGUSR1");
    assertEquals([await n(), await n()], [4, 4]);
    assertEquals(namesIn(dir), [LEDGER]);
  }));

Deno.test("values of which nothing is known end with their process, and it hands nothing over", () =>
  withDir(async (dir) => {
    for (const signal of ["SIGUSR2", "SIGKILL"] as const) {
      const program = await startCounting(
        3,
        dir,
        "config.annotations = false;",
      );
      const collector = new Collector({ pipeDir: dir });
      assertEquals(values(await collector.collect()), { n: 3, g: 1 });
      await end(program, signal);
      assertEquals(values(await collector.collect()), {});
      assertEquals(namesIn(dir), []);
    }
  }));

Deno.test("a collector with a state goes on where the last one has ended", () =>
  withDir(async (parent) => {
    const dir = `${parent}/pipes`;
    const state = `${parent}/state`;
    const start = () => new Collector({ pipeDir: dir, state });
    const n = async (collector: Collector) =>
      values(await collector.collect()).n;
    const [a, b, c, d] = await Promise.all(
      [1, 2, 3, 4].map((n) => startCounting(n, dir)),
    );
    let collector = start();
    assertEquals(await n(collector), 10);
    await end(a, "SIGKILL");
    assertEquals(await n(collector), 10);
    collector = start();
    assertEquals(await n(collector), 10);
    // While there is no collector.
    await end(b, "SIGKILL");
    await end(c, "SIGUSR2");
    for (let i = 0; i < 3; i++) {
      collector = start();
      assertEquals(await n(collector), 110);
      assertEquals(await n(collector), 110);
    }
    // The ledger is deleted, and a new one begun.
    await Deno.remove(`${dir}/${LEDGER}`);
    assertEquals(await n(collector), 110);
    await Deno.remove(dir, { recursive: true });
    collector = start();
    await until("the pipe", () => namesIn(dir).includes(`${d.pid}.stats`));
    assertEquals(await n(collector), 110);
    await end(d, "SIGUSR2");
    collector = start();
    assertEquals(await n(collector), 210);
    collector = start();
    const host = await collector.collect();
    assertEquals([values(host), recorded(host)], [{ n: 210 }, 4]);
    // One without the state knows the last ledger only.
    assertEquals(await n(new Collector({ pipeDir: dir })), 104);
  }));

Deno.test("new Collector() refuses a state file that it cannot use, and says what to do", () =>
  withDir(async (dir) => {
    const refuses = (state: string, why: string) =>
      assertEquals(
        assertThrows(() => new Collector({ pipeDir: dir, state }), Error)
          .message,
        `Cannot use the state file ${state}: ${why}`,
      );
    const state = `${dir}/state`;
    const other =
      "it must have been written by this version; remove it to begin anew";
    for (
      const text of [
        "",
        "garbage",
        "null",
        "5",
        "{}",
        '{"version":2}',
        '{"version":1,"totals":[],"ledgers":[],"known":[],"gone":[]}',
        '{"version":2,"totals":[{"owner":1,"text":"n: x\\n"}],"ledgers":[],"known":[],"gone":[]}',
        '{"version":2,"totals":[],"ledgers":[{"owner":1,"text":"n: 1\\n"}],"known":[],"gone":[]}',
      ]
    ) {
      await Deno.writeTextFile(state, text);
      refuses(state, other);
      assertEquals(await Deno.readTextFile(state), text);
    }
    await Deno.remove(state);
    await Deno.mkdir(state);
    refuses(state, "it must be a regular file");
    const error = assertThrows(
      () => new Collector({ state: `${dir}/none/state` }),
      Error,
    );
    assert(
      /^Cannot use the state file .*\/none\/state: .*ENOENT/.test(
        error.message,
      ),
      error.message,
    );
    // Nothing half done is left.
    assertEquals(namesIn(dir), ["state"]);
  }));

Deno.test("a state that cannot be written is reported once until it can", () =>
  withDir(async (dir) => {
    const state = `${dir}/state`;
    const errors: string[] = [];
    const collector = new Collector({
      pipeDir: dir,
      state,
      log: (line) => errors.push(line),
    });
    for (let i = 1; i <= 2; i++) {
      await Deno.remove(state);
      await Deno.mkdir(state);
      for (let j = 0; j < 3; j++) await collector.collect();
      assertEquals(errors.length, i);
      assert(
        errors[i - 1].startsWith(`Cannot use the state file ${state}: `),
        errors[i - 1],
      );
      await Deno.remove(state);
      await collector.collect();
    }
    assertEquals(errors.length, 2);
    assertEquals(namesIn(dir), ["state"]);
  }));

// From here on without processes: what the books say of what was read.

const encode = (text: string) => new TextEncoder().encode(text);

/** What was read of a pipe. */
function reading(
  pid: number,
  n: number | "dead" | "timeout",
  start: number | undefined,
  systemStart = `${start}`,
): Reading {
  if (typeof n === "string") {
    const result = { failure: n, why: n };
    return { pid, systemStart: () => systemStart, result };
  }
  const process = start === undefined
    ? ""
    : `# process {"start":${start}}: 0.0\n`;
  const text = `n: ${n}\n${process}`;
  const bytes = encode(`${text}# EOF: ${text.length}\n`);
  return {
    pid,
    systemStart: () => systemStart,
    result: { snapshot: parseSnapshot(bytes), bytes, owner: 1 },
  };
}

/** What the books make of one reading after the other: the sums of `n`. */
function sums(...hosts: Partial<HostReading>[]): number[] {
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
    const merged = merge({ ...counted, live: counted.live.values() });
    return values(merged).n ?? 0;
  });
}

/** What one process has left, or a ledger that has taken in these. */
function ended(key: string, n: number) {
  const { snapshot, bytes } = (reading(1, n, 1).result) as {
    snapshot: ReturnType<typeof parseSnapshot>;
    bytes: Uint8Array;
  };
  return { key, owner: 1, snapshot, bytes };
}

function ledger(n: number, count: number, keys: string[], id = "i", owner = 1) {
  const info = { id, count, ended: keys };
  const text = `n: ${n}\n# ledger ${JSON.stringify(info)}: ${keys.length}\n`;
  const bytes = encode(`${text}# EOF: ${text.length}\n`);
  return { owner, info, snapshot: parseSnapshot(bytes), bytes };
}

Deno.test("update() counts each process once that has had the same id", () => {
  // Another process; a program that has executed another one.
  assertEquals(
    sums(
      { readings: [reading(5, 10, 1)] },
      { readings: [reading(5, 1, 2)] },
      { readings: [reading(5, 4, 2)] },
      { readings: [reading(5, 1, 3, "2")] },
      { readings: [] },
    ),
    [10, 11, 14, 15, 15],
  );
});

Deno.test("update() tells processes that do not say when they started by the system, and by counters that fall", () => {
  assertEquals(
    sums(
      { readings: [reading(5, 10, undefined, "a")] },
      { readings: [reading(5, 12, undefined, "a")] },
      { readings: [reading(5, 3, undefined, "a")] },
      { readings: [reading(5, 1, undefined, "b")] },
      { readings: [reading(5, 1, undefined, "b")] },
    ),
    [10, 12, 15, 16, 16],
  );
});

Deno.test("update() counts what was handed over, and not the last values beside it", () => {
  const key = "5@1000";
  assertEquals(
    sums(
      { readings: [reading(5, 10, 1)] },
      // Its pipe was read just before.
      { readings: [reading(5, 11, 1)], ended: [ended(key, 13)] },
      { ended: [ended(key, 13)] },
      { ledgers: [ledger(13, 1, [key])] },
      { ledgers: [ledger(20, 2, [key, "6@1000"])] },
      // The ledger cannot be read for a while.
      {},
      { ledgers: [ledger(20, 2, [key, "6@1000"])] },
    ),
    [10, 13, 13, 13, 20, 20, 20],
  );
});

Deno.test("update() keeps what a ledger had when another one takes its place", () => {
  assertEquals(
    sums(
      { ledgers: [ledger(13, 1, ["5@1"]), ledger(1, 1, ["8@1"], "j", 2)] },
      { ledgers: [ledger(1, 1, ["8@1"], "j", 2)] },
      {
        ledgers: [ledger(2, 1, ["6@1"], "new"), ledger(1, 1, ["8@1"], "j", 2)],
      },
      { ledgers: [ledger(5, 2, ["6@1", "7@1"], "new")] },
    ),
    [14, 14, 16, 19],
  );
});

Deno.test("update() takes a process that answers again for no other one", () => {
  assertEquals(
    sums(
      { readings: [reading(5, 10, 1)] },
      { readings: [reading(5, "timeout", 1)] },
      // Its pipe has gone, then itself as far as one can tell, and it comes back.
      { readings: [], lives: () => true },
      { readings: [], lives: () => undefined },
      { readings: [reading(5, 11, 1)] },
      { readings: [reading(5, "dead", 1)] },
      { readings: [reading(5, 12, 1)] },
      { readings: [reading(5, "dead", 1)] },
    ),
    [10, 10, 10, 10, 11, 11, 12, 12],
  );
});

Deno.test("update() remembers 10 000 killed processes in no more memory than 64 take", () => {
  const census = new Census();
  const host = { ended: [], ledgers: [], lives: () => false };
  for (let now = 1; now <= 10_000; now++) {
    const readings = [reading(now, 1, now)];
    const { ended, totals } = census.update({ ...host, readings, now });
    assertEquals(
      merge({ live: [], ended, totals }).values[0] ?? 0,
      now - 1,
    );
  }
  assertEquals([census.alive.size, census.gone.size], [1, 64]);
  assertEquals(census.totalsOf(1).counters.size, 1);
});

/** What a user's program says that never says the same start twice. */
function liar(now: number, text: string, owner: number): Reading {
  const all = `${text}# process {"start":${now}}: 0.0\n`;
  const bytes = encode(`${all}# EOF: ${encode(all).length}\n`);
  const result = { snapshot: parseSnapshot(bytes), bytes, owner };
  return { pid: 66, systemStart: () => "same", result };
}

Deno.test("update() keeps of a user who fills the books no more than there is room for, and of others everything", () => {
  const census = new Census();
  let names = 0;
  const lines = (text: (n: number) => string, count: number) =>
    Array.from({ length: count }, () => text(names++)).join("");
  const long = "x".repeat(60_000);
  const floods = [
    () => lines((n) => `n${n}: 1\n`, 40_000),
    () => lines((n) => `${n}${long}: 1\n`, 100),
    () => `many: 1${"0".repeat(308)}\n`,
    () =>
      `# describe {"name":"d${names++}","help":"${
        "x".repeat(2 ** 20 - 100)
      }"}: 1\n`,
    () =>
      lines(
        (n) =>
          `# histogram {"name":"h${n}","scale":4,"sum":1,"min":1,"max":1,"zeros":0,"positive":[[-16000${
            ",1".repeat(32_000)
          }]],"negative":[]}: 32000\n`,
        40,
      ),
  ];
  const host = { ended: [], ledgers: [], lives: () => true };
  for (let now = 1; now <= 80; now++) {
    const flood = floods[now % floods.length]();
    census.update({
      ...host,
      now,
      readings: [liar(now, flood, 2), reading(7, now, now, "7")],
    });
  }
  const bytes = [...census.gone.values()].filter(({ owner }) => owner === 2)
    .reduce((sum, { bytes }) => sum + bytes.length, 0);
  assert(bytes <= 2 ** 24, `${bytes} bytes of those that are gone`);
  const totals = census.totalsOf(2);
  const text = new SnapshotWriter().write(totals.source(), true);
  assert(text.length < 2 ** 24, `${text.length} bytes of totals`);
  parseSnapshot(text);
  assert(totals.counters.get("statvent.refused")!.value > 0);
  // The 64 last ones are kept one by one.
  const sum = (n: number) => n * (n + 1) / 2;
  assertEquals(census.totalsOf(1).counters.get("n")?.value, sum(79 - 64));
});
