import { assertEquals, assertThrows } from "@std/assert";
import type { Snapshot } from "../../format/snapshot.ts";
import { parseSnapshot } from "../../format/snapshot_parser.ts";
import { SnapshotWriter } from "../../format/snapshot_writer.ts";
import {
  config,
  counter,
  describe,
  distribution,
  gauge,
  getAll,
  incr,
  type Labels,
  record,
  set,
} from "../../mod.ts";
import { COUNTER, GAUGE } from "../../model/kinds.ts";
import { ProcessStats } from "../../slab/process_stats.ts";
import { ownSlab } from "../../stats/stats.ts";
import { cat, ROOT, startProgram, until, withDir } from "../helpers/program.ts";

const process = new ProcessStats();

/** What the pipe would say of this process. */
function snapshot(): Snapshot {
  process.refresh([ownSlab().slab]);
  return parseSnapshot(new SnapshotWriter().write(process, true).slice());
}

/** The kinds of the stats whose names begin with a prefix. */
function kinds(prefix: string): Record<string, number> {
  const { table, ids, kinds } = snapshot();
  return Object.fromEntries(
    [...ids].map((id, i) => [table.names[id], kinds[i]])
      .filter(([name]) => `${name}`.startsWith(prefix)),
  );
}

function all(prefix: string): Record<string, number> {
  return Object.fromEntries(
    Object.entries(getAll()).filter(([name]) => name.startsWith(prefix)),
  );
}

