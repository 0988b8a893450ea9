/**
 * Merges the snapshots of all processes into the stats of their host.
 *
 * Pure: no clock, no I/O.
 *
 * @module
 */

import type {
  HostDistribution,
  HostStats,
  ProcessStatus,
} from "./host_stats.ts";
import type { EndedTotals } from "../ended/totals.ts";
import {
  hasTotals,
  NameTable,
  type Snapshot,
  startOf,
} from "../format/snapshot.ts";
import type { Description } from "../model/descriptions.ts";
import { type GaugeMerge, mergeGauge } from "../model/gauge_merge.ts";
import {
  addHistogram,
  emptyHistogram,
  type Histogram,
} from "../model/histogram.ts";
import { COUNTER, GAUGE, type Kind, SHOWN, UNKNOWN } from "../model/kinds.ts";
import { add, roundingError } from "../model/numbers.ts";
import { mean, percentile, pool } from "../percentile.ts";

/** The input of {@linkcode merge}. */
export interface MergeInput {
  /** The ids of names in the result. Merging is faster if all snapshots use the same table. */
  readonly table?: NameTable;
  /** One snapshot of each process that is alive. */
  readonly live: Iterable<Snapshot>;
  /** Snapshots of processes that have ended. Only their counters and histograms count. */
  readonly ended?: Iterable<Snapshot>;
  /** Sums of processes that are no longer kept one by one. */
  readonly totals?: Iterable<EndedTotals>;
  /** How all stats of live processes merge, regardless of their descriptions. */
  readonly aggregate?: Exclude<GaugeMerge, "last">;
  /** The processes, which are passed on to the result. */
  readonly processes?: readonly ProcessStatus[];
}

// The bits that are kept of each id.
const IS_FRACTIONAL = 1;
const IS_SHOWN = 32;
/** Bit per kind, set if any process reports the stat as that kind. */
const KIND_BITS = [2, 4, 8, 16];

/** The kind of a stat, also if processes contradict each other. */
function prevailingKind(bits: number): Kind {
  if ((bits & KIND_BITS[GAUGE]) !== 0) return GAUGE;
  if ((bits & KIND_BITS[COUNTER]) !== 0) return COUNTER;
  return (bits & KIND_BITS[UNKNOWN]) !== 0 ? UNKNOWN : SHOWN;
}

/** The stats of the result while they are summed, by id. */
class Columns {
  readonly table: NameTable;
  sums: Float64Array;
  /** What rounding has taken from each sum. */
  rests: Float64Array;
  bits: Uint8Array;

  constructor(table: NameTable) {
    this.table = table;
    this.sums = new Float64Array(table.names.length);
    this.rests = new Float64Array(table.names.length);
    this.bits = new Uint8Array(table.names.length);
  }

  /** The id of a name, for which the columns have room. */
  idOf(name: string): number {
    const id = this.table.idOf(name);
    if (id >= this.sums.length) {
      const { sums, rests, bits } = this;
      this.sums = new Float64Array(2 * (id + 1));
      this.sums.set(sums);
      this.rests = new Float64Array(2 * (id + 1));
      this.rests.set(rests);
      this.bits = new Uint8Array(2 * (id + 1));
      this.bits.set(bits);
    }
    return id;
  }

  /** The ids of a snapshot's stats in the table of the result. */
  idsOf({ table, ids }: Snapshot): Int32Array {
    return table === this.table
      ? ids
      : ids.map((id) => this.idOf(table.names[id]));
  }

  add(id: number, value: number, bits: number): void {
    this.sum(id, value);
    this.bits[id] |= bits;
  }

  /** Adds a value, and keeps what rounding takes from it, as `addExactly` does. */
  sum(id: number, value: number): void {
    const before = this.sums[id];
    const sum = before + value;
    this.sums[id] = sum;
    const error = roundingError(before, value, sum);
    // Of whole numbers there is none.
    if (error !== 0) this.rests[id] += error;
  }

  /** The stats of which any process has reported a kind. */
  toStats(): Pick<HostStats, "ids" | "values" | "fractional" | "kinds"> {
    const { sums, rests, bits } = this;
    let count = 0;
    const ids = new Int32Array(bits.length);
    for (let id = 0; id < bits.length; id++) {
      if (bits[id] > IS_FRACTIONAL) ids[count++] = id;
    }
    const values = new Float64Array(count);
    const fractional = new Uint8Array(count);
    const kinds = new Uint8Array(count);
    for (let i = 0; i < count; i++) {
      const id = ids[i];
      // Clamped, since neither the pipe nor JSON has an infinity. The rest of an
      // infinite sum is no number.
      values[i] = add(sums[id], Number.isFinite(sums[id]) ? rests[id] : 0);
      fractional[i] = bits[id] & IS_FRACTIONAL;
      kinds[i] = prevailingKind(bits[id]);
    }
    return { ids: ids.subarray(0, count), values, fractional, kinds };
  }
}

