/**
 * Shows the counts and the sums of distributions among the stats of a host.
 *
 * Pure: no clock, no I/O.
 *
 * @module
 */

import type { HostDistribution, HostStats } from "../collect/host_stats.ts";
import { derivedName } from "../model/derived_name.ts";
import { countOf } from "../model/histogram.ts";
import { COUNTER, GAUGE } from "../model/kinds.ts";
import { add } from "../model/numbers.ts";

/** A stat that is added, and the place in the host's columns before which it stands. */
interface Added {
  readonly before: number;
  readonly id: number;
  readonly value: number;
  readonly fractional: boolean;
  readonly kind: number;
}

/**
 * Adds the count and the sum of all values of each distribution, behind its
 * percentiles. A name that a stat has stays as it is.
 */
export function withCountsAndSums(host: HostStats): HostStats {
  const full = host.recorded.filter(({ histogram }) => histogram !== undefined);
  if (full.length === 0) return host;
  const { table } = host;
  const places = new Map<number, number>();
  for (let i = 0; i < host.ids.length; i++) places.set(host.ids[i], i);
  const added: Added[] = [];
  for (const stat of full) {
    const { name } = stat;
    const histogram = stat.histogram!;
    const before = endOf(host, stat, places);
    const labelled = table.labelled(table.idOf(name));
    for (const label of ["count", "sum"] as const) {
      const id = table.idOf(derivedName(name, labelled, label));
      if (places.has(id)) continue;
      places.set(id, before);
      added.push({
        before,
        id,
        ...(label === "count"
          ? { value: countOf(histogram), fractional: false, kind: COUNTER }
          : {
            value: add(histogram.sum, 0),
            fractional: stat.fractional,
            kind: histogram.min < 0 ? GAUGE : COUNTER,
          }),
      });
    }
  }
  return added.length === 0 ? host : insert(host, added);
}

/** The place behind what a distribution shows. */
function endOf(
  { table, ids }: HostStats,
  { percentiles, mean }: HostDistribution,
  places: ReadonlyMap<number, number>,
): number {
  const names = percentiles.map(([, name]) => name);
  if (mean !== undefined) names.push(mean);
  let end = -1;
  for (const name of names) {
    end = Math.max(end, places.get(table.idOf(name)) ?? -1);
  }
  return end === -1 ? ids.length : end + 1;
}

function insert(host: HostStats, added: Added[]): HostStats {
  added.sort((a, b) => a.before - b.before);
  const count = host.ids.length + added.length;
  const ids = new Int32Array(count);
  const values = new Float64Array(count);
  const fractional = new Uint8Array(count);
  const kinds = new Uint8Array(count);
  let from = 0;
  let to = 0;
  const copy = (end: number) => {
    ids.set(host.ids.subarray(from, end), to);
    values.set(host.values.subarray(from, end), to);
    fractional.set(host.fractional.subarray(from, end), to);
    kinds.set(host.kinds.subarray(from, end), to);
    to += end - from;
    from = end;
  };
  for (const stat of added) {
    copy(stat.before);
    ids[to] = stat.id;
    values[to] = stat.value;
    fractional[to] = stat.fractional ? 1 : 0;
    kinds[to++] = stat.kind;
  }
  copy(host.ids.length);
  return { ...host, ids, values, fractional, kinds };
}
