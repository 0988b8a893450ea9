import { assertEquals } from "@std/assert";
import {
  config,
  counter,
  distribution,
  gauge,
  incr,
  type Labels,
  record,
  set,
} from "../../mod.ts";
import { all, snapshot } from "../helpers/own_stats.ts";
import { refuses } from "../helpers/refuses.ts";

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
    'Cannot name a stat: the name must not be empty, got ""',
  );
  refuses(
    () => record("bad.{0}", 1, { a: 1 }, { b: 1 }),
    TypeError,
    'Cannot record "bad.{0}": the format must be a function, got an object',
  );
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

Deno.test("labels that are not an object are refused, whatever they are", () => {
  for (
    const [labels, got] of [["get", '"get"'], [["get"], '["get"]'], [5, "5"]]
  ) {
    const bad = labels as unknown as Labels;
    for (
      const action of [
        () => incr("bad", 1, bad),
        () => set("bad", 1, bad),
        () => record("bad", 1, (name) => name, bad),
        () => counter("bad", { labels: bad }),
        () => gauge("bad", { labels: bad }),
      ]
    ) {
      refuses(
        action,
        TypeError,
        `Cannot label "bad": the labels must be an object, got ${got}`,
      );
    }
  }
});
