/**
 * Merges what the processes of a host say of themselves into one answer.
 *
 * Pure: no clock, no I/O.
 *
 * @module
 */

import { addStat, type Snapshot, type Stat } from "./format.ts";
import { mean, percentile, pool } from "./percentile.ts";

/** A recorded stat over all processes that have it. */
interface Pool {
  readonly windows: (readonly number[])[];
  /** The percentile that each name shows. */
  readonly percentiles: Map<string, number>;
  /** The names that show the mean. */
  readonly means: Set<string>;
}

/**
 * Merges snapshots: stats of the same name are summed, except those behind
 * which there are windows. Those are computed from all windows together.
 *
 * @example Two processes
 * ```ts
 * import { merge } from "@statvent/statvent/collect";
 * import { parseSnapshot } from "@statvent/statvent/format";
 * import { assertEquals } from "@std/assert";
 *
 * const read = (text: string) => parseSnapshot(new TextEncoder().encode(text));
 * const stats = merge([read("a: 1\nb: 2\n"), read("b: 0.5\n")]);
 * assertEquals(stats.get("b"), { value: 2.5, fractional: true });
 * ```
 *
 * @param snapshots One of each process. They are left as they are.
 * @returns The stats by name.
 */
export function merge(snapshots: Iterable<Snapshot>): Map<string, Stat> {
  const stats = new Map<string, Stat>();
  const pools = new Map<string, Pool>();
  // Whether the values behind a name that shows a window were ever fractional.
  const shown = new Map<string, boolean>();
  for (const { stats: own, windows } of snapshots) {
    const windowed = addWindows(pools, windows);
    for (const [name, stat] of own) {
      if (windowed.has(name)) {
        shown.set(name, shown.get(name) || stat.fractional);
      } else addStat(stats, name, stat);
    }
  }
  for (const { windows, percentiles, means } of pools.values()) {
    const sorted = pool(windows);
    const add = (name: string, value: number) =>
      addStat(stats, name, { value, fractional: shown.get(name) ?? false });
    for (const [name, p] of percentiles) add(name, percentile(sorted, p));
    for (const name of means) add(name, mean(sorted));
  }
  return stats;
}

/** Adds windows to the pools. Returns the names that show one of them. */
function addWindows(
  pools: Map<string, Pool>,
  windows: Snapshot["windows"],
): Set<string> {
  const names = new Set<string>();
  for (const { name, percentiles, mean, values } of windows) {
    let pool = pools.get(name);
    if (pool === undefined) {
      pool = { windows: [], percentiles: new Map(), means: new Set() };
      pools.set(name, pool);
    }
    pool.windows.push(values);
    pool.means.add(mean);
    names.add(mean);
    for (const [p, name] of percentiles) {
      pool.percentiles.set(name, p);
      names.add(name);
    }
  }
  return names;
}
