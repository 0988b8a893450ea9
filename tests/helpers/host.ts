/**
 * Small hosts, for the tests of what Prometheus reads.
 *
 * @module
 */

import {
  countStates,
  type HostDistribution,
  type HostStats,
  type ProcessState,
} from "../../collect/host_stats.ts";
import { NameTable } from "../../format/snapshot.ts";
import type { Description } from "../../model/descriptions.ts";
import {
  addHistogram,
  emptyHistogram,
  type Histogram,
  SCALE,
} from "../../model/histogram.ts";
import {
  COUNTER,
  GAUGE,
  type Kind,
  SHOWN,
  UNKNOWN,
} from "../../model/kinds.ts";

export { COUNTER, GAUGE, SHOWN, UNKNOWN };

/** A stat: its name, kind and value. */
export type PlainStat = readonly [name: string, kind: Kind, value: number];

/** What is on a host. */
export interface HostInput {
  stats?: readonly PlainStat[];
  recorded?: readonly HostDistribution[];
  descriptions?: Readonly<Record<string, Description>>;
  processes?: readonly ProcessState[];
}

/** Makes a host. */
export function makeHost(
  { stats = [], recorded = [], descriptions = {}, processes = [] }: HostInput,
): HostStats {
  const table = new NameTable();
  return {
    table,
    ids: Int32Array.from(stats, ([name]) => table.idOf(name)),
    values: Float64Array.from(stats, ([, , value]) => value),
    fractional: Uint8Array.from(
      stats,
      ([, , value]) => Number.isInteger(value) ? 0 : 1,
    ),
    kinds: Uint8Array.from(stats, ([, kind]) => kind),
    recorded,
    descriptions: new Map(Object.entries(descriptions)),
    processes: processes.map((state, i) => ({
      pid: i + 1,
      name: undefined,
      runtime: undefined,
      start: undefined,
      state,
      age: undefined,
      stalled: undefined,
      error: undefined,
    })),
  };
}

/** As many processes in some states, and none in the others. */
export function inStates(
  counts: Partial<Record<ProcessState, number>>,
): Record<ProcessState, number> {
  return { ...countStates([]), ...counts };
}

/** The histogram of some values. */
export function histogramOf(
  values: readonly number[],
  scale = SCALE,
): Histogram {
  const histogram = emptyHistogram(scale);
  for (const value of values) {
    const one = emptyHistogram(scale);
    one.sum = one.min = one.max = value;
    if (value === 0) one.zeros = 1;
    else {
      const index = Math.ceil(Math.log2(Math.abs(value)) * 2 ** scale) - 1;
      one[value > 0 ? "positive" : "negative"].set(index, 1);
    }
    addHistogram(histogram, one);
  }
  return histogram;
}

/** A recorded stat with these values. */
export function recordedOf(
  name: string,
  values: readonly number[],
  {
    histogram = histogramOf(values) as Histogram | undefined,
    percentiles = [50, 95, 99, 100],
  } = {},
): HostDistribution {
  return {
    name,
    percentiles: percentiles.map((p) => [p, `${name} ${p}`]),
    mean: `${name} mean`,
    window: Float64Array.from(values).sort(),
    fractional: !values.every(Number.isInteger),
    histogram,
  };
}

/** The same without a histogram. */
export function withoutHistogram(
  name: string,
  values: readonly number[],
): HostDistribution {
  return { ...recordedOf(name, values), histogram: undefined };
}

/** Headers by which the forms are asked for. */
export function accept(
  format: "text" | "openmetrics" | "protobuf",
  escaping = "underscores",
): string {
  return {
    text: `text/plain;version=1.0.0;escaping=${escaping}`,
    openmetrics:
      `application/openmetrics-text;version=1.0.0;escaping=${escaping}`,
    protobuf:
      `application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;escaping=${escaping}`,
  }[format];
}