function refuses(
  action: () => unknown,
  ErrorClass: typeof TypeError | typeof RangeError,
  message: string,
): void {
  assertEquals(assertThrows(action, ErrorClass).message, message);
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

Deno.test("labels name a series in the order of their keys, whatever theirs and whatever their types", () => {
  incr("l.hits", 1, { b: 2, a: "x" });
  incr("l.hits", 2, { a: "x", b: "2" });
  counter("l.hits", { labels: { b: "2", a: "x" } }).incr(4);
  incr('l.hits{a="x",b="2"}', 8);
  incr("l.hits", 1, { a: true });
  incr("l.hits", 1, { a: "true" });
  incr("l.hits", 5, {});
  incr("l.hits");
  set("l.size", 3, { q: 'a"\\\n\u2028' });
  assertEquals(all("l."), {
    'l.hits{a="x",b="2"}': 15,
    'l.hits{a="true"}': 2,
    "l.hits": 6,
    'l.size{q="a\\"\\\\\\n\\u2028"}': 3,
  });
  assertEquals(
    snapshot().stats.get('l.size{q="a\\"\\\\\\n\\u2028"}')?.value,
    3,
  );
  record("l.{0}", 7, { t: "u" });
  record("l.{0}", 9, (name, label) => `${name}/${label}`, { t: "v" });
  distribution("l.{0}", { labels: { t: "u" } }).record(8);
  assertEquals(all("l.median"), { 'l.median{t="u"}': 7 });
  assertEquals(all("l.{0}/mean"), { 'l.{0}/mean{t="v"}': 9 });
});

Deno.test("labels that are none are refused by every call, also where they look like known ones", () => {
  const start = 'Cannot label "bad.{0}": ';
  const types = "must be a string, a number or a boolean, got";
  incr("bad.{0}x", 1, { a: "null" });
  const table: [unknown, string][] = [
    [
      { "1": 1 },
      'a key must be made of letters, digits, "_" and "." and not begin with a digit or ".", got "1"',
    ],
    [
      { "a-b": 1 },
      'a key must be made of letters, digits, "_" and "." and not begin with a digit or ".", got "a-b"',
    ],
    [
      { "": 1 },
      'a key must be made of letters, digits, "_" and "." and not begin with a digit or ".", got ""',
    ],
    [{ a: null }, `the value of a ${types} null`],
    [{ a: undefined }, `the value of a ${types} undefined`],
    [{ a: ["x"] }, `the value of a ${types} ["x"]`],
    [{ a: {} }, `the value of a ${types} an object`],
    [{ a: 5n }, `the value of a ${types} 5n`],
    [{ a: Symbol("s") }, `the value of a ${types} Symbol(s)`],
  ];
  for (const a of ["null", "undefined", "x", "[object Object]", "5"]) {
    incr("bad.{0}", 1, { a });
    record("bad.{0}", 1, { a });
  }
  for (const [labels, why] of table) {
    const bad = labels as Labels;
    for (
      const action of [
        () => incr("bad.{0}", 1, bad),
        () => set("bad.{0}", 1, bad),
        () => record("bad.{0}", 1, bad),
        () => counter("bad.{0}", { labels: bad }),
        () => gauge("bad.{0}", { labels: bad }),
        () => distribution("bad.{0}", { labels: bad }),
      ]
    ) refuses(action, TypeError, start + why);
  }
  refuses(
    () => incr("", 1, { a: 1 }),
    TypeError,
    "Cannot label a stat: its name must not be empty with labels",
  );
  refuses(
    () => record("bad.{0}", 1, { a: 1 }, { b: 1 }),
    TypeError,
    'Cannot record "bad.{0}": the format must be a function, got an object',
  );
});

Deno.test("handles take their labels, help, unit and merge as options", () => {
  const labels = { queue: "mail" };
  counter("o.hits", { labels, help: "Hits", unit: "requests" }).incr(2);
  gauge("o.age", { labels, help: "Age", unit: "seconds", merge: "max" }).set(3);
  gauge("o.last", { merge: "last" }).set(4);
  gauge("o.last", { merge: "last" }).set(5);
  const options = {
    labels,
    help: "Wait",
    unit: "ms",
    format: (name: string, label: string) => `${name}/${label}`,
    window: 3,
  };
  const waits = distribution("o.wait", options);
  for (let i = 1; i <= 10; i++) waits.record(i);
  assertEquals(waits.name, 'o.wait{queue="mail"}');
  assertEquals(all("o."), {
    'o.hits{queue="mail"}': 2,
    'o.age{queue="mail"}': 3,
    "o.last": 5,
    'o.wait/median{queue="mail"}': 8,
    'o.wait/95th{queue="mail"}': 9,
    'o.wait/99th{queue="mail"}': 9,
    'o.wait/100th{queue="mail"}': 10,
    'o.wait/mean{queue="mail"}': 9,
  });
  const { descriptions, lastSet } = snapshot();
  assertEquals(
    [...descriptions].filter(([name]) => name.startsWith("o.")),
    [
      ["o.hits", { help: "Hits", unit: "requests", merge: undefined }],
      ["o.age", { help: "Age", unit: "seconds", merge: "max" }],
      ["o.last", { help: undefined, unit: undefined, merge: "last" }],
      ["o.wait", { help: "Wait", unit: "ms", merge: undefined }],
    ],
  );
  assertEquals(lastSet.has("o.last"), true);
});

Deno.test("a handle is refused whose options are wrong, and nothing is created", () => {
  const make = { counter, gauge, distribution };
  const table: [
    keyof typeof make,
    unknown,
    typeof TypeError | typeof RangeError,
    string,
  ][] = [
    [
      "counter",
      { tier: "disk" },
      TypeError,
      'Cannot create "w.{0}": the options of a counter must be labels, help, unit, got "tier"',
    ],
    [
      "counter",
      { merge: "max" },
      TypeError,
      'Cannot create "w.{0}": the options of a counter must be labels, help, unit, got "merge"',
    ],
    [
      "gauge",
      { window: 5 },
      TypeError,
      'Cannot create "w.{0}": the options of a gauge must be labels, help, unit, merge, got "window"',
    ],
    [
      "distribution",
      { merge: "max" },
      TypeError,
      'Cannot create "w.{0}": the options of a distribution must be labels, help, unit, format, window, got "merge"',
    ],
    [
      "distribution",
      () => "",
      TypeError,
      'Cannot create "w.{0}": the options must be an object, got a function',
    ],
    [
      "gauge",
      null,
      TypeError,
      'Cannot create "w.{0}": the options must be an object, got null',
    ],
    [
      "counter",
      ["help"],
      TypeError,
      'Cannot create "w.{0}": the options must be an object, got ["help"]',
    ],
    [
      "counter",
      { labels: 5 },
      TypeError,
      'Cannot label "w.{0}": the labels must be an object, got 5',
    ],
    [
      "gauge",
      { labels: null },
      TypeError,
      'Cannot label "w.{0}": the labels must be an object, got null',
    ],
    [
      "counter",
      { help: 5 },
      TypeError,
      'Cannot describe "w.{0}": help must be a string, got 5',
    ],
    [
      "gauge",
      { merge: "avg" },
      RangeError,
      'Cannot describe "w.{0}": merge must be sum, min, max, mean or last, got "avg"',
    ],
    [
      "distribution",
      { unit: 5 },
      TypeError,
      'Cannot describe "w.{0}": unit must be a string, got 5',
    ],
    [
      "distribution",
      { format: "x" },
      TypeError,
      'Cannot record "w.{0}": the format must be a function, got "x"',
    ],
    [
      "distribution",
      { window: "5" },
      TypeError,
      'Cannot create "w.{0}": the window must be a number, got "5"',
    ],
    ...[0, 1.5, 1_000_001, NaN].map((window) =>
      [
        "distribution",
        { window },
        RangeError,
        `Cannot create "w.{0}": the window must be a whole number from 1 to 1000000, got ${window}`,
      ] as [keyof typeof make, unknown, typeof RangeError, string]
    ),
  ];
  const state = () => {
    snapshot();
    const { names, recorded, descriptions } = process;
    return [names.length, recorded.size, descriptions.size];
  };
  const before = state();
  for (const [kind, options, ErrorClass, why] of table) {
    refuses(() => make[kind]("w.{0}", options as object), ErrorClass, why);
  }
  assertEquals(state(), before);
});

Deno.test("distribution() keeps the window and the format that it was made with", () => {
  const first = distribution("first.{0}", { window: 2 });
  const shout = (name: string, label: string) => `${name}!${label}`;
  assertEquals(distribution("first.{0}"), first);
  assertEquals(distribution("first.{0}", { window: 2, format: shout }), first);
  refuses(
    () => distribution("first.{0}", { window: 3 }),
    RangeError,
    'Cannot create "first.{0}": the window must stay 2, got 3',
  );
  // Each series has a window of its own.
  distribution("first.{0}", { window: 3, labels: { a: 1 } });
  for (let i = 1; i <= 5; i++) record("first.{0}", i);
  assertEquals(all("first."), {
    "first.median": 4,
    "first.95th": 4,
    "first.99th": 4,
    "first.100th": 5,
    "first.mean": 4.5,
  });
});

Deno.test("series past config.maxSeries count in one that says so", () => {
  const { maxSeries } = config;
  config.maxSeries = 3;
  try {
    for (let i = 0; i < 10; i++) incr("over", 1, { i });
    for (let i = 0; i < 10; i++) incr("over", 1, { i });
    for (let i = 0; i < 5; i++) record("over.{0}", i, { i });
    counter("over", { labels: { i: 99 } }).incr(100);
    // Those that are there stay, in any order of their labels.
    incr("over", 10, { i: 0 });
    incr("other", 1, { i: 9 });
    config.maxSeries = 0;
    incr("none", 1, { i: 1 });
  } finally {
    config.maxSeries = maxSeries;
  }
  assertEquals(all("over{"), {
    'over{i="0"}': 12,
    'over{i="1"}': 2,
    'over{i="2"}': 2,
    'over{overflow="true"}': 114,
  });
  assertEquals(all("over.100th"), {
    'over.100th{i="0"}': 0,
    'over.100th{i="1"}': 1,
    'over.100th{i="2"}': 2,
    'over.100th{overflow="true"}': 4,
  });
  assertEquals(all("other"), { 'other{i="9"}': 1 });
  assertEquals(all("none"), { 'none{overflow="true"}': 1 });
});

Deno.test("describe() keeps what was said before, and says the last of each", () => {
  describe("d.a", { help: "First", unit: "seconds" });
  describe("d.a", { help: "Second", merge: "max" });
  describe("d.a", {});
  describe("d.a", { help: "Second" });
  describe("__proto__", { help: "Own" });
  const { descriptions } = snapshot();
  assertEquals(descriptions.get("d.a"), {
    help: "Second",
    unit: "seconds",
    merge: "max",
  });
  assertEquals(descriptions.get("__proto__")?.help, "Own");
});

Deno.test("describe() refuses what it cannot say, and says why", () => {
  const start = 'Cannot describe "d.bad": ';
  const table: [unknown, typeof TypeError | typeof RangeError, string][] = [
    [{ help: 5 }, TypeError, "help must be a string, got 5"],
    [{ unit: null }, TypeError, "unit must be a string, got null"],
    [{ merge: ["sum"] }, TypeError, 'merge must be a string, got ["sum"]'],
    [
      { merge: "avg" },
      RangeError,
      'merge must be sum, min, max, mean or last, got "avg"',
    ],
    [
      { merge: "" },
      RangeError,
      'merge must be sum, min, max, mean or last, got ""',
    ],
  ];
  assertThrows(
    () => describe("d.bad", { help: "x".repeat(65_537) }),
    RangeError,
    `${start}help must be of at most 65536 characters, got "xxx`,
  );
  for (const [description, ErrorClass, why] of table) {
    refuses(
      () => describe("d.bad", description as object),
      ErrorClass,
      start + why,
    );
  }
  refuses(
    () => describe("# d", {}),
    TypeError,
    'Cannot name a stat: the name must not begin with "# ", got "# d"',
  );
  for (
    const [name, make] of [
      ["d.set", () => set("d.set", 1)],
      ["d.gauge", () => gauge("d.gauge")],
      ["d.label", () => set("d.label", 1, { a: 1 })],
      ["d.down", () => incr("d.down", -1)],
    ] as const
  ) {
    make();
    refuses(
      () => describe(name, { merge: "last" }),
      TypeError,
      `Cannot describe "${name}": merge must become "last" before the gauge is first set`,
    );
    describe(name, { merge: "min" });
  }
  // A counter is none yet.
  incr("d.counter");
  describe("d.counter", { merge: "last" });
  assertEquals(snapshot().descriptions.has("d.bad"), false);
});

Deno.test("a gauge that merges by time says when it was set, by every way of setting it", () => {
  for (const name of ["t.a", "t.b", "t.c", "t.d"]) {
    describe(name, { merge: "last" });
  }
  const before = Date.now() / 1000;
  set("t.a", 5);
  gauge("t.b").set(6);
  set("t.c", 0.5, { x: 1 });
  incr("t.d", -1);
  const { lastSet, stats } = snapshot();
  const times = ["t.a", "t.b", 't.c{x="1"}', "t.d"].map((name) =>
    lastSet.get(name)!
  );
  for (const time of times) {
    assertEquals(time >= before && time <= Date.now() / 1000, true, `${times}`);
  }
  assertEquals(stats.get("t.b")?.value, 6);
});

Deno.test("gauges of several threads merge as they are described, in each process and at once", () =>
  withDir(async (dir) => {
    const names = ["sum", "min", "max", "mean", "last"];
    const text = `
      for (const name of ${JSON.stringify(names)}) {
        if (name !== "sum") describe(name, { merge: name });
      }
      const write = (n) => { for (const name of ${
      JSON.stringify(names)
    }) set(name, n); };`;
    await Deno.writeTextFile(
      `${dir}/thread.ts`,
      `import { describe, set } from ${
        JSON.stringify(new URL("mod.ts", ROOT).href)
      };
       ${text}
       onmessage = ({ data }) => { write(data); postMessage("done"); };`,
    );
    await using program = await startProgram(
      `const { describe } = statvent; ${text}
       const start = () => new Worker("file://${dir}/thread.ts", { type: "module" });
       const ask = (worker, n) => new Promise((resolve) => { worker.onmessage = resolve; worker.postMessage(n); });
       const later = () => new Promise((resolve) => setTimeout(resolve, 5));
       const threads = [start(), start()];
       write(7); await later();
       await ask(threads[0], 2); await later();
       await ask(threads[1], 10); await later();
       // The main thread has set it last, and to neither the least nor the greatest.
       write(4);
       while (getAll().sum !== 16) await later();
       console.log(JSON.stringify(getAll()));
       await startRecorder(); console.log("live"); setInterval(() => {}, 1e6);`,
      { dir },
    );
    await program.printed("live");
    const expected = { sum: 16, min: 2, max: 10, mean: 16 / 3, last: 4 };
    assertEquals(JSON.parse(program.stdout.split("\n")[0]), expected);
    const read = async () => {
      const snapshot = parseSnapshot(
        new TextEncoder().encode(await cat(program.path)),
      );
      return Object.fromEntries(
        [...snapshot.stats].map(([name, { value }]) => [name, value]),
      );
    };
    await until("all threads", async () => (await read()).sum === 16);
    assertEquals(await read(), expected);
  }));

// Last, because nothing more can be created after it.
Deno.test("names past config.maxStats leave nothing behind, with labels either", () => {
  const { maxStats } = config;
  incr("full", 1, { a: 1 });
  config.maxStats = 0;
  const before = Deno.memoryUsage().heapUsed;
  try {
    for (let i = 0; i < 100_000; i++) incr(`full.${i}`, 1, { a: 1 });
    incr("full", 1, { a: 1 });
    incr("full", 1, { a: 2 });
  } finally {
    config.maxStats = maxStats;
  }
  const grown = Deno.memoryUsage().heapUsed - before;
  assertEquals(all("full"), { 'full{a="1"}': 2 });
  assertEquals(all("statvent."), { "statvent.refused": 100_001 });
  assertEquals(grown < 20e6, true, `${grown} bytes`);
});

Deno.test("a handle that is refused leaves no description", () => {
  const { maxStats } = config;
  config.maxStats = 0;
  try {
    counter("refused.a", { help: "A" }).incr();
    gauge("refused.b", { help: "B", merge: "last" }).set(1);
    distribution("refused.{0}", { help: "C", window: 5 }).record(1);
  } finally {
    config.maxStats = maxStats;
  }
  assertEquals(all("refused."), {});
  assertEquals(
    [...snapshot().descriptions.keys()].filter((name) =>
      name.startsWith("refused.")
    ),
    [],
  );
});
