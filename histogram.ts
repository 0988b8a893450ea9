/**
 * Exponential histograms: how many values lie between powers of a base.
 *
 * The schema is that of OpenTelemetry's exponential histograms and of
 * Prometheus's native ones: at scale s the base is 2^(2^-s), and bucket i counts
 * the values v with base^i < v ≤ base^(i+1). (Prometheus numbers that bucket
 * i + 1.) Histograms of any two scales merge exactly at the lower one.
 *
 * Pure: no clock, no I/O. Imports nothing.
 *
 * @module
 */

/**
 * The scale at which statvent records: 16 buckets for each factor of two. A
 * value taken from the middle of its bucket is off by at most 2.2 %.
 */
export const SCALE = 4;

/** How many values there are in each bucket that has any, by its index. */
export type Buckets = Map<number, number>;

/** A distribution. */
export interface Histogram {
  /** From -10, where a bucket spans 308 decimal digits, to 20. */
  scale: number;
  /** The sum of all values. */
  sum: number;
  /** The smallest value; Infinity if there is none. */
  min: number;
  /** The greatest value; -Infinity if there is none. */
  max: number;
  /** How many values are 0. */
  zeros: number;
  /** The values above 0. */
  readonly positive: Buckets;
  /** The values below 0, by what they are without their sign. */
  readonly negative: Buckets;
}

/** A histogram without values. */
export function emptyHistogram(scale = SCALE): Histogram {
  return {
    scale,
    sum: 0,
    min: Infinity,
    max: -Infinity,
    zeros: 0,
    positive: new Map(),
    negative: new Map(),
  };
}

/** How many values a histogram has. */
export function countOf({ zeros, positive, negative }: Histogram): number {
  let count = zeros;
  for (const n of positive.values()) count += n;
  for (const n of negative.values()) count += n;
  return count;
}

/** The greatest value that bucket `index` counts. */
export function upperBound(index: number, scale: number): number {
  return 2 ** ((index + 1) * 2 ** -scale);
}

/** Halves the number of buckets until the histogram is at `scale`, if that is lower. */
export function downscale(histogram: Histogram, scale: number): void {
  const by = 2 ** (histogram.scale - scale);
  if (by <= 1) return;
  histogram.scale = scale;
  for (const buckets of [histogram.positive, histogram.negative]) {
    const all = [...buckets];
    buckets.clear();
    for (const [index, n] of all) addTo(buckets, Math.floor(index / by), n);
  }
}

function addTo(buckets: Buckets, index: number, n: number): void {
  buckets.set(index, (buckets.get(index) ?? 0) + n);
}

/** Adds the values of `other`, which is left as it is, to `histogram`. */
export function addHistogram(histogram: Histogram, other: Histogram): void {
  downscale(histogram, other.scale);
  const by = 2 ** (other.scale - histogram.scale);
  for (const sign of ["positive", "negative"] as const) {
    for (const [index, n] of other[sign]) {
      addTo(histogram[sign], Math.floor(index / by), n);
    }
  }
  histogram.sum = Math.min(
    Math.max(histogram.sum + other.sum, -Number.MAX_VALUE),
    Number.MAX_VALUE,
  );
  histogram.min = Math.min(histogram.min, other.min);
  histogram.max = Math.max(histogram.max, other.max);
  histogram.zeros += other.zeros;
}
