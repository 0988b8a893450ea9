/**
 * Exponential histograms: how many values lie between powers of a base.
 *
 * The schema is that of OpenTelemetry's exponential histograms and of
 * Prometheus's native ones: at scale s the base is 2^(2^-s), and bucket i counts
 * the values v with base^i < v ≤ base^(i+1). (Prometheus numbers that bucket
 * i + 1.) Histograms of one scale merge exactly.
 *
 * Pure: no clock, no I/O.
 *
 * @module
 */

import { add, addExactly } from "./numbers.ts";

/**
 * The scale at which statvent records: 16 buckets for each factor of two. A
 * value taken from the middle of its bucket is off by at most 2.2 %.
 */
export const SCALE = 4;

/** The lowest scale that is read. */
export const MIN_SCALE = -10;
/** The highest scale that is read. */
export const MAX_SCALE = 20;

/** The number of buckets for each factor of two, at {@linkcode SCALE}. */
export const BUCKETS_PER_OCTAVE: number = 2 ** SCALE;

/** The count of each bucket that is not empty, by the index of the bucket. */
export type Buckets = Map<number, number>;

/** The counts of all values of a distribution. */
export interface Histogram {
  /** The scale, from -10, where a bucket spans 308 decimal digits, to 20. */
  scale: number;
  /** The sum of all values. */
  sum: number;
  /** What rounding has taken from the sum, as in `ExactSum`; nothing if it is not known. */
  rest?: number;
  /** The minimum; Infinity if there are no values. */
  min: number;
  /** The maximum; -Infinity if there are no values. */
  max: number;
  /** The count of values that are 0. */
  zeros: number;
  /** The counts of values above 0. */
  readonly positive: Buckets;
  /** The counts of values below 0, by the bucket of their absolute value. */
  readonly negative: Buckets;
}

/** A histogram without values. */
export function emptyHistogram(scale: number = SCALE): Histogram {
  return {
    scale,
    sum: 0,
    rest: 0,
    min: Infinity,
    max: -Infinity,
    zeros: 0,
    positive: new Map(),
    negative: new Map(),
  };
}

/** The number of values in a histogram. */
export function countOf({ zeros, positive, negative }: Histogram): number {
  let count = zeros;
  for (const n of positive.values()) count += n;
  for (const n of negative.values()) count += n;
  return count;
}

/** The upper bound of bucket `index`. */
export function upperBound(index: number, scale: number): number {
  return 2 ** ((index + 1) * 2 ** -scale);
}

/** Whether doubles exist that bucket `index` counts. */
export function hasBucket(index: number, scale: number): boolean {
  return upperBound(index, scale) > 0 &&
    upperBound(index - 1, scale) < Infinity;
}

/** Joins buckets until the histogram is at `scale`, if that is lower. */
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

/** Adds one value to a histogram at {@linkcode SCALE}. */
export function addValue(histogram: Histogram, value: number): void {
  histogram.sum = add(histogram.sum, value);
  countValue(histogram, value);
}

/** Adds one value to a histogram at {@linkcode SCALE}, but for the sum. */
export function countValue(histogram: Histogram, value: number): void {
  histogram.min = Math.min(histogram.min, value);
  histogram.max = Math.max(histogram.max, value);
  if (value === 0) histogram.zeros++;
  else {
    const { positive, negative } = histogram;
    addTo(value < 0 ? negative : positive, indexOf(value), 1);
  }
}

/**
 * Adds the values of `other` to `histogram`, which keeps its scale.
 *
 * If `other` is finer, several of its buckets go into one. If it is coarser, a
 * bucket is counted at its middle, so that one program that records coarsely
 * does not cost the others their resolution.
 */
export function addHistogram(histogram: Histogram, other: Histogram): void {
  const { min, max } = other;
  addBuckets("positive", histogram, other, min, max);
  addBuckets("negative", histogram, other, -max, -min);
  const sum = { value: histogram.sum, rest: histogram.rest ?? 0 };
  addExactly(sum, other.sum, other.rest);
  histogram.sum = sum.value;
  histogram.rest = sum.rest;
  histogram.min = Math.min(histogram.min, min);
  histogram.max = Math.max(histogram.max, max);
  histogram.zeros += other.zeros;
}

