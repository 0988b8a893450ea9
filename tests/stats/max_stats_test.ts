/**
 * What becomes of names beyond `config.maxStats`.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import {
  config,
  counter,
  distribution,
  gauge,
  getAll,
  incr,
  record,
  set,
} from "../../mod.ts";
import { all, snapshot } from "../helpers/own_stats.ts";
import { refuses } from "../helpers/refuses.ts";

/** How many calls were refused so far. */
const refused = () => getAll()["statvent.refused"] ?? 0;

Deno.test("names past config.maxStats leave nothing behind, with labels either", () => {
  const { maxStats } = config;
  incr("full", 1, { a: 1 });
  config.maxStats = 0;
  const sofar = refused();
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
  assertEquals(refused() - sofar, 100_001);
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

Deno.test("a name past config.maxStats counts in statvent.refused", () => {
  const { maxStats } = config;
  const sofar = refused();
  incr("incr.a", 2);
  config.maxStats = 0;
  try {
    for (let i = 0; i < 1000; i++) incr(`id.${i}`);
    set("id.set", 5);
    record("id.{0}", 5);
    const a = counter("id.counter");
    const s = distribution("id.series.{0}");
    a.incr(100);
    s.record(100);
    refuses(
      () => a.incr(NaN),
      RangeError,
      'Cannot change "id.counter": the value must be finite, got NaN',
    );
    incr("incr.a");
  } finally {
    config.maxStats = maxStats;
  }
  assertEquals(all("id."), {});
  assertEquals(refused() - sofar, 1005);
  assertEquals(getAll()["incr.a"], 3);
  incr("id.0");
  assertEquals(all("id."), { "id.0": 1 });
});

Deno.test("100 000 names are kept, and 10 000 windows beside them", () => {
  const { maxStats } = config;
  config.maxStats = 200_000;
  try {
    for (let i = 0; i < 100_000; i++) incr(`many.${i}`, i);
    for (let i = 0; i < 10_000; i++) record(`window.${i}.{0}`, i);
  } finally {
    config.maxStats = maxStats;
  }
  const stats = getAll();
  let wrong = 0;
  for (let i = 0; i < 100_000; i++) if (stats[`many.${i}`] !== i) wrong++;
  for (let i = 0; i < 10_000; i++) if (stats[`window.${i}.mean`] !== i) wrong++;
  assertEquals(wrong, 0);
});