/** Values of a gauge that is not summed, each with the time it was set, by how they merge. */
type Parts = Map<GaugeMerge, number[][]>;

/** A distribution, pooled from all processes that have it. */
interface Pool {
  readonly name: string;
  /** The percentile that each stat shows, by the stat's name. */
  readonly percentiles: Map<string, number>;
  /** The names of the stats that show the mean. */
  readonly means: Set<string>;
  readonly windows: Float64Array[];
  histogram: Histogram | undefined;
  fractional: boolean;
}

/**
 * Merges snapshots: counters are summed, gauges are merged as their
 * descriptions say, and percentiles are computed from all windows together.
 *
 * @example Two processes
 * ```ts
 * import { merge, toMap } from "@statvent/statvent/collect";
 * import { parseSnapshot } from "@statvent/statvent/format";
 * import { assertEquals } from "@std/assert";
 *
 * const read = (text: string) => parseSnapshot(new TextEncoder().encode(text));
 * const host = merge({ live: [read("a: 1\nb: 2\n"), read("b: 0.5\n")] });
 * assertEquals(toMap(host).get("b"), { value: 2.5, fractional: true });
 * ```
 *
 * @param input What to merge. It is not changed.
 * @returns The stats of the host.
 */
export function merge(input: MergeInput): HostStats {
  const { table = new NameTable(), aggregate } = input;
  const live = [...input.live];
  const ended = [...input.ended ?? []];
  const totals = [...input.totals ?? []];
  const columns = new Columns(table);
  const parts = new Map<number, Parts>();
  for (const snapshot of live) addLive(columns, snapshot, parts, aggregate);
  for (const [id, ways] of parts) addParts(columns, id, ways);
  // A minimum, a maximum or a mean is taken of live processes only.
  const isOfAll = aggregate === undefined || aggregate === "sum";
  if (isOfAll) { for (const snapshot of ended) addEnded(columns, snapshot); }
  const pools = new Map<string, Pool>();
  for (const snapshot of live) addRecorded(pools, snapshot, true);
  for (const snapshot of ended) addRecorded(pools, snapshot, false);
  for (const some of totals) {
    addTotals(pools, some);
    if (isOfAll) addCounters(columns, some);
  }
  const recorded = [...pools.values()].map((pool) =>
    showDistribution(columns, pool)
  );

  return {
    table,
    ...columns.toStats(),
    recorded,
    descriptions: describe(totals, ended, live),
    processes: input.processes ?? [],
    created: createdOf([...live, ...ended], totals),
  };
}

/** When the first of the processes has started, if all starts are known. */
function createdOf(
  snapshots: readonly Snapshot[],
  totals: readonly EndedTotals[],
): number | undefined {
  // Nobody has kept the starts of processes of which only sums are left.
  if (
    totals.some(({ counters, recorded }) => counters.size + recorded.size > 0)
  ) return undefined;
  let first = Infinity;
  for (const snapshot of snapshots) {
    if (!hasTotals(snapshot)) continue;
    const start = startOf(snapshot);
    if (start === undefined) return undefined;
    first = Math.min(first, start);
  }
  return first === Infinity ? undefined : first;
}

function describe(
  ...groups: Iterable<Pick<Snapshot, "descriptions">>[]
): Map<string, Description> {
  const all = new Map<string, Description>();
  for (const { descriptions } of groups.flatMap((group) => [...group])) {
    for (const [name, description] of descriptions) all.set(name, description);
  }
  return all;
}

/** Adds the stats of a process, and collects in `parts` what must not be summed. */
function addLive(
  columns: Columns,
  snapshot: Snapshot,
  parts: Map<number, Parts>,
  aggregate: MergeInput["aggregate"],
): void {
  const ids = columns.idsOf(snapshot);
  const { values, fractional, kinds, table } = snapshot;
  const { sums, rests, bits } = columns;
  const ways = waysOf(snapshot);
  const isPlain = ways.size === 0 && (aggregate ?? "sum") === "sum";
  for (let i = 0; i < ids.length; i++) {
    const id = ids[i];
    // A negative "counter" is a gauge.
    const kind = kinds[i] === COUNTER && values[i] < 0 ? GAUGE : kinds[i];
    if (kind === SHOWN) {
      // The value is computed from the pooled window, but whether it is
      // fractional is known from the line only.
      bits[id] |= fractional[i];
      continue;
    }
    bits[id] |= KIND_BITS[kind] | fractional[i];
    if (isPlain) {
      // As `columns.sum` does, which would take three times as long here.
      const before = sums[id];
      const value = values[i];
      const sum = before + value;
      sums[id] = sum;
      const error = roundingError(before, value, sum);
      if (error !== 0) rests[id] += error;
      continue;
    }
    const nameId = snapshot.ids[i];
    const way = aggregate ??
      (kind === GAUGE ? ways.get(table.labelled(nameId).family) : undefined);
    if (way === undefined || way === "sum") columns.sum(id, values[i]);
    else {
      let all = parts.get(id);
      if (all === undefined) parts.set(id, all = new Map());
      const lastSet = snapshot.lastSet.get(table.names[nameId]) ?? 0;
      const part = [values[i], lastSet];
      const others = all.get(way);
      if (others === undefined) all.set(way, [part]);
      else others.push(part);
    }
  }
}

