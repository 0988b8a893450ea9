import { assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { formatNumber, parseSnapshot } from "../../format.ts";
import { SnapshotWriter } from "../../format/snapshot_writer.ts";
import {
  config,
  counter,
  describe,
  distribution,
  gauge,
  getAll,
  incr,
  record,
  set,
} from "../../mod.ts";
import { COUNTER, GAUGE } from "../../model/kinds.ts";
import { IS_FRACTIONAL, IS_GAUGE } from "../../model/marks.ts";
import { nap } from "../../runtime/pause.ts";
import { ProcessStats } from "../../slab/process_stats.ts";
import { ownSlab } from "../../stats/stats.ts";
import { all, snapshot } from "../helpers/own_stats.ts";
import { refuses } from "../helpers/refuses.ts";

/** The pipe's text, as far as it concerns names that begin with `prefix`. */
function lines(prefix: string): string[] {
  const stats = new ProcessStats(nap);
  stats.refresh([ownSlab().slab]);
  const text = new TextDecoder().decode(
    new SnapshotWriter().write(stats, true),
  );
  return text.split("\n").filter((line) => line.startsWith(prefix));
}

Deno.test("incr() creates at 0 and adds 1, or the value", () => {
  incr("incr.a");
  incr("incr.a");
  incr("incr.b", 5);
  incr("incr.b", -7);
  incr("incr.c", 0);
  assertEquals(all("incr."), { "incr.a": 2, "incr.b": -2, "incr.c": 0 });
});

Deno.test("set() replaces, and shares its name space with incr()", () => {
  set("set.a", 10);
  incr("set.a", 5);
  set("set.b", 1);
  set("set.b", -0);
  assertEquals(all("set."), { "set.a": 15, "set.b": 0 });
});

Deno.test("incr() and set() keep integers exact to 2^53", () => {
  set("exact.a", 2 ** 53 - 1);
  incr("exact.a");
  set("exact.b", -(2 ** 53) + 1);
  incr("exact.b", -1);
  assertEquals(lines("exact."), [
    "exact.a: 9007199254740992",
    "exact.b: -9007199254740992",
  ]);
});

Deno.test("a stat that was ever fractional stays a float", () => {
  incr("float.a", 0.5);
  incr("float.a", 0.5);
  set("float.b", 1.5);
  set("float.b", 7);
  gauge("float.c").set(2.5);
  gauge("float.c").set(2);
  counter("float.d").incr(0.25);
  counter("float.d").incr(0.75);
  set("float.e", 3.0);
  assertEquals(lines("float."), [
    "float.a: 1.0",
    "float.b: 7.0",
    "float.c: 2.0",
    "float.d: 1.0",
    "float.e: 3",
  ]);
});

Deno.test("counter(), gauge() and distribution() make handles that share the stat", () => {
  const a = counter("handle.a");
  incr("handle.a", 2);
  a.incr();
  a.incr(4);
  counter("handle.a").incr();
  const b = gauge("handle.b");
  b.set(9);
  b.incr(-2);
  b.incr();
  set("handle.b", all("handle.")["handle.b"] * 2);
  const c = distribution("handle.c.{0}");
  c.record(4);
  record("handle.c.{0}", 6);
  assertEquals([a.name, b.name, c.name], [
    "handle.a",
    "handle.b",
    "handle.c.{0}",
  ]);
  assertEquals(all("handle."), {
    "handle.a": 8,
    "handle.b": 16,
    "handle.c.median": 4,
    "handle.c.95th": 4,
    "handle.c.99th": 4,
    "handle.c.100th": 6,
    "handle.c.mean": 5,
  });
  assertEquals(distribution("handle.c.{0}") === c, true);
});

Deno.test("distribution() shows nothing before the first value", () => {
  distribution("nothing.{0}");
  assertEquals(all("nothing."), {});
  assertEquals(lines("nothing."), []);
});

Deno.test("record() gives the ancestors' numbers for every n from 1 to 250", () => {
  const values: number[] = [];
  for (let n = 1; n <= 250; n++) {
    values.push((n * 7919) % 251);
    record("n.{0}", values[n - 1]);
    // The first statvent, word by word: a deque of 100, sorted.
    const vals = values.slice(-100).sort((a, b) => a - b);
    const expected: Record<string, number> = {};
    for (
      const [p, label] of [
        [50, "median"],
        [95, "95th"],
        [99, "99th"],
        [100, "100th"],
      ] as const
    ) {
      const index = Math.floor(vals.length * (p * 0.01)) - 1;
      expected[`n.${label}`] = vals[index < 0 ? 0 : index];
    }
    expected["n.mean"] = vals.reduce((a, b) => a + b) / vals.length;
    assertEquals(all("n."), expected);
  }
});

Deno.test("record() keeps config.windowSize values under config.percentiles", () => {
  const { windowSize, percentiles } = config;
  config.windowSize = 3;
  config.percentiles = [[0, "min"], [99.9, "high"]];
  try {
    record("window.{0}", 1);
  } finally {
    config.windowSize = windowSize;
    config.percentiles = percentiles;
  }
  for (const value of [5, 3, 4]) record("window.{0}", value);
  assertEquals(all("window."), {
    "window.min": 3,
    "window.high": 4,
    "window.mean": 4,
  });
});

Deno.test("record() asks a format function of the user's own once for each label", () => {
  const labels: string[] = [];
  for (let i = 0; i < 3; i++) {
    record("own", i, (name, label) => {
      labels.push(label);
      return `${name}/${label}`;
    });
  }
  assertEquals(labels, ["median", "95th", "99th", "100th", "mean"]);
  assertEquals(all("own/"), {
    "own/median": 0,
    "own/95th": 1,
    "own/99th": 1,
    "own/100th": 2,
    "own/mean": 1,
  });
});

Deno.test("record() refuses names without a place for the label, and taken ones", () => {
  refuses(
    () => record("plain", 1),
    TypeError,
    'Cannot record "plain": the name must contain {0}, where the label goes, as in "plain.{0}"',
  );
  refuses(
    () => distribution("plain"),
    TypeError,
    'Cannot record "plain": the name must contain {0}, where the label goes, as in "plain.{0}"',
  );
  refuses(
    () => record("format.{0}", 1, "x" as unknown as () => string),
    TypeError,
    'Cannot record "format.{0}": the format must be a function, got "x"',
  );
  incr("taken.95th");
  refuses(
    () => record("taken.{0}", 1),
    TypeError,
    'Cannot record "taken.{0}": every label must make a name of its own, but "taken.95th" is taken',
  );
  refuses(
    () => record("same", 1, () => "one"),
    TypeError,
    'Cannot record "same": every label must make a name of its own, but "one" is taken',
  );
  refuses(
    () => record("bad", 1, (name, label) => `${name}\n${label}`),
    TypeError,
    'Cannot name a stat: the name must not contain a line break, got "bad\\nmedian"',
  );
  assertEquals(all("taken."), { "taken.95th": 1 });
  record("recorded.{0}", 1);
  for (const name of ["recorded.{0}", "recorded.mean"]) {
    refuses(
      () => incr(name),
      TypeError,
      `Cannot create "${name}": the name must be free, but "recorded.{0}" is recorded under it`,
    );
  }
});

Deno.test("values that are not finite numbers are refused and change nothing", () => {
  const a = counter("value.a");
  const g = gauge("value.a");
  const s = distribution("value.{0}");
  a.incr(5);
  s.record(5);
  const writes: ((value: number) => void)[] = [
    (value) => incr("value.a", value),
    (value) => set("value.a", value),
    (value) => a.incr(value),
    (value) => g.set(value),
    (value) => record("value.{0}", value),
    (value) => s.record(value),
  ];
  for (const [i, write] of writes.entries()) {
    const start = `Cannot change "${
      i < 4 ? "value.a" : "value.{0}"
    }": the value must be`;
    for (
      const [value, shown] of [
        ["5", '"5"'],
        [null, "null"],
        [5n, "5n"],
        [{}, "an object"],
        [Symbol("s"), "Symbol(s)"],
        [true, "true"],
      ] as const
    ) {
      refuses(
        () => write(value as unknown as number),
        TypeError,
        `${start} a number, got ${shown}`,
      );
    }
    for (const value of [NaN, Infinity, -Infinity]) {
      refuses(() => write(value), RangeError, `${start} finite, got ${value}`);
    }
  }
  refuses(
    () => set("value.new", NaN),
    RangeError,
    'Cannot change "value.new": the value must be finite, got NaN',
  );
  refuses(
    () => record("value.new.{0}", NaN),
    RangeError,
    'Cannot change "value.new.{0}": the value must be finite, got NaN',
  );
  assertEquals(all("value."), {
    "value.a": 5,
    "value.median": 5,
    "value.95th": 5,
    "value.99th": 5,
    "value.100th": 5,
    "value.mean": 5,
  });
});

Deno.test("incr() refuses a sum that is not finite and keeps the value", () => {
  set("sum", Number.MAX_VALUE);
  for (
    const write of [
      (v: number) => incr("sum", v),
      (v: number) => counter("sum").incr(v),
    ]
  ) {
    refuses(
      () => write(Number.MAX_VALUE),
      RangeError,
      'Cannot change "sum": the sum must be finite, got Infinity',
    );
  }
  assertEquals(getAll()["sum"], Number.MAX_VALUE);
});

Deno.test("names that cannot stand on a line are refused by every call", () => {
  const message =
    'Cannot name a stat: the name must not contain a line break, got "a\\n{0}"';
  const name = "a\n{0}";
  for (
    const action of [
      () => incr(name),
      () => set(name, 1),
      () => record(name, 1),
      () => counter(name),
      () => gauge(name),
      () => distribution(name),
    ]
  ) refuses(action, TypeError, message);
  refuses(
    () => incr(5 as unknown as string),
    TypeError,
    "Cannot name a stat: the name must be a string, got 5",
  );
});

Deno.test("an empty name is refused by every call", () => {
  for (
    const action of [
      () => incr(""),
      () => incr("", 1, { a: 1 }),
      () => set("", 1),
      () => record("", 1, (name) => name),
      () => record("e", 1, (_, label) => label === "mean" ? "" : `e.${label}`),
      () => counter(""),
      () => gauge(""),
      () => distribution("", { format: (name) => name }),
      () => describe("", {}),
    ]
  ) {
    refuses(
      action,
      TypeError,
      'Cannot name a stat: the name must not be empty, got ""',
    );
  }
});

Deno.test("getAll() takes names of Object's own properties for plain names", () => {
  const names = ["__proto__", "constructor", "toString", "hasOwnProperty"];
  for (const name of names) incr(name);
  const stats = getAll();
  assertEquals(
    names.map((name) => Object.getOwnPropertyDescriptor(stats, name)?.value),
    [1, 1, 1, 1],
  );
  assertEquals(Object.getPrototypeOf(stats), Object.prototype);
});

Deno.test("the snapshot's bytes are those that a slow and obvious writer makes", () => {
  const value = fc.oneof(
    fc.integer(),
    fc.maxSafeInteger(),
    fc.double({ noNaN: true, noDefaultInfinity: true }),
    fc.constantFrom(
      0,
      -0,
      9,
      10,
      999999999,
      1e9,
      1e9 + 1,
      2 ** 53,
      -(2 ** 53),
      2 ** 53 + 2,
      1e15,
      1e20,
      -1e21,
    ),
  );
  const name = fc.string({ unit: "grapheme", maxLength: 30 });
  let run = 0;
  fc.assert(
    fc.property(
      fc.uniqueArray(name, { maxLength: 60 }),
      fc.array(value, { minLength: 60, maxLength: 60 }),
      fc.array(value, { minLength: 1, maxLength: 20 }),
      (names, values, window) => {
        const prefix = `bytes.${run++}.`;
        const usable = names.filter((name) =>
          !/[\n\v\f\r\x85\u2028\u2029]/.test(name)
        );
        for (const [i, name] of usable.entries()) set(prefix + name, values[i]);
        for (const value of window) record(`${prefix}window.{0}`, value);
        const fractional = (value: number) => !Number.isInteger(value);
        const expected = usable.map((name, i) =>
          `${prefix}${name}: ${formatNumber(values[i], fractional(values[i]))}`
        );
        const sorted = [...window].sort((a, b) => a - b);
        for (const label of ["median", "95th", "99th", "100th", "mean"]) {
          const shown = getAll()[`${prefix}window.${label}`];
          const float = label === "mean" || window.some(fractional);
          expected.push(
            `${prefix}window.${label}: ${formatNumber(shown, float)}`,
          );
        }
        assertEquals(lines(prefix).sort(), expected.sort());
        const written = lines(`# window {"name":"${prefix}`);
        assertEquals(written.length, 1);
        const values2 =
          JSON.parse(written[0].slice(9, written[0].lastIndexOf(": "))).values;
        assertEquals(values2, sorted.map((value) => value + 0));
      },
    ),
    { numRuns: 60 },
  );
  const stats = new ProcessStats(nap);
  stats.refresh([ownSlab().slab]);
  const read = parseSnapshot(new SnapshotWriter().write(stats, true));
  assertEquals(
    Object.fromEntries(
      [...read.stats].map(([name, { value }]) => [name, value]),
    ),
    getAll(),
  );
  assertEquals(
    parseSnapshot(new SnapshotWriter().write(stats, false)).annotated,
    false,
  );
});

// Last, because it fills the name space.
// Found by chaos.
Deno.test("set() shows no other value of a new gauge than the one that was set", () => {
  // The recorder's thread may read at any time: here, as soon as it is there.
  const stats = new ProcessStats(nap);
  const { slab } = ownSlab();
  stats.refresh([slab]);
  const known = stats.names.length;
  const { store } = Atomics;
  const seen: [string, number, number][] = [];
  const storeAndRead = (of: Int32Array, index: number, value: number) => {
    store(of, index, value);
    stats.refresh([slab]);
    const { names, values, marks } = stats;
    for (let i = known; i < names.length; i++) {
      seen.push([names[i], values[i], marks[i]]);
    }
  };
  try {
    Object.assign(Atomics, { store: storeAndRead });
    set("chaos.gauge", 2.5);
  } finally {
    Object.assign(Atomics, { store });
  }
  assertEquals(seen, [["chaos.gauge", 2.5, IS_GAUGE | IS_FRACTIONAL]]);
});

/** The kinds of the stats whose names begin with a prefix. */
function kinds(prefix: string): Record<string, number> {
  const { table, ids, kinds } = snapshot();
  return Object.fromEntries(
    [...ids].map((id, i) => [table.names[id], kinds[i]])
      .filter(([name]) => `${name}`.startsWith(prefix)),
  );
}

Deno.test("a stat is a counter until it is set or counted down, and a gauge from then on", () => {
  incr("kind.up");
  incr("kind.up", 2.5);
  counter("kind.handle").incr(5);
  incr("kind.zero", 0);
  incr("kind.set");
  set("kind.set", 5);
  incr("kind.set");
  incr("kind.down");
  incr("kind.down", -1);
  incr("kind.half", 1);
  incr("kind.half", -0.5);
  counter("kind.handleDown").incr(-1);
  gauge("kind.gauge");
  const expected = {
    "kind.up": COUNTER,
    "kind.handle": COUNTER,
    "kind.zero": COUNTER,
    "kind.set": GAUGE,
    "kind.down": GAUGE,
    "kind.half": GAUGE,
    "kind.handleDown": GAUGE,
    "kind.gauge": GAUGE,
  };
  assertEquals(kinds("kind."), expected);
  counter("kind.late").incr(1);
  assertEquals(kinds("kind.late"), { "kind.late": COUNTER });
  gauge("kind.late");
  assertEquals(kinds("kind.late"), { "kind.late": GAUGE });
});

Deno.test("a refused write makes no gauge of a counter", () => {
  incr("intact");
  for (const bad of [NaN, "5" as unknown as number]) {
    assertThrows(() => set("intact", bad));
  }
  set("intact.sum", -Number.MAX_VALUE);
  assertThrows(() => incr("intact.sum", -Number.MAX_VALUE));
  assertEquals(kinds("intact"), { "intact": COUNTER, "intact.sum": GAUGE });
});
