/**
 * The slab with the sums of threads that have ended.
 *
 * Pure: touches nothing but memory.
 *
 * @module
 */

import { type Buckets, BUCKETS_PER_OCTAVE } from "../model/histogram.ts";
import { IS_FRACTIONAL } from "../model/marks.ts";
import {
  BUCKETS,
  DESCRIPTION,
  ENDED_GAUGE,
  RECORDED,
  REST,
  SCALAR,
  type Slab,
  SUM_REST,
  SUMMARY_CELLS,
} from "../slab/layout.ts";
import { type DistributionStat, ProcessStats } from "../slab/process_stats.ts";
import { SlabWriter } from "./slab_writer.ts";

/**
 * Adds up the stats of threads that have ended.
 *
 * Counters and histograms are exact, their sums as far as two doubles go. Of a
 * gauge there is all that any merge needs. Of the recorded values there are as
 * many as one window holds, taken evenly from those of all threads.
 *
 * @param slabs The slabs of the threads, and of those that ended before.
 * @param version The version of the result.
 * @returns The sum, or `undefined` if no memory is left.
 */
export function sumOfEnded(
  slabs: readonly Slab[],
  version: number,
): Slab | undefined {
  // Nobody will finish a count that is not finished by now, so waiting for it
  // would be in vain.
  const stats = new ProcessStats(() => {});
  stats.refresh(slabs);
  const start = Math.min(...slabs.map(({ start }) => start));
  const writer = new SlabWriter("ended threads", version, start);
  const gauges = stats.gauges();
  let isComplete = true;
  for (const [place, name] of stats.names.entries()) {
    const mark = stats.marks[place];
    const gauge = gauges.get(place);
    const cell = gauge === undefined
      ? writer.add(SCALAR, name, [stats.values[place]], mark)
      : writer.add(ENDED_GAUGE, name, gauge, mark);
    isComplete &&= cell !== undefined;
    const rest = gauge === undefined ? stats.lost[place] : 0;
    if (rest !== 0) isComplete &&= writer.add(REST, name, [rest]) !== undefined;
  }
  for (const stat of stats.recorded.values()) {
    isComplete &&= addDistribution(writer, stat);
  }
  for (const [name, description] of stats.descriptions) {
    const text = JSON.stringify({ name, ...description });
    isComplete &&= writer.add(DESCRIPTION, text, []) !== undefined;
  }
  return isComplete ? { ...writer.slab, version } : undefined;
}

/** Returns `false` if no memory is left. */
function addDistribution(writer: SlabWriter, stat: DistributionStat): boolean {
  const { sum, rest, min, max, zeros, positive, negative } = stat.histogram();
  const width = SUMMARY_CELLS + stat.window + 1;
  const initial = new Float64Array(width).fill(NaN);
  initial.set([sum, min, max, zeros, 0]);
  // The gap is the first place: so all values are counted already.
  initial.set(sample(stat.sorted(), stat.window), SUMMARY_CELLS + 1);
  const mark = stat.fractional ? IS_FRACTIONAL : 0;
  const text = JSON.stringify(stat.description);
  const cell = writer.add(RECORDED, text, initial, mark);
  return cell !== undefined &&
    (!rest || writer.add(SUM_REST, `${cell}`, [rest]) !== undefined) &&
    addBuckets(writer, cell, 1, positive) &&
    addBuckets(writer, cell, -1, negative);
}

function addBuckets(
  writer: SlabWriter,
  of: number,
  sign: 1 | -1,
  buckets: Buckets,
): boolean {
  const octaves = new Map<number, Float64Array>();
  for (const [index, count] of buckets) {
    const place = ((index % BUCKETS_PER_OCTAVE) + BUCKETS_PER_OCTAVE) %
      BUCKETS_PER_OCTAVE;
    let octave = octaves.get(index - place);
    if (octave === undefined) {
      octave = new Float64Array(BUCKETS_PER_OCTAVE);
      octaves.set(index - place, octave);
    }
    octave[place] = count;
  }
  for (const [first, octave] of octaves) {
    const text = JSON.stringify([of, sign, first]);
    if (writer.add(BUCKETS, text, octave) === undefined) return false;
  }
  return true;
}

/** At most `most` of the values, from as many parts of equal length the middle one. */
function sample(sorted: Float64Array, most: number): Float64Array {
  const n = sorted.length;
  if (n <= most) return sorted;
  return Float64Array.from(
    { length: most },
    (_, i) => sorted[Math.floor((i + 0.5) * n / most)],
  );
}
