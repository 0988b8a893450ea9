/**
 * Families of which every series is split by the parts of a host that have it,
 * such as its processes.
 *
 * Pure: no clock, no I/O.
 *
 * @module
 */

import type { HostDistribution, HostStats } from "../collect/host_stats.ts";
import { SHOWN } from "../model/kinds.ts";
import type { Family, LabelPair, Series } from "./families.ts";
import { escapeName } from "./names.ts";
import type { Escaping } from "./negotiate.ts";

/** A part of a host, with the labels that tell it from the others. */
export interface HostPart {
  readonly labels: Readonly<Record<string, string>>;
  /** Its stats, by the table of the whole host. */
  readonly host: HostStats;
}

/** How many series all parts have together, by default. */
export const MAX_SERIES = 50_000;

/**
 * How many series a distribution counts as: quantiles, sums, counts and about
 * 40 buckets. Their real number changes from one scrape to the next, and so
 * would what is left out.
 */
const DISTRIBUTION_SERIES = 50;

/** What is shown of each part. */
export interface Shares {
  /** For each part, how many of its stats are shown, those that are no series included. */
  readonly plain: readonly number[];
  /** For each part, how many of its distributions are shown. */
  readonly recorded: readonly number[];
  /** How many series are left out. */
  readonly leftOut: number;
}

/** The parts with those of their distributions only that the host shows. */
export function shownParts(
  { recorded }: HostStats,
  parts: readonly HostPart[],
): HostPart[] {
  const names = new Set(recorded.map(({ name }) => name));
  return parts.map(({ labels, host }) => ({
    labels,
    host: {
      ...host,
      recorded: host.recorded.filter(({ name }) => names.has(name)),
    },
  }));
}

/**
 * Shares a number of series out to parts: all get as many at most, so that one
 * part with very many does not take those of others. Of its own, a part keeps
 * the ones that were seen first, which stay as others come.
 *
 * @param host The whole host.
 * @param parts Its parts, of which it shows all distributions.
 * @param max How many series there may be.
 */
export function shareOut(
  host: HostStats,
  parts: readonly HostPart[],
  max: number,
): Shares {
  const isShown = new Uint8Array(host.table.names.length);
  for (let i = 0; i < host.ids.length; i++) {
    if (host.kinds[i] !== SHOWN) isShown[host.ids[i]] = 1;
  }
  const sizes = parts.map(({ host: { ids, recorded } }) => {
    let size = recorded.length * DISTRIBUTION_SERIES;
    for (let i = 0; i < ids.length; i++) size += isShown[ids[i]];
    return size;
  });
  const share = shareOf(sizes, max);
  let leftOut = 0;
  const plain: number[] = [];
  const recorded: number[] = [];
  for (const [part, { host }] of parts.entries()) {
    const { ids } = host;
    let room = share;
    let count = 0;
    for (; count < ids.length; count++) {
      if (isShown[ids[count]] === 0) continue;
      if (room < 1) break;
      room--;
    }
    const distributions = Math.min(
      Math.floor(room / DISTRIBUTION_SERIES),
      host.recorded.length,
    );
    plain.push(count);
    recorded.push(distributions);
    room -= distributions * DISTRIBUTION_SERIES;
    if (share < Infinity) leftOut += sizes[part] - (share - room);
  }
  return { plain, recorded, leftOut };
}

/** How much each may have at most, so that all together have no more than `max`. */
function shareOf(sizes: readonly number[], max: number): number {
  let rest = max;
  for (const [i, size] of sizes.toSorted((a, b) => a - b).entries()) {
    const share = Math.floor(rest / (sizes.length - i));
    if (size > share) return share;
    rest -= size;
  }
  return Infinity;
}

/** The values of all parts, one part after the other. */
export function joinValues(parts: readonly HostPart[]): Float64Array {
  const length = parts.reduce((sum, { host }) => sum + host.ids.length, 0);
  const values = new Float64Array(length);
  let offset = 0;
  for (const { host } of parts) {
    values.set(host.values, offset);
    offset += host.ids.length;
  }
  return values;
}

/** The distributions of all parts, one part after the other. */
export function joinRecorded(parts: readonly HostPart[]): HostDistribution[] {
  return parts.flatMap(({ host }) => host.recorded);
}

/** The labels that tell parts apart. Stats have none of them, whatever parts there are. */
const PART_LABELS = ["process", "pid", "process_instance"];

/** The escaped names of the labels that tell parts apart. */
export function reservedLabels(escaping: Escaping): Set<string> {
  return new Set(PART_LABELS.map((name) => escapeName(name, escaping)));
}

/** A series of one part: the part, and the index of its value or distribution. */
type Place = readonly [part: number, index: number];

/** Where the parts have each stat and each distribution that is shown. */
class Places {
  readonly plain = new Map<number, Place[]>();
  readonly recorded = new Map<string, Place[]>();

  constructor(parts: readonly HostPart[], shares: Shares) {
    let offset = 0;
    let recordedOffset = 0;
    for (const [part, { host: { ids, recorded } }] of parts.entries()) {
      for (let i = 0; i < shares.plain[part]; i++) {
        add(this.plain, ids[i], [part, offset + i]);
      }
      for (const [i, { name }] of recorded.entries()) {
        if (i === shares.recorded[part]) break;
        add(this.recorded, name, [part, recordedOffset + i]);
      }
      offset += ids.length;
      recordedOffset += recorded.length;
    }
  }
}

function add<K>(places: Map<K, Place[]>, key: K, place: Place): void {
  const others = places.get(key);
  if (others === undefined) places.set(key, [place]);
  else others.push(place);
}

/**
 * Splits the series of families. Names and types stay those of the whole host,
 * so that the sums over the parts are what it has.
 *
 * @param families The families of the whole host.
 * @param host The whole host.
 * @param parts Its parts.
 * @param shares What is shown of them.
 * @returns The families. The indices of their series are those of the joined
 * values and distributions of the parts; own values come after those of parts.
 */
export function splitFamilies(
  families: readonly Family[],
  host: HostStats,
  parts: readonly HostPart[],
  shares: Shares,
  escaping: Escaping,
): Family[] {
  const places = new Places(parts, shares);
  const recorded = joinRecorded(parts);
  const firstOwn = parts.reduce((sum, { host }) => sum + host.ids.length, 0);
  const labelsOf = parts.map(({ labels }) =>
    Object.entries(labels).map(([name, value]): LabelPair => [
      escapeName(name, escaping),
      value,
    ])
  );
  const split = ({ type }: Family, { labels, index }: Series): Series[] => {
    const isRecorded = type === "summary" || type === "histogram";
    if (!isRecorded && index >= host.ids.length) {
      return [{ labels, index: index - host.ids.length + firstOwn }];
    }
    const all = isRecorded
      ? places.recorded.get(host.recorded[index].name)
      : places.plain.get(host.ids[index]);
    return (all ?? [])
      .filter(([, index]) =>
        type !== "histogram" || recorded[index].histogram !== undefined
      )
      .map(([part, index]) => ({
        labels: [...labels, ...labelsOf[part]]
          .sort(([a], [b]) => a < b ? -1 : 1),
        index,
        part,
      }));
  };
  return families
    .map((family) => ({
      ...family,
      series: family.series.flatMap((series) => split(family, series)),
    }))
    .filter(({ series }) => series.length > 0);
}