/**
 * Adds the buckets of one sign.
 *
 * @param least The least absolute value of `others`; not above 0 if unknown.
 * @param most The greatest absolute value of `others`.
 */
function addBuckets(
  sign: "positive" | "negative",
  { scale, [sign]: buckets }: Histogram,
  { scale: otherScale, [sign]: others }: Histogram,
  least: number,
  most: number,
): void {
  const by = 2 ** (scale - otherScale);
  // A coarse bucket may reach beyond the least and the greatest value.
  const isCoarse = by > 1 && scale === SCALE && most > 0;
  const first = isCoarse && least > 0 ? indexOf(least) : -Infinity;
  const last = isCoarse ? indexOf(most) : Infinity;
  for (const [index, n] of others) {
    const middle = Math.floor((index + (by > 1 ? 0.5 : 0)) * by);
    addTo(buckets, Math.min(Math.max(middle, first), last), n);
  }
}

function addTo(buckets: Buckets, index: number, n: number): void {
  buckets.set(index, (buckets.get(index) ?? 0) + n);
}

/**
 * The high 20 bits of the mantissa at which each bucket of a factor of two
 * begins. Computed by square roots, which all runtimes round alike; powers they
 * do not.
 */
export const boundHigh: Int32Array = new Int32Array(BUCKETS_PER_OCTAVE);
/** The low 32 bits of these mantissas. */
export const boundLow: Uint32Array = new Uint32Array(BUCKETS_PER_OCTAVE);

/**
 * The bucket of a mantissa within a factor of two, by the high 11 bits of the
 * mantissa. `~bucket` where the bucket begins in between.
 */
export const places: Int8Array = new Int8Array(2048);

/** The index, among the two 32-bit words of a double, of the word with the sign. */
export const HIGH_WORD: number =
  new Int32Array(new Float64Array([1]).buffer)[1] === 0 ? 0 : 1;

const scratch = new Float64Array(1);
const scratchWords = new Int32Array(scratch.buffer);

function root(k: number): number {
  if (k === 0) return 1;
  const twice = 2 * k;
  return Math.sqrt(
    twice < BUCKETS_PER_OCTAVE
      ? root(twice)
      : 2 * root(twice - BUCKETS_PER_OCTAVE),
  );
}

for (let k = 0; k < BUCKETS_PER_OCTAVE; k++) {
  scratch[0] = root(k);
  boundHigh[k] = scratchWords[HIGH_WORD] & 0xfffff;
  boundLow[k] = scratchWords[1 - HIGH_WORD];
  places.fill(k, boundHigh[k] >>> 9);
  places[boundHigh[k] >>> 9] = ~k;
}

/**
 * The index of the bucket that counts a value, at {@linkcode SCALE}.
 *
 * Computed from the bits of the double, without a logarithm: the exponent gives
 * the factor of two, a table of mantissas the bucket in it.
 *
 * @param high The high 32 bits of the value. Their sign is ignored.
 * @param low The low 32 bits. The value must not be 0.
 */
export function indexOfBits(high: number, low: number): number {
  const mantissa = high & 0xfffff;
  let place = places[mantissa >>> 9];
  if (place < 0) {
    place = ~place;
    const bound = boundHigh[place];
    // The upper bound belongs to the bucket.
    const isAbove = mantissa === bound
      ? (low >>> 0) > boundLow[place]
      : mantissa > bound;
    if (!isAbove) place--;
  }
  return (((high >>> 20) & 0x7ff) - 1023) * BUCKETS_PER_OCTAVE + place;
}

/** The index of the bucket that counts a value other than 0, at {@linkcode SCALE}. */
function indexOf(value: number): number {
  scratch[0] = value;
  return indexOfBits(scratchWords[HIGH_WORD], scratchWords[1 - HIGH_WORD]);
}
