/**
 * How much memory does a recorder need?
 *
 * @module
 */

import { Child } from "./child.ts";
import { median } from "./race.ts";
import type { Row, Table } from "./table.ts";
import { type MemoryUse, memoryUse } from "./usage.ts";

const RUNS = 7;
const STATS = 100;
const READS = 100;

interface Measured {
  readonly empty: MemoryUse[];
  readonly counting: MemoryUse[];
  readonly recording: MemoryUse[];
  readonly read: MemoryUse[];
}

async function measure(pipeDir: string): Promise<Measured> {
  const measured: Measured = {
    empty: [],
    counting: [],
    recording: [],
    read: [],
  };
  for (let run = 0; run < RUNS; run++) {
    for (const kind of ["empty", "counting", "recording"] as const) {
      await using child = new Child("program.ts", [kind, pipeDir, `${STATS}`]);
      const path = await child.receive();
      measured[kind].push(await memoryUse(child.pid));
      if (kind !== "recording") continue;
      for (let i = 0; i < READS; i++) await Deno.readFile(path);
      measured.read.push(await memoryUse(child.pid));
    }
  }
  return measured;
}

/** Measures the resident size of small programs. */
export async function memory(): Promise<Table> {
  const pipeDir = await Deno.makeTempDir();
  const { empty, counting, recording, read } = await measure(pipeDir)
    .finally(() => Deno.remove(pipeDir, { recursive: true }));
  const row = (
    what: string,
    uses: MemoryUse[],
    floors: MemoryUse[],
    limit?: number,
  ): Row => {
    const mid = (uses: MemoryUse[], key: keyof MemoryUse) =>
      median(uses.map((use) => use[key]));
    const more = mid(uses, "resident") - mid(floors, "resident");
    const anonymous = mid(uses, "anonymous") - mid(floors, "anonymous");
    return {
      what,
      values: [
        `${mid(uses, "resident").toFixed(1)} MB`,
        `${mid(floors, "resident").toFixed(1)} MB`,
        `+${more.toFixed(1)} MB`,
        `+${anonymous.toFixed(1)} MB`,
      ],
      target: limit === undefined
        ? undefined
        : { text: `< ${limit} MB`, met: more < limit },
    };
  };
  return {
    question: "6. How much memory does a recorder need?",
    notes: [
      `Resident size of a small program with ${STATS} counters, median of ${RUNS} runs.`,
      "What is not anonymous is the runtime's own code, shared by all its processes.",
    ],
    columns: ["statvent", "floor", "more", "of that anonymous"],
    rows: [
      row("counts; floor: does nothing", counting, empty),
      row("counts and records; floor: counts", recording, counting, 25),
      row(`after ${READS} reads`, read, counting, 25),
    ],
  };
}
