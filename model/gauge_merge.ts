/**
 * How the values that threads or processes have for a gauge become one.
 *
 * Pure: no clock, no I/O.
 *
 * @module
 */

import { add } from "./numbers.ts";
import { mean } from "../percentile.ts";

/** How the values that threads and processes have for a gauge become one. */
export type GaugeMerge = "sum" | "min" | "max" | "mean" | "last";

/** All ways to merge a gauge. */
export const GAUGE_MERGES: readonly GaugeMerge[] = [
  "sum",
  "min",
  "max",
  "mean",
  "last",
];

/**
 * Merges the values that threads or processes have for a gauge.
 *
 * @param merge How to merge.
 * @param of Each value with the time at which it was set. At least one. For the
 * mean, a value may be a sum; then the number of its values follows the time.
 * @returns The merged value. If `last` finds several that were set at the same
 * time, the greatest of them.
 */
export function mergeGauge(
  merge: GaugeMerge,
  of: readonly (readonly number[])[],
): number {
  const values = of.map(([value]) => value);
  if (merge === "min") return values.reduce((a, b) => Math.min(a, b));
  if (merge === "max") return values.reduce((a, b) => Math.max(a, b));
  if (merge === "mean") {
    const counts = of.map(([, , count = 1]) => count);
    return mean(values) / mean(counts);
  }
  if (merge === "sum") return values.reduce(add);
  return of.reduce((a, b) =>
    b[1] > a[1] || (b[1] === a[1] && b[0] > a[0]) ? b : a
  )[0];
}
