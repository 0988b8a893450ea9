/**
 * Measures the writing of the answer to Prometheus.
 *
 * @module
 */

import { integers, names } from "./inputs.ts";
import { say } from "./measured.ts";
import { once, versus } from "./versus.ts";
import type { HostDistribution, HostStats } from "../collect/host_stats.ts";
import { NameTable } from "../format/snapshot.ts";
import { emptyHistogram } from "../model/histogram.ts";
import { COUNTER, GAUGE } from "../model/kinds.ts";
import { PrometheusExposition } from "../prometheus/exposition.ts";

const COUNT = 10_000;
const RECORDED = 1000;

/** The `Accept` headers, and the names of their formats in the table. */
const ACCEPTS = {
  text: "text/plain;version=0.0.4",
  OpenMetrics: "application/openmetrics-text;version=1.0.0",
  protobuf:
    "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited",
};

function recordedStat(
  name: string,
  values: readonly number[],
): HostDistribution {
  const histogram = emptyHistogram();
  for (const value of values) {
    const index = Math.ceil(Math.log2(value + 1) * 2 ** histogram.scale) - 1;
    const { positive } = histogram;
    positive.set(index, (positive.get(index) ?? 0) + 1);
    histogram.sum += value + 1;
  }
  return {
    name,
    percentiles: [[50, "median"], [95, "95th"], [99, "99th"], [100, "100th"]],
    mean: "mean",
    window: Float64Array.from(values).sort(),
    fractional: false,
    histogram,
  };
}

function host(
  count: number,
  recorded: readonly HostDistribution[],
): HostStats {
  return {
    table: new NameTable(names(count, (i) => `http.requests.${i}`)),
    ids: Int32Array.from({ length: count }, (_, i) => i),
    values: Float64Array.from(integers(count)),
    fractional: new Uint8Array(count),
    kinds: Uint8Array.from(
      { length: count },
      (_, i) => i % 2 === 0 ? COUNTER : GAUGE,
    ),
    recorded,
    descriptions: new Map(),
    processes: [],
  };
}

const values = integers(COUNT);
const plain = host(COUNT, []);
const recorded = host(
  0,
  names(RECORDED, (i) => `db.${i}.{0}.ms`).map((name, i) =>
    recordedStat(name, values.slice(9 * i, 9 * i + 100))
  ),
);

const { Counter, Registry } = await import("prom-client");
const registry = new Registry();
names(COUNT, (i) => `http_requests_${i}`).forEach((name, i) =>
  new Counter({ name, help: "Requests", registers: [registry] }).inc(values[i])
);

/** The bytes of a finished answer, which need only be copied. */
const bytes = new PrometheusExposition().respond(plain, ACCEPTS.text, []).body
  .slice();
const target = new Uint8Array(bytes.length);

function scrape(what: string, host: HostStats, accept: string) {
  const exposition = new PrometheusExposition();
  return versus(`write ${what}`, {
    statvent: once(() => exposition.respond(host, accept, []).body.length),
    floor: once(() => {
      target.set(bytes);
      return target[0];
    }),
    peers: {
      [`prom-client, ${COUNT} counters`]: () =>
        once(async () => (await registry.metrics()).length),
    },
  }, { rounds: 21, warmUp: 5 });
}

say([
  await scrape(`${COUNT} stats as text`, plain, ACCEPTS.text),
  await scrape(`${COUNT} stats as OpenMetrics`, plain, ACCEPTS.OpenMetrics),
  await scrape(`${COUNT} stats as protobuf`, plain, ACCEPTS.protobuf),
  await scrape(`${RECORDED} recorded stats as text`, recorded, ACCEPTS.text),
  await scrape(
    `${RECORDED} recorded stats as protobuf`,
    recorded,
    ACCEPTS.protobuf,
  ),
]);
