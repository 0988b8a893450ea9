/**
 * What does a scrape by Prometheus cost the web service?
 *
 * @module
 */

import { Counter, Registry } from "prom-client";
import { emptyHistogram } from "../histogram.ts";
import {
  COUNTER,
  GAUGE,
  type HostStats,
  type Recorded,
} from "../host_stats.ts";
import { PrometheusExposition } from "../prometheus.ts";
import { integers, names } from "./inputs.ts";
import { race } from "./race.ts";
import { atMost, duration, ratioText, type Table } from "./table.ts";

const COUNT = 10_000;
const RECORDED = 1000;

/** How many scrapes statvent answers in a round. */
const BATCH = 10;

/** What is asked for, and what it is called in the table. */
const ACCEPTS = {
  text: "text/plain;version=0.0.4",
  OpenMetrics: "application/openmetrics-text;version=1.0.0",
  protobuf:
    "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited",
};

function recordedStat(name: string, values: readonly number[]): Recorded {
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
  recorded: readonly Recorded[],
): HostStats {
  return {
    names: names(count, (i) => `http.requests.${i}`),
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

/** Measures the answers for 10 000 counters and gauges, and 1 000 recorded stats. */
export async function metrics(): Promise<Table> {
  const values = integers(COUNT);
  const registry = new Registry();
  names(COUNT, (i) => `http_requests_${i}`).forEach((name, i) =>
    new Counter({ name, help: "Requests", registers: [registry] })
      .inc(values[i])
  );

  const plain = host(COUNT, []);
  const recorded = host(
    0,
    names(RECORDED, (i) => `db.${i}.{0}.ms`).map((name, i) =>
      recordedStat(name, values.slice(9 * i, 9 * i + 100))
    ),
  );
  const scrape = (host: HostStats, accept: string) => {
    const exposition = new PrometheusExposition();
    return () => {
      let length = 0;
      for (let i = 0; i < BATCH; i++) {
        length += exposition.respond(host, accept, []).body.length;
      }
      return length;
    };
  };
  const first = () =>
    new PrometheusExposition().respond(plain, ACCEPTS.text, []).body.length;

  const result = await race({
    text: scrape(plain, ACCEPTS.text),
    OpenMetrics: scrape(plain, ACCEPTS.OpenMetrics),
    protobuf: scrape(plain, ACCEPTS.protobuf),
    first,
    recorded: scrape(recorded, ACCEPTS.text),
    "recorded, protobuf": scrape(recorded, ACCEPTS.protobuf),
    "prom-client": async () => (await registry.metrics()).length,
  }, { rounds: 21, warmUp: 5 });

  const row = (
    what: string,
    name: keyof typeof result.times,
    batch: number,
    target?: number,
  ) => {
    const ratio = result.ratio(name, "prom-client") / batch;
    return {
      what,
      values: [
        duration(result.ms(name) / batch),
        duration(result.ms("prom-client")),
        ratioText(ratio),
      ],
      target: target === undefined
        ? undefined
        : { ...atMost(ratio, target)!, text: `≤ 1/${1 / target}` },
    };
  };
  return {
    question: "7. What does a scrape by Prometheus cost?",
    notes: [
      `The ratio is to prom-client's registry.metrics() of ${COUNT} counters.`,
      "What it takes to read and merge the pipes is not in it.",
    ],
    columns: ["statvent", "prom-client", "ratio"],
    rows: [
      row(`${COUNT} stats, text`, "text", BATCH, 1 / 10),
      row(`${COUNT} stats, OpenMetrics`, "OpenMetrics", BATCH),
      row(`${COUNT} stats, protobuf`, "protobuf", BATCH),
      row(`${COUNT} stats, text, the first time`, "first", 1),
      row(`${RECORDED} recorded stats, text`, "recorded", BATCH),
      row(
        `${RECORDED} recorded stats, protobuf`,
        "recorded, protobuf",
        BATCH,
      ),
    ],
  };
}
