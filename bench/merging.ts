/**
 * What does it cost to merge the snapshots of a host's processes?
 *
 * @module
 */

import { AggregatorRegistry, Counter, Registry } from "prom-client";
import { merge } from "../merge.ts";
import { NameTable, SnapshotParser } from "../snapshot.ts";
import { integers, names } from "./inputs.ts";
import { race } from "./race.ts";
import { atMost, duration, ratioText, type Row, type Table } from "./table.ts";

const STATS = 1_000;

/** How many reads follow one another, with other values each. */
const READS = 4;

const encoder = new TextEncoder();

/** What statvent reads from a process. */
function snapshotOf(names: readonly string[], values: readonly number[]) {
  const lines = names.map((name, i) => `${name}: ${values[i]}\n`).join("");
  const before = encoder.encode(lines).length;
  return encoder.encode(`${lines}# EOF: ${before}\n`);
}

/** What prom-client has when it has parsed what a worker sent. */
async function jsonOf(names: readonly string[], values: readonly number[]) {
  const registry = new Registry();
  names.forEach((name, i) =>
    new Counter({ name, help: "Requests", registers: [registry] })
      .inc(values[i])
  );
  return await registry.getMetricsAsJSON();
}

async function measure(processes: number): Promise<Row[]> {
  const values = integers(STATS * processes);
  const valuesOf = (process: number) =>
    values.slice(STATS * process, STATS * (process + 1));
  const all = Array.from({ length: processes }, (_, process) => process);
  const ours = names(STATS, (i) => `http.requests.${i}`);
  const theirs = names(STATS, (i) => `http_requests_${i}`);
  const reads = Array.from(
    { length: READS },
    (_, read) =>
      all.map((process) =>
        snapshotOf(ours, valuesOf(process).map((value) => value + read))
      ),
  );
  const [snapshots] = reads;
  // As a service has them: one for each process, which has read it before.
  const table = new NameTable();
  const parsers = all.map(() => new SnapshotParser(table));
  let read = 0;
  const parsed = await Promise.all(
    all.map((process) => jsonOf(theirs, valuesOf(process))),
  );
  const texts = parsed.map((json) => JSON.stringify(json));
  const decoder = new TextDecoder();

  const result = await race({
    floor: () =>
      snapshots.reduce(
        (lines, bytes) => lines + decoder.decode(bytes).split("\n").length,
        0,
      ),
    "parse and merge": () => {
      const bytes = reads[read++ % READS];
      const live = parsers.map((parser, i) => parser.parse(bytes[i]));
      return merge({ table, live }).ids.length;
    },
    aggregate: () =>
      AggregatorRegistry.aggregate(parsed).getMetricsAsArray().length,
    "parse and aggregate": () =>
      AggregatorRegistry.aggregate(texts.map((text) => JSON.parse(text)))
        .getMetricsAsArray().length,
  }, { rounds: 25, warmUp: 8 });
  return (["aggregate", "parse and aggregate"] as const).map((peer) => ({
    what: `${processes} processes, against ${peer}`,
    values: [
      duration(result.ms("parse and merge")),
      duration(result.ms("floor")),
      duration(result.ms(peer)),
      ratioText(result.ratio("parse and merge", peer)),
    ],
    target: atMost(
      result.ratio("parse and merge", peer),
      peer === "aggregate" ? 1 / 3 : 1 / 15,
    ),
  }));
}

/** Measures merges of 8 and of 64 processes. */
export async function merging(): Promise<Table> {
  return {
    question: `3. What does a merge of snapshots of ${STATS} counters cost?`,
    notes: [
      "statvent parses bytes, which have other values each time, and merges. The floor decodes the bytes and splits them",
      "into lines. prom-client's AggregatorRegistry.aggregate() is given what is",
      "parsed already, then, for a fair comparison, what JSON.parse() must read first.",
    ],
    columns: ["statvent", "floor", "prom-client", "ratio"],
    rows: [...await measure(8), ...await measure(64)],
  };
}
