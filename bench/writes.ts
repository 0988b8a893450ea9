/**
 * What does a call of `incr`, `set` or `record` cost?
 *
 * @module
 */

import { median } from "./race.ts";
import { runJson } from "./child.ts";
import { atMost, duration, ratioText, type Row, type Table } from "./table.ts";
import type { WritesCase } from "./writes_case.ts";

/** In how many processes each case is measured: code comes out differently in each. */
const PROCESSES = 5;

const CASES = [
  { label: "1 stat", args: ["1", "order"] },
  { label: "100 stats in order", args: ["100", "order"] },
  { label: "100 stats at random", args: ["100", "random"] },
  { label: "10 000 stats in order", args: ["10000", "order"] },
  { label: "10 000 stats at random", args: ["10000", "random"] },
];

const LIMITS: Record<string, number> = {
  "handle.incr()": 1.5,
  "handle.incr(v)": 1.5,
  "handle.record(v)": 3,
  "incr(name)": 1.5,
  "incr(name, v)": 1.5,
};

function rows(label: string, runs: WritesCase[]): Row[] {
  return Object.keys(runs[0]).map((what) => {
    const of = (key: "ns" | "floorNs" | "ratio") =>
      runs.map((run) => run[what][key]);
    const ratio = median(of("ratio"));
    return {
      what: `${what}, ${label}`,
      values: [
        duration(median(of("ns")) / 1e6),
        duration(median(of("floorNs")) / 1e6),
        ratioText(ratio),
        `${ratioText(Math.min(...of("ratio")))} - ${
          ratioText(Math.max(...of("ratio")))
        }`,
      ],
      target: what in LIMITS ? atMost(ratio, LIMITS[what]) : undefined,
    };
  });
}

/** Measures writes to 1, 100 and 10 000 stats. */
export async function writes(): Promise<Table> {
  const runs: WritesCase[][] = CASES.map(() => []);
  for (let i = 0; i < PROCESSES; i++) {
    for (const [at, { args }] of CASES.entries()) {
      runs[at].push(await runJson<WritesCase>("writes_case.ts", args));
    }
  }
  return {
    question: "1. What does a write cost?",
    notes: [
      "Time per call. The floor is view[places[i]] += 1 in shared memory,",
      "with a name view[map.get(names[i])] += 1. The first row of each case shows a",
      "faster floor: V8 adds whole numbers as integers with +=, as doubles with ++.",
    ],
    columns: ["statvent", "floor", "ratio", "processes"],
    rows: CASES.flatMap(({ label }, at) => rows(label, runs[at])),
  };
}
