/**
 * Measures the merge of the snapshots of a host's processes into one text.
 *
 * @module
 */

import { integers, names } from "./inputs.ts";
import { type Measured, say } from "./measured.ts";
import { openTelemetry } from "./peers.ts";
import { once, type Pass, versus } from "./versus.ts";
import type { HostStats } from "../collect/host_stats.ts";
import { merge } from "../collect/merge.ts";
import { NameTable } from "../format/snapshot.ts";
import { SnapshotParser } from "../format/snapshot_parser.ts";
import { PrometheusExposition } from "../prometheus/exposition.ts";

const STATS = 1_000;

/** The number of successive reads, each with other values. */
const READS = 4;

const encoder = new TextEncoder();
const decoder = new TextDecoder();

const ours = names(STATS, (i) => `http.requests.${i}`);
const theirs = names(STATS, (i) => `http_requests_${i}`);

/** The snapshots that statvent reads from a process. */
function snapshotOf(values: readonly number[]) {
  const lines = ours.map((name, i) => `${name}: ${values[i]}\n`).join("");
  return encoder.encode(`${lines}# EOF: ${encoder.encode(lines).length}\n`);
}

/** Makes a function that parses and merges all processes, with other values each time. */
function parseAndMergeOf(
  reads: readonly (readonly Uint8Array<ArrayBuffer>[])[],
): () => HostStats {
  // A service keeps one parser per process, which knows its previous snapshot.
  const table = new NameTable();
  const parsers = reads[0].map(() => new SnapshotParser(table));
  let read = 0;
  return () => {
    const bytes = reads[read++ % reads.length];
    const live = parsers.map((parser, i) => parser.parse(bytes[i]));
    return merge({ table, live });
  };
}

/** Makes the work of prom-client's primary, which aggregates its workers' messages. */
async function aggregateOf(all: readonly (readonly number[])[]) {
  const { AggregatorRegistry, Counter, Registry } = await import("prom-client");
  const texts = await Promise.all(all.map(async (values) => {
    const registry = new Registry();
    theirs.forEach((name, i) =>
      new Counter({ name, help: "Requests", registers: [registry] })
        .inc(values[i])
    );
    return JSON.stringify(await registry.getMetricsAsJSON());
  }));
  return () =>
    AggregatorRegistry.aggregate(texts.map((text) => JSON.parse(text)));
}

/** Makes the work of OpenTelemetry, which writes the stats of all processes. */
async function serializeOf(processes: number): Promise<Pass> {
  const { PrometheusSerializer } = await import(
    "@opentelemetry/exporter-prometheus"
  );
  const { meter, reader } = await openTelemetry();
  for (const name of theirs) {
    const counter = meter.createCounter(name);
    for (let process = 0; process < processes; process++) {
      counter.add(1, { process });
    }
  }
  const { resourceMetrics } = await reader.collect();
  const serializer = new PrometheusSerializer();
  return once(() => serializer.serialize(resourceMetrics).length);
}

async function measure(processes: number): Promise<Measured[]> {
  const values = integers(STATS * processes);
  const all = Array.from(
    { length: processes },
    (_, process) => values.slice(STATS * process, STATS * (process + 1)),
  );
  const reads = Array.from(
    { length: READS },
    (_, read) =>
      all.map((values) => snapshotOf(values.map((value) => value + read))),
  );
  const parseAndMerge = parseAndMergeOf(reads);
  const exposition = new PrometheusExposition();
  const floor = once(() =>
    reads[0].reduce(
      (lines, bytes) => lines + decoder.decode(bytes).split("\n").length,
      0,
    )
  );
  const label = `${processes} snapshots of ${STATS} stats`;
  const effort = { rounds: 25, warmUp: 8 };
  return [
    await versus(`parse and merge ${label}`, {
      statvent: once(() => parseAndMerge().ids.length),
      floor,
      peers: {
        "prom-client: JSON.parse, aggregate": async () => {
          const aggregate = await aggregateOf(all);
          return once(() => aggregate().getMetricsAsArray().length);
        },
      },
    }, effort),
    await versus(`parse, merge and write ${label}`, {
      statvent: once(() =>
        exposition.respond(parseAndMerge(), "text/plain", []).body.length
      ),
      floor,
      peers: {
        "prom-client: JSON.parse, aggregate, metrics": async () => {
          const aggregate = await aggregateOf(all);
          return once(async () => (await aggregate().metrics()).length);
        },
        "OpenTelemetry's serializer": () => serializeOf(processes),
      },
    }, effort),
  ];
}

say([...await measure(8), ...await measure(64)]);
