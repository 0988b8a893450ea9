/**
 * Takes what was read apart, by processes or by their names.
 *
 * Pure: no clock, no I/O.
 *
 * @module
 */

import type { Collected } from "./collector.ts";
import { type HostStats, processName } from "./host_stats.ts";
import { merge, type MergeInput } from "./merge.ts";
import { parsePipeName } from "../directory/file_names.ts";
import type { EndedTotals } from "../ended/totals.ts";
import type { NameTable, Snapshot } from "../format/snapshot.ts";

/** What tells parts apart: processes, or their names. */
export type PartedBy = "name" | "process";

/** A part of what was read, to be merged by itself. */
export interface Part {
  /** `process`, and by processes also `pid` and `process_instance`. */
  readonly labels: Readonly<Record<string, string>>;
  readonly input: MergeInput;
}

/** A part that is being put together. */
interface DraftPart {
  readonly labels: Part["labels"];
  readonly table: NameTable | undefined;
  readonly live: Snapshot[];
  readonly ended: Snapshot[];
  readonly totals: EndedTotals[];
}

/** The name that stands for all processes that have ended. */
const ENDED = "ended";

/**
 * A part for each process or name, and one for all that have ended. Together
 * they have what the whole has.
 */
export function partsOf(read: Collected, by: PartedBy): Part[] {
  const { table, byBase, silent } = read;
  const totals = [...read.totals ?? []];
  const parts = new Map<string, DraftPart>();
  const partFor = (labels: Part["labels"]): DraftPart => {
    const key = JSON.stringify(labels);
    let part = parts.get(key);
    if (part === undefined) {
      part = { labels, table, live: [], ended: [], totals: [] };
      parts.set(key, part);
    }
    return part;
  };
  // A silent process will answer again: were it among those that have ended,
  // their sum would then fall.
  const isSilent = new Set(silent.map(({ snapshot }) => snapshot));
  const over = [...read.ended ?? []].filter((one) => !isSilent.has(one));
  if (over.length + totals.length > 0) {
    const part = partFor({ process: ENDED });
    part.ended.push(...over);
    part.totals.push(...totals);
  }
  for (const [base, snapshot] of byBase) {
    partFor(labelsOf(base, snapshot, by)).live.push(snapshot);
  }
  for (const { base, snapshot } of silent) {
    partFor(labelsOf(base, snapshot, by)).ended.push(snapshot);
  }
  return [...parts.values()].map(({ labels, ...input }) => ({ labels, input }));
}

/** How many times as many names a table must have as a part has stats for it to count as large. */
const LARGE_TABLE = 4;

/**
 * Merges a part. Where the parts have names of their own, each by a table of its
 * own: merging takes as long as the table is, which all parts together fill.
 */
export function mergePart({ input }: Part): HostStats {
  const { table, live, ended = [] } = input;
  let size = 0;
  for (const { ids } of [...live, ...ended]) size += ids.length;
  if (table === undefined || table.names.length < LARGE_TABLE * size) {
    return merge(input);
  }
  const { table: own, ...host } = merge({ ...input, table: undefined });
  const ids = host.ids.map((id) => table.idOf(own.names[id]));
  return { ...host, table, ids };
}

function labelsOf(
  base: string,
  { process }: Snapshot,
  by: PartedBy,
): Part["labels"] {
  const { pid, instance } = parsePipeName(`${base}.stats`) ?? {};
  // A pipe of any name names its process.
  const name = process?.name || (pid === undefined ? base : undefined);
  return {
    process: processName(name),
    ...(by === "process" && pid !== undefined && { pid: `${pid}` }),
    ...(by === "process" && instance !== undefined &&
      { process_instance: instance }),
  };
}
