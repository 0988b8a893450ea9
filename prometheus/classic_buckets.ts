/**
 * Histograms as Prometheus had them first: how many values are at most so much.
 *
 * Pure: no clock, no I/O.
 *
 * @module
 */

import type { Buckets, Histogram } from "../model/histogram.ts";

/** An upper bound, and how many values there are up to it. */
export type ClassicBucket = readonly [bound: number, count: number];

// 2 to this power is no longer a double above 0, or below infinity.
const LEAST = -1075;
const GREATEST = 1024;

/**
 * The buckets between powers of two, from the lowest to the highest that has
 * values, with the lower end of the lowest as an empty one: those who
 * interpolate would begin at 0 without it.
 *
 * A value that is exactly minus a power of two counts as a little above it: the
 * histogram does not tell.
 *
 * @param histogram Left as it is.
 * @returns Each with its bound, in ascending order, without the one of infinity.
 */
export function classicBuckets(histogram: Histogram): ClassicBucket[] {
  const { scale, zeros, positive, negative } = histogram;
  // How many of its buckets make one, and how many powers of two one spans.
  const by = 2 ** Math.max(scale, 0);
  const step = 2 ** Math.max(-scale, 0);
  const result: ClassicBucket[] = [];
  let count = 0;
  const end = (exponent: number, sign: number) => {
    const bound = sign * 2 ** exponent;
    if (bound !== 0 && Number.isFinite(bound)) result.push([bound, count]);
  };
  if (negative.size > 0) {
    const { low, counts } = coarsen(negative, by, step);
    end((low + counts.length) * step, -1);
    for (let i = counts.length - 1; i >= 0; i--) {
      count += counts[i];
      end((low + i) * step, -1);
    }
  }
  if (zeros > 0) result.push([0, count += zeros]);
  if (positive.size > 0) {
    const { low, counts } = coarsen(positive, by, step);
    end(low * step, 1);
    for (let i = 0; i < counts.length; i++) {
      count += counts[i];
      end((low + i + 1) * step, 1);
    }
  }
  return result;
}

/** The counts of larger buckets, from the lowest to the highest in use. */
function coarsen(
  buckets: Buckets,
  by: number,
  step: number,
): { low: number; counts: Float64Array } {
  const least = Math.floor(LEAST / step);
  const greatest = Math.ceil(GREATEST / step);
  // No double is beyond these: such an index was made up.
  const larger = (index: number) =>
    Math.min(Math.max(Math.floor(index / by), least), greatest);
  let low = greatest;
  let high = least;
  for (const index of buckets.keys()) {
    const at = larger(index);
    if (at < low) low = at;
    if (at > high) high = at;
  }
  const counts = new Float64Array(high - low + 1);
  for (const [index, n] of buckets) counts[larger(index) - low] += n;
  return { low, counts };
}
