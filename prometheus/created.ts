/**
 * The times since which series count, which some formats have.
 *
 * Pure: no clock, no I/O.
 *
 * @module
 */

import type { Family } from "./families.ts";

/**
 * Adds to the series of counters and distributions where the time is since which
 * they count.
 *
 * @param families The families.
 * @param created That time for each part, if it is known.
 * @param firstOwn The index of the first value that is the service's own.
 * @param firstCreated The index of the time of the first part.
 */
export function markCreated(
  families: readonly Family[],
  created: readonly (number | undefined)[],
  firstOwn: number,
  firstCreated: number,
): Family[] {
  return families.map((family) => {
    const { type, series } = family;
    const isCounter = type === "counter";
    if (!isCounter && type !== "summary" && type !== "histogram") return family;
    return {
      ...family,
      series: series.map((one) => {
        const { index, part = 0 } = one;
        const isOwn = isCounter && index >= firstOwn;
        return isOwn || created[part] === undefined
          ? one
          : { ...one, created: firstCreated + part };
      }),
    };
  });
}
