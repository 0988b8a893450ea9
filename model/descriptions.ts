/**
 * The descriptions of stats, with the merge of gauges that they ask for.
 *
 * Pure: no clock, no I/O.
 *
 * @module
 */

import type { GaugeMerge } from "./gauge_merge.ts";

/** What a program says of a stat. */
export interface Description {
  /** What the stat is, in a sentence. */
  readonly help?: string;
  /** Its unit, such as `seconds` or `bytes`. */
  readonly unit?: string;
  /** How the stat merges if it is a gauge, `sum` by default. */
  readonly merge?: GaugeMerge;
  /**
   * The upper bounds of its classic histogram in Prometheus, if it is a
   * distribution: ascending, without infinity. Powers of two by default.
   */
  readonly buckets?: readonly number[];
}

/** How many bounds a description may list. */
export const MAX_BUCKETS = 256;

/** Whether a value is a list of ascending finite numbers, of a length that is allowed. */
export function areBuckets(value: unknown): value is number[] {
  return Array.isArray(value) && value.length > 0 &&
    value.length <= MAX_BUCKETS &&
    value.every((bound, i) =>
      Number.isFinite(bound) && (i === 0 || bound > value[i - 1])
    );
}

/** Whether two descriptions say the same. */
export function isSameDescription(
  a: Description | undefined,
  b: Description,
): boolean {
  return a?.help === b.help && a?.unit === b.unit && a?.merge === b.merge &&
    a?.buckets?.join() === b.buckets?.join();
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
