import { assertEquals } from "@std/assert";
import { sumOfEnded } from "../../memory/ended_slab.ts";
import { SlabWriter } from "../../memory/slab_writer.ts";
import { GAUGE_MERGES } from "../../model/gauge_merge.ts";
import { addValue, emptyHistogram } from "../../model/histogram.ts";
import { IS_FRACTIONAL, IS_GAUGE } from "../../model/marks.ts";
import {
  BUCKETS,
  DESCRIPTION,
  RECORDED,
  SCALAR,
  type Slab,
  SUMMARY_CELLS,
  TIME,
} from "../../slab/layout.ts";
import { ProcessStats } from "../../slab/process_stats.ts";

const NAMES = {
  name: "r.{0}",
  percentiles: [[50, "r.median"]],
  mean: "r.mean",
};

const WINDOW = 10;

/** A slab as a thread of number `i` leaves it. */
function threadSlab(i: number): Slab {
  const writer = new SlabWriter("other thread");
  writer.add(SCALAR, "count", [i]);
  // The sums of these depend on the order in which they are added up.
  writer.add(SCALAR, "spent", [1.1 ** i], IS_FRACTIONAL);
  writer.add(SCALAR, `own.${i}`, [0.5], IS_FRACTIONAL);
  for (const merge of GAUGE_MERGES) {
    writer.add(SCALAR, merge, [i * i % 7], IS_GAUGE);
    writer.add(TIME, merge, [1_000 - i]);
  }
  const initial = new Float64Array(SUMMARY_CELLS + WINDOW + 1).fill(NaN);
  initial.set([-0.3 * i, -3, -3, 0, 0]);
  initial.set([i, 2 * i], SUMMARY_CELLS);
  const cell = writer.add(RECORDED, JSON.stringify(NAMES), initial)!;
  // Bucket 25 of the octave of 2 counts 3.
  const octave = new Float64Array(16);
  octave[9] = i;
  writer.add(BUCKETS, JSON.stringify([cell, -1, 16]), octave);
  return writer.slab;
}

/** The slab of a thread that lives and describes the gauges. */
function describingSlab(): Slab {
  const writer = new SlabWriter();
  for (const merge of GAUGE_MERGES) {
    writer.add(DESCRIPTION, JSON.stringify({ name: merge, merge }), []);
  }
  return writer.slab;
}

/** All that a reader of the slabs shows, but for the windows. */
function shown(slabs: Slab[]): unknown {
  const stats = new ProcessStats(() => {});
  stats.refresh(slabs);
  return {
    scalars: Object.fromEntries(
      stats.names.map((name, i) => [name, [stats.values[i], stats.marks[i]]]),
    ),
    times: stats.times.get(stats.names.indexOf("last")),
    histogram: stats.recorded.get("r.{0}")!.histogram(),
    description: stats.recorded.get("r.{0}")!.description,
  };
}

Deno.test("sumOfEnded() shows what the slabs show, in one step or in several", () => {
  const slabs = Array.from({ length: 9 }, (_, i) => threadSlab(i + 1));
  const describing = describingSlab();
  const expected = shown([...slabs, describing]);
  assertEquals(shown([sumOfEnded(slabs, 1)!, describing]), expected);
  let sum: Slab | undefined;
  for (const slab of slabs) {
    sum = sumOfEnded(sum === undefined ? [slab] : [sum, slab], 1)!;
  }
  assertEquals(shown([sum!, describing]), expected);
});

Deno.test("sumOfEnded() keeps one window of the recorded values", () => {
  const slabs = Array.from({ length: 3 }, (_, i) => threadSlab(i + 1));
  const sorted = (slabs: Slab[]) => {
    const stats = new ProcessStats(() => {});
    stats.refresh(slabs);
    return [...stats.recorded.get("r.{0}")!.sorted()];
  };
  assertEquals(sorted([sumOfEnded(slabs, 1)!]), sorted(slabs));
  const many = Array.from({ length: 50 }, (_, i) => threadSlab(i + 1));
  const all = sorted(many);
  assertEquals(
    sorted([sumOfEnded(many, 1)!]),
    Array.from({ length: WINDOW }, (_, i) => all[10 * i + 5]),
  );
});

Deno.test("a reader that goes from slabs to their sum shows the same, and names them once", () => {
  const slabs = Array.from({ length: 5 }, (_, i) => threadSlab(i + 1));
  const live = threadSlab(6);
  const stats = new ProcessStats(() => {});
  stats.refresh([live, ...slabs]);
  const before = [...stats.entries()];
  const { sum, rest } = stats.recorded.get("r.{0}")!.histogram();
  stats.refresh([live, sumOfEnded(slabs, 1)!]);
  assertEquals([...stats.entries()], before);
  const histogram = emptyHistogram();
  for (let i = 1; i <= 6; i++) {
    addValue(histogram, i);
    addValue(histogram, 2 * i);
    for (let n = 0; n < i; n++) addValue(histogram, -3);
  }
  assertEquals(stats.recorded.get("r.{0}")!.histogram(), {
    ...histogram,
    sum,
    rest,
  });
});
