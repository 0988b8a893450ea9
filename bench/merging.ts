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

/** How many snapshots of each process there are, read in turn: no two alike in a row. */
const TURNS = 4;

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
  const valuesOf = (process: number, turn = 0) =>
    values.slice(STATS * process, STATS * (process + 1))
      .map((value) => value + turn);
  const all = Array.from({ length: processes }, (_, process) => process);
  const ours = names(STATS, (i) => `http.requests.${i}`);
  const theirs = names(STATS, (i) => `http_requests_${i}`);
  const turns = Array.from(
    { length: TURNS },
    (_, turn) =>
      all.map((process) => snapshotOf(ours, valuesOf(process, turn))),
  );
  const [snapshots] = turns;
  const parsed = await Promise.all(
    all.map((process) => jsonOf(theirs, valuesOf(process))),
  );
  const texts = parsed.map((json) => JSON.stringify(json));
  const decoder = new TextDecoder();

  // As a collector does: each process has a parser, which is kept.
  const table = new NameTable();
  const parsers = all.map(() => new SnapshotParser(table));
  let turn = 0;

  const result = await race({
    floor: () =>
      snapshots.reduce(
        (lines, bytes) => lines + decoder.decode(bytes).split("\n").length,
        0,
      ),
    "parse and merge": () => {
      const snapshots = turns[turn++ % TURNS];
      const live = parsers.map((parser, i) => parser.parse(snapshots[i]));
      return merge({ table, live }).ids.length;
    },
    aggregate: () =>
      AggregatorRegistry.aggregate(parsed).getMetricsAsArray().length,
    "parse and aggregate": () =>
      AggregatorRegistry.aggregate(texts.map((text) => JSON.parse(text)))
        .getMetricsAsArray().length,
  }, { rounds: 25, warmUp: 8 });
  return (["aggregate", "parse and aggregate"] as const).map((peer) => {
    const ratio = result.ratio("parse and merge", peer);
    const isTarget = peer === "aggregate" && processes === 64;
    return {
      what: `${processes} processes, against ${peer}`,
      values: [
        duration(result.ms("parse and merge")),
        duration(result.ms("floor")),
        duration(result.ms(peer)),
        ratioText(ratio),
      ],
      target: isTarget
        ? { ...atMost(ratio, 1 / 3)!, text: "≤ 1/3" }
        : undefined,
    };
  });
}

/** Measures merges of 8 and of 64 processes. */
export async function merging(): Promise<Table> {
  return {
    question: `3. What does a merge of snapshots of ${STATS} counters cost?`,
    notes: [
      "statvent parses bytes, others in each round, and merges. The floor decodes the",
      "bytes and splits them into lines. prom-client's AggregatorRegistry.aggregate() is",
      "given what is parsed already, then, for a fair comparison, what JSON.parse() must",
      "read first.",
    ],
    columns: ["statvent", "floor", "prom-client", "ratio"],
    rows: [...await measure(8), ...await measure(64)],
  };
}