/** The gauges of a process that are not summed, by name without labels, and how they merge. */
function waysOf({ descriptions }: Snapshot): Map<string, GaugeMerge> {
  const ways = new Map<string, GaugeMerge>();
  for (const [name, { merge = "sum" }] of descriptions) {
    if (merge !== "sum") ways.set(name, merge);
  }
  return ways;
}

/**
 * Adds the gauges of live processes that must not be summed. A description
 * holds for the values of its own process: one process's description never
 * changes another process's value.
 */
function addParts(columns: Columns, id: number, parts: Parts): void {
  for (const [way, values] of parts) {
    const value = mergeGauge(way, values);
    const bit = way === "mean" && !Number.isInteger(value) ? IS_FRACTIONAL : 0;
    columns.add(id, value, bit);
  }
}

function addEnded(columns: Columns, snapshot: Snapshot): void {
  const ids = columns.idsOf(snapshot);
  const { values, fractional, kinds } = snapshot;
  for (let i = 0; i < ids.length; i++) {
    if (kinds[i] !== COUNTER || values[i] < 0) continue;
    columns.add(ids[i], values[i], KIND_BITS[COUNTER] | fractional[i]);
  }
}

function poolOf(pools: Map<string, Pool>, name: string): Pool {
  let pool = pools.get(name);
  if (pool === undefined) {
    pool = {
      name,
      percentiles: new Map(),
      means: new Set(),
      windows: [],
      histogram: undefined,
      fractional: false,
    };
    pools.set(name, pool);
  }
  return pool;
}

function addRecorded(
  pools: Map<string, Pool>,
  { recorded }: Snapshot,
  isLive: boolean,
): void {
  for (const stat of recorded) {
    if (!isLive && stat.histogram === undefined) continue;
    const pool = addNames(pools, stat.description);
    if (isLive && stat.values !== undefined) pool.windows.push(stat.values);
    addTo(pool, stat.histogram, stat.fractional);
  }
}

function addNames(
  pools: Map<string, Pool>,
  { name, percentiles, mean }: Pick<
    HostDistribution,
    "name" | "percentiles" | "mean"
  >,
): Pool {
  const pool = poolOf(pools, name);
  if (mean !== undefined) pool.means.add(mean);
  for (const [p, name] of percentiles) pool.percentiles.set(name, p);
  return pool;
}

function addTo(
  pool: Pool,
  histogram: Histogram | undefined,
  fractional: boolean,
): void {
  pool.fractional ||= fractional;
  if (histogram === undefined) return;
  pool.histogram ??= emptyHistogram();
  addHistogram(pool.histogram, histogram);
}

function addCounters(columns: Columns, { counters }: EndedTotals): void {
  for (const [name, { value, rest, fractional }] of counters) {
    const bits = KIND_BITS[COUNTER] | (fractional ? IS_FRACTIONAL : 0);
    const id = columns.idOf(name);
    columns.add(id, value, bits);
    columns.rests[id] += rest;
  }
}

function addTotals(
  pools: Map<string, Pool>,
  { recorded }: EndedTotals,
): void {
  for (const { description, histogram, fractional } of recorded.values()) {
    addTo(addNames(pools, description), histogram, fractional);
  }
}

/** Adds the percentiles and the mean of a distribution to the stats, if it has a window. */
function showDistribution(columns: Columns, stat: Pool): HostDistribution {
  const { name, percentiles, means, windows, histogram, fractional } = stat;
  const window = pool(windows);
  if (window.length > 0) {
    for (const [name, p] of percentiles) {
      columns.add(columns.idOf(name), percentile(window, p), IS_SHOWN);
    }
    for (const name of means) {
      columns.add(columns.idOf(name), mean(window), IS_SHOWN);
    }
  }
  return {
    name,
    percentiles: [...percentiles].map(([name, p]) => [p, name] as const),
    mean: [...means][0],
    window,
    fractional,
    histogram,
  };
}
