import { assertEquals } from "@std/assert";
import { counter, distribution, gauge, record } from "../../mod.ts";
import { all, process, snapshot } from "../helpers/own_stats.ts";
import { refuses } from "../helpers/refuses.ts";

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
      'Cannot create "w.{0}": the options of a distribution must be labels, help, unit, format, window, buckets, got "merge"',
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
