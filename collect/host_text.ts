/**
 * Writes the stats of a host as text in the format of the pipe.
 *
 * Pure: no clock, no I/O.
 *
 * @module
 */

import type { HostStats } from "./host_stats.ts";
import {
  type DistributionSource,
  SnapshotWriter,
} from "../format/snapshot_writer.ts";
import type { ProcessInfo } from "../model/identity.ts";
import { GAUGE, SHOWN, UNKNOWN } from "../model/kinds.ts";
import { IS_FRACTIONAL, IS_GAUGE } from "../model/marks.ts";

/**
 * Writes a snapshot of a whole host, which others can merge like one of a
 * process.
 *
 * @param process The process that the snapshot names as its writer.
 * @returns The bytes.
 */
export function toText(
  host: HostStats,
  process?: ProcessInfo,
): Uint8Array<ArrayBuffer> {
  const places: number[] = [];
  for (let i = 0; i < host.ids.length; i++) {
    // The stats that show a distribution are written with it.
    if (host.kinds[i] !== SHOWN) places.push(i);
  }
  const nameOf = (i: number) => host.table.names[host.ids[i]];
  const recorded = new Map<string, DistributionSource>();
  for (const stat of host.recorded) {
    const { name, percentiles, mean, window, fractional, histogram } = stat;
    recorded.set(name, {
      description: { name, percentiles, mean },
      fractional,
      sorted: () => window,
      histogram: () => histogram,
    });
  }
  return new SnapshotWriter().write({
    names: places.map(nameOf),
    values: Float64Array.from(places, (i) => host.values[i]),
    marks: Uint8Array.from(
      places,
      (i) =>
        (host.fractional[i] === 1 ? IS_FRACTIONAL : 0) |
        (host.kinds[i] === GAUGE ? IS_GAUGE : 0),
    ),
    times: new Map(),
    recorded,
    descriptions: host.descriptions,
    process,
    unknowns: places.filter((i) => host.kinds[i] === UNKNOWN).map(nameOf),
  }, true);
}
