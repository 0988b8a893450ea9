/**
 * Classic histograms of Prometheus, which count the values up to each bound.
 *
 * Pure: no clock, no I/O.
 *
 * @module
 */

import {
  type Buckets,
  type Histogram,
  upperBound,
} from "../model/histogram.ts";

/** An upper bound, and the number of values up to it. */
export type ClassicBucket = readonly [bound: number, count: number];

// The greatest power of two that rounds to 0, and the least that is infinite.
const LEAST = -1075;
const GREATEST = 1024;

/**
 * The buckets of a classic histogram: up to each of the bounds, if a program has
 * chosen some, or else between powers of two.
 */
export function bucketsOf(
  histogram: Histogram,
  bounds: readonly number[] | undefined,
): ClassicBucket[] {
  return bounds === undefined
    ? classicBuckets(histogram)
    : boundedBuckets(histogram, bounds);
}

/** A bucket of the histogram, by where it begins. */
interface Start {
  readonly from: number;
  /** Whether the bucket contains the value at which it begins. */
  readonly isIn: boolean;
  readonly count: number;
}

/**
 * The buckets up to given bounds. No value up to a bound is missing in its
 * count. Values above it that share its bucket in the histogram are in there too,
 * since the histogram does not distinguish them.
 *
 * @param histogram Left as it is.
 * @param bounds The bounds, in ascending order.
 */
export function boundedBuckets(
  histogram: Histogram,
  bounds: readonly number[],
): ClassicBucket[] {
  const { scale, min, zeros, positive, negative } = histogram;
  const starts: Start[] = [{ from: 0, isIn: true, count: zeros }];
  for (const [i, count] of positive) {
    starts.push({ from: upperBound(i - 1, scale), isIn: false, count });
  }
  for (const [i, count] of negative) {
    starts.push({ from: -upperBound(i, scale), isIn: true, count });
  }
  starts.sort((a, b) => a.from - b.from);
  let next = 0;
  let count = 0;
  return bounds.map((bound) => {
    if (bound < min) return [bound, 0];
    for (; next < starts.length; next++) {
      const { from, isIn, count: n } = starts[next];
      if (from > bound || (from === bound && !isIn)) break;
      count += n;
    }
    return [bound, count];
  });
}

/**
 * The buckets between powers of two, from the lowest to the highest that has
 * values. The lower end of the lowest is an empty bucket, since interpolation
 * would begin at 0 without it.
 *
 * A value that is exactly minus a power of two counts as a little above it, since
 * the histogram does not distinguish the two.
 *
 * @param histogram Left as it is.
 * @returns The buckets in ascending order, without the one up to infinity.
 */
export function classicBuckets(histogram: Histogram): ClassicBucket[] {
  const { scale, zeros, positive, negative } = histogram;
  // How many buckets of the histogram make one, and how many powers of two one
  // bucket spans.
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
  // No double lies beyond these bounds; a forged histogram may have such indices.
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
