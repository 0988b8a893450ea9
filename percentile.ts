/**
 * Percentiles of a window of recorded values.
 *
 * Pure: no clock, no I/O. Imports nothing.
 *
 * @module
 */

/** A percentile and the label by which it appears in a stat's name. */
export type Percentile = readonly [percentile: number, label: string];

/**
 * Picks percentile `p` out of a sorted window of n values: the one at index
 * max(0, floor(n · (p · 0.01)) − 1). Nothing is interpolated, so the answer is
 * always a value that was recorded.
 *
 * The formula is that of the first statvent, in the same order of double
 * operations, so that both pick the same value.
 *
 * @example The 95th percentile
 * ```ts
 * import { percentile } from "@statvent/statvent/percentile";
 * import { assertEquals } from "@std/assert";
 *
 * const sorted = Float64Array.from({ length: 100 }, (_, i) => i + 1);
 * assertEquals(percentile(sorted, 95), 95);
 * ```
 *
 * @param sorted The values in ascending order. Not checked.
 * @param p From 0 to 100. Not checked.
 * @returns The value, or 0 for an empty window.
 */
export function percentile(sorted: ArrayLike<number>, p: number): number {
  if (sorted.length === 0) return 0;
  return sorted[Math.max(0, Math.floor(sorted.length * (p * 0.01)) - 1)];
}

/**
 * The arithmetic mean, summed in the order given.
 *
 * @example The mean of a window
 * ```ts
 * import { mean } from "@statvent/statvent/percentile";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(mean([1, 2, 6]), 3);
 * ```
 *
 * @param values Finite numbers. Not checked.
 * @returns The mean, or 0 for no values. Always finite: where the sum would
 * leave the range of a double, each value is divided before it is added.
 */
export function mean(values: ArrayLike<number>): number {
  const n = values.length;
  if (n === 0) return 0;
  let sum = 0;
  for (let i = 0; i < n; i++) sum += values[i];
  if (Number.isFinite(sum)) return sum / n;
  sum = 0;
  for (let i = 0; i < n; i++) sum += values[i] / n;
  return sum;
}

/**
 * Pools windows of the same stat, of several threads or processes, into one
 * sorted window, of which {@linkcode percentile} and {@linkcode mean} are then
 * taken. Percentiles cannot be merged in any other way: their sum or average
 * is the percentile of nothing.
 *
 * @example Two processes
 * ```ts
 * import { percentile, pool } from "@statvent/statvent/percentile";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(percentile(pool([[9, 1], [5, 7, 3]]), 100), 9);
 * ```
 *
 * @param windows The windows, in any order. They are left as they are.
 * @returns All their values, in ascending order, in an array of its own.
 */
export function pool(windows: Iterable<ArrayLike<number>>): Float64Array {
  const all = [...windows];
  const pooled = new Float64Array(
    all.reduce((length, window) => length + window.length, 0),
  );
  let offset = 0;
  for (const window of all) {
    pooled.set(window, offset);
    offset += window.length;
  }
  return pooled.sort();
}
