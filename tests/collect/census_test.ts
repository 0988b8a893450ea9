/**
 * Tests of the census: which processes count, and how often.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { merge } from "../../collect.ts";
import {
  Census,
  type HostReading,
  type Reading,
} from "../../collect/census.ts";
import { parseSnapshot } from "../../format.ts";
import { NameTable } from "../../format/snapshot.ts";
import { SnapshotParser } from "../../format/snapshot_parser.ts";
import { SnapshotWriter } from "../../format/snapshot_writer.ts";
import { values } from "../helpers/counting.ts";
import { idOf, lastValues } from "../helpers/last_values.ts";
import { encode, whole } from "../helpers/text.ts";

const named = (pid: number) => ({
  base: `${pid}`,
  pid,
  instance: undefined,
  time: 0,
});

/** What was read of a pipe. */
function reading(
  pid: number,
  n: number | "dead" | "timeout",
  start: number | undefined,
  systemStart = `${start}`,
  owner = 1,
): Reading {
  if (typeof n === "string") {
    const result = { failure: n, why: n };
    return { ...named(pid), systemStart: () => systemStart, result };
  }
  const process = start === undefined
    ? ""
    : `# process {"start":${start}}: 0.0\n`;
  const bytes = whole(`n: ${n}\n${process}`);
  return {
    ...named(pid),
    systemStart: () => systemStart,
    result: { snapshot: parseSnapshot(bytes), bytes, owner, mode: 0o644 },
  };
}

/** The sums of `n` after one reading of the host after the other. */
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

/** The file that an ended process has left. */
function ended(key: string, n: number) {
  const { snapshot, bytes } = (reading(1, n, 1).result) as {
    snapshot: ReturnType<typeof parseSnapshot>;
    bytes: Uint8Array;
  };
  return {
    id: key,
    owner: 1,
    seq: 1,
    final: true,
    last: false,
    modified: 0,
    snapshot,
    bytes,
  };
}

/** A ledger that has taken in `count` processes and lists `keys`. */
function ledger(n: number, count: number, keys: string[], id = "i", owner = 1) {
  const info = { id, generation: 1, count, killed: 0, ended: keys };
  const bytes = whole(
    `n: ${n}
# ledger ${JSON.stringify(info)}: ${keys.length}
`,
  );
  return { owner, info, snapshot: parseSnapshot(bytes), bytes };
}

// Found by chaos.
Deno.test("Census.update() knows a process that ended before the system was asked for its start", () => {
  const parser = new SnapshotParser(new NameTable());
  const census = new Census();
  const update = (systemStart: string | undefined, isDead: boolean) => {
    const bytes = encode("n: 5\n# EOF: 5\n");
    const snapshot = parser.parse(bytes);
    const read = { snapshot, bytes, owner: 0, mode: 0o644 };
    const { live, ended } = census.update({
      readings: [{
        ...named(1),
        systemStart: () => systemStart,
        result: isDead ? { failure: "dead", why: "" } as const : read,
      }],
      ended: [],
      ledgers: [],
      now: 0,
      lives: () => !isDead,
    });
    return [live.size, ended.length];
  };
  assertEquals(update("100", false), [1, 0]);
  assertEquals(update(undefined, false), [1, 0]);
  assertEquals(update(undefined, true), [0, 1]);
});

Deno.test("update() counts a killed process on although its user's ledger has taken in more than it lists", () => {
  const first = { readings: [reading(7, 5, 1)] };
  const ledgers = (count: number) => [ledger(0, count, ["1@1"])];
  assertEquals(
    sums(
      { ...first, ledgers: ledgers(1) },
      { readings: [reading(7, "dead", 1)], ledgers: ledgers(100) },
      { ledgers: ledgers(101) },
    ),
    [5, 5, 5],
  );
  // A process that has removed its pipe itself is in the ledger.
  assertEquals(
    sums({ ...first, ledgers: ledgers(1) }, { ledgers: ledgers(100) }),
    [5, 0],
  );
});

Deno.test("update() drops a relay's counters at its end, since the next relay has them too", () => {
  const relay = (start: number) => {
    const bytes = whole(
      `n: 5\n# process {"start":${start},"relay":true}: 0.0\n`,
    );
    const result = {
      snapshot: parseSnapshot(bytes),
      bytes,
      owner: 1,
      mode: 0o644,
    };
    return { readings: [{ ...named(7), systemStart: () => "1", result }] };
  };
  assertEquals(
    sums(relay(1), relay(2), { readings: [reading(7, "dead", 1)] }, {}),
    [5, 5, 0, 0],
  );
});

