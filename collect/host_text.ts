/**
 * Writes the stats of a host in the format of the pipe.
 *
 * Pure: no clock, no I/O.
 *
 * @module
 */

import { Exposition, type RecordedSource } from "../format/snapshot_writer.ts";
import { GAUGE, type HostStats, SHOWN, UNKNOWN } from "./host_stats.ts";
import type { ProcessInfo } from "../model/names.ts";
import { FRACTIONAL, GAUGE as GAUGE_MARK } from "../slab/layout.ts";

/**
 * Writes a snapshot that says of a whole host what a pipe says of one process,
 * so that it can be merged like one.
 *
 * @param process Who says it.
 * @returns The bytes.
 */
export function toText(
  host: HostStats,
  process?: ProcessInfo,
): Uint8Array<ArrayBuffer> {
  const places: number[] = [];
  for (let i = 0; i < host.ids.length; i++) {
    // Written with the recorded stat that they show.
    if (host.kinds[i] !== SHOWN) places.push(i);
  }
  const nameOf = (i: number) => host.names[host.ids[i]];
  const recorded = new Map<string, RecordedSource>();
  for (const stat of host.recorded) {
    const { name, percentiles, mean, window, fractional, histogram } = stat;
    recorded.set(name, {
      description: { name, percentiles, mean },
      fractional,
      sorted: () => window,
      histogram: () => histogram,
    });
  }
  return new Exposition().write({
    names: places.map(nameOf),
    values: Float64Array.from(places, (i) => host.values[i]),
    marks: Uint8Array.from(
      places,
      (i) =>
        (host.fractional[i] === 1 ? FRACTIONAL : 0) |
        (host.kinds[i] === GAUGE ? GAUGE_MARK : 0),
    ),
    times: new Map(),
    recorded,
    descriptions: host.descriptions,
    process,
    unknowns: places.filter((i) => host.kinds[i] === UNKNOWN).map(nameOf),
  }, true);
}
