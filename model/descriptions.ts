/**
 * What a program says of its stats, and how gauges merge.
 *
 * Pure: no clock, no I/O.
 *
 * @module
 */

import { add } from "./numbers.ts";
import { mean } from "../percentile.ts";

/** How the values that processes have for a gauge become one. */
export type GaugeMerge = "sum" | "min" | "max" | "mean" | "last";

/** All of them. */
export const GAUGE_MERGES: readonly GaugeMerge[] = [
  "sum",
  "min",
  "max",
  "mean",
  "last",
];

/** What a program says of a stat, for people. */
export interface Description {
  /** What it is, in a sentence. */
  readonly help?: string;
  /** Its unit, such as `seconds` or `bytes`. */
  readonly unit?: string;
  /** How it merges if it is a gauge, `sum` by default. */
  readonly merge?: GaugeMerge;
}

/** What stays the same of a recorded stat: its names. */
export interface DistributionNames {
  /** The name it was recorded under, labels included. */
  readonly name: string;
  /** Each percentile, 0 to 100, and the name of the stat that shows it. */
  readonly percentiles:
    readonly (readonly [percentile: number, name: string])[];
  /** The name of the stat that shows the mean; `undefined` where nothing shows any of it. */
  readonly mean: string | undefined;
}

/**
 * Makes one value of those that threads or processes have for a gauge.
 *
 * @param merge How.
 * @param of Each value, and when it was set. At least one.
 * @returns The value. Of several that were set last, the greatest.
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