Deno.test("update() takes a process whose sign of life is gone for dead, although the system has one with its process id", () => {
  const id = "0123456789abcdef".repeat(2);
  const lives = () => true;
  const host = (hasSign: boolean) => {
    const census = new Census();
    const bytes = whole(`n: 5\n# process {"id":"${id}","start":1}: 0\n`);
    const snapshot = parseSnapshot(bytes);
    const result = { snapshot, bytes, owner: 1, mode: 0o644 };
    const rest = { ended: [], ledgers: [], now: 0, lives };
    const systemStart = () => "1";
    census.update({
      readings: [{ ...named(2), systemStart, result, hasSign }],
      ...rest,
    });
    return census.update({ readings: [], ...rest }).unbooked
      .map(({ id, seq }) => ({ id, seq }));
  };
  assertEquals(host(true), [{ id, seq: 1 }]);
  assertEquals(host(false), []);
});

Deno.test("update() raises a killed process only if it knows of more, and not because it has read it later", () => {
  const id = idOf(1);
  const rest = { ledgers: [], now: 0, lives: () => false };
  const file = (n: number, seq: number, what: { last?: boolean }) => {
    const { last = false } = what;
    const mark = last ? "last" : false;
    const bytes = lastValues(1, `n: ${n}\n`, seq, mark);
    const snapshot = parseSnapshot(bytes);
    const kind = { final: false, last, modified: 0 };
    return { id, owner: 1, seq, snapshot, bytes, ...kind };
  };
  const raised = (n: number, { last = false } = {}) => {
    const census = new Census();
    const bytes = whole(
      `n: 5\n# process {"id":"${id}","start":1}: 0\n# seq: 9\n`,
    );
    const snapshot = parseSnapshot(bytes);
    const result = { snapshot, bytes, owner: 1, mode: 0o644 };
    const systemStart = () => "1";
    const readings = [{ ...named(2), systemStart, result, hasSign: true }];
    census.update({ readings, ended: [], ...rest });
    const ended = [file(n, 8, { last })];
    // One that lives and has only been about to end counts by its pipe.
    assertEquals(census.update({ readings, ended, ...rest }).live.size, 1);
    assertEquals(census.killed, 0);
    const counted = census.update({ readings: [], ended, ...rest });
    const [stats] = counted.ended.map(({ stats }) => stats.get("n")!.value);
    return [stats, census.unbooked, counted.unbooked.length, census.killed];
  };
  assertEquals(raised(5), [5, 0, 0, 1]);
  assertEquals(raised(4), [5, 1, 1, 1]);
  assertEquals(raised(5, { last: true }), [5, 0, 0, 0]);
  // It has lived on and was killed.
  assertEquals(raised(4, { last: true }), [5, 1, 1, 1]);
});

Deno.test("update() takes the process of another user for another one, whatever it says", () => {
  assertEquals(
    sums(
      { readings: [reading(7, 1000, 1, "1", 1)] },
      { readings: [reading(7, 0, 1, "2", 2)] },
      {},
    ),
    [1000, 1000, 1000],
  );
});

const many = Array.from({ length: 100 }, (_, i) => i + 1);
const keys = many.map((pid) => `${pid}@1000`);

Deno.test("update() counts nobody twice whose user's ledger there was no time to read", () => {
  assertEquals(
    sums(
      { readings: many.map((pid) => reading(pid, 1, 1)) },
      // All have ended, and are in a ledger that was not read.
      { late: new Set([1]) },
      { late: new Set([1]) },
      { ledgers: [ledger(100, 100, keys)] },
    ),
    [100, 100, 100, 100],
  );
});

Deno.test("update() neither forgets nor counts again the files of ends that still stand", () => {
  const files = keys.map((key) => ended(key, 1));
  const there = new Set(keys);
  assertEquals(
    sums(
      { ended: files, there },
      // There was no time to look at any of them, and then at some.
      { there },
      { ended: files.slice(0, 50), there },
      { ledgers: [ledger(100, 100, keys)] },
    ),
    [100, 100, 100, 100],
  );
});

Deno.test("update() knows that the first ledger that it sees may have forgotten a process", () => {
  assertEquals(
    sums(
      { readings: [reading(7, 1, 1)] },
      { ledgers: [ledger(5001, 5001, ["8@1000"])] },
    ),
    [1, 5001],
  );
});

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
  const result = { snapshot: parseSnapshot(bytes), bytes, owner, mode: 0o644 };
  return { ...named(66), systemStart: () => "same", result };
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
