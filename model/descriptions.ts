/**
 * The descriptions of stats, with the merge of gauges that they ask for.
 *
 * Pure: no clock, no I/O.
 *
 * @module
 */

import { mean } from "../percentile.ts";
import { add } from "./numbers.ts";

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

/** What a program says of a stat. */
export interface Description {
  /** What the stat is, in a sentence. */
  readonly help?: string;
  /** Its unit, such as `seconds` or `bytes`. */
  readonly unit?: string;
  /** How the stat merges if it is a gauge, `sum` by default. */
  readonly merge?: GaugeMerge;
}

/** Whether two descriptions say the same. */
export function isSameDescription(
  a: Description | undefined,
  b: Description,
): boolean {
  return a?.help === b.help && a?.unit === b.unit && a?.merge === b.merge;
}

/** The names of a distribution, which never change. */
export interface DistributionNames {
  /** The name it was recorded under, labels included. */
  readonly name: string;
  /** Each percentile, 0 to 100, and the name that shows it. */
  readonly percentiles:
    readonly (readonly [percentile: number, name: string])[];
  /** The name that shows the mean; `undefined` if only the histogram is known. */
  readonly mean: string | undefined;
}

/**
 * Merges the values that threads or processes have for a gauge.
 *
 * @param merge How to merge.
 * @param of Each value with the time at which it was set. At least one.
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
  if (merge === "mean") return mean(values);
  if (merge === "sum") return values.reduce(add);
  return of.reduce((a, b) =>
    b[1] > a[1] || (b[1] === a[1] && b[0] > a[0]) ? b : a
  )[0];
}
