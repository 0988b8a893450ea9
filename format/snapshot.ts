/**
 * A snapshot: all stats of a process at one moment.
 *
 * Pure: no clock, no I/O.
 *
 * @module
 */

import type { ParsedDistribution } from "./annotations.ts";
import type { Description } from "../model/descriptions.ts";
import type { LedgerInfo, ProcessInfo } from "../model/identity.ts";
import { type LabelledName, splitLabels } from "../model/labels.ts";
import { COUNTER } from "../model/kinds.ts";
import type { Stat } from "../model/numbers.ts";

/** Numbers names, so that data that belongs to names can stand in arrays. */
export class NameTable {
  /** The names by their ids. Only ever appended to. */
  readonly names: string[] = [];
  readonly #ids: Map<string, number> = new Map();
  // By id. Filled on demand, since many names are never taken apart.
  readonly #labelled: LabelledName[] = [];

  /**
   * Makes a table.
   *
   * @param names Names that get the first ids.
   */
  constructor(names: Iterable<string> = []) {
    for (const name of names) this.idOf(name);
  }

  /**
   * The id of a name: the next free one if it is new.
   *
   * @param name Any text.
   * @returns The id, from 0 on.
   */
  idOf(name: string): number {
    let id = this.#ids.get(name);
    if (id === undefined) {
      id = this.names.push(name) - 1;
      this.#ids.set(name, id);
    }
    return id;
  }

  /**
   * The family and the labels of a name, which is taken apart only once.
   *
   * @param id The id of the name.
   * @returns What {@linkcode splitLabels} makes of it.
   */
  labelled(id: number): LabelledName {
    return this.#labelled[id] ??= splitLabels(this.names[id]);
  }
}

/** Lines that a simple writer sends without a valid number. They count for nothing. */
export interface BadLines {
  /** How many there are. */
  readonly count: number;
  /** The first one, quoted. */
  readonly first: string;
}

/** Everything that a process sends in one read. */
export interface Snapshot {
  /** The stats by name. */
  readonly stats: Map<string, Stat>;
  /** Whether the writer sends annotations, and so marks the end of a snapshot. */
  readonly annotated: boolean;
  /** The names that the ids stand for. */
  readonly table: NameTable;
  /** The ids of the stats, in the order of their lines. */
  readonly ids: Int32Array;
  /** For each, its value: a finite number. */
  readonly values: Float64Array;
  /** For each, 1 if it has a decimal point. */
  readonly fractional: Uint8Array;
  /** The lines that were left out; `undefined` if there are none. */
  readonly bad?: BadLines | undefined;
  /** For each, its kind: 0 is a counter, 1 a gauge, 2 is not known, and 3 shows a recorded stat. */
  readonly kinds: Uint8Array;
  /** The distributions. */
  readonly recorded: readonly ParsedDistribution[];
  /** The descriptions of stats, by name without labels. */
  readonly descriptions: ReadonlyMap<string, Description>;
  /** When gauges that note it were last set, in seconds since 1970. */
  readonly lastSet: ReadonlyMap<string, number>;
  /** What rounding has taken from the values of counters that are sums, by name. */
  readonly rests: ReadonlyMap<string, number>;
  /** The number of the snapshot, which grows within a process; `undefined` if the writer sends none. */
  readonly seq: number | undefined;
  /** The identity and state of the process; `undefined` if the writer sends none. */
  readonly process: ProcessInfo | undefined;
  /** The identity of the ledger, if the snapshot is one. */
  readonly ledger: LedgerInfo | undefined;
}

/** Whether anything of a snapshot counts after the end of its process. */
export function hasTotals({ kinds, recorded }: Snapshot): boolean {
  return kinds.includes(COUNTER) ||
    recorded.some(({ histogram }) => histogram !== undefined);
}

/**
 * A time, in seconds since 1970, at which nothing of a snapshot had been counted
 * yet, if one is known: the start of its process, or of the first one in a
 * ledger.
 */
export function startOf({ process, ledger }: Snapshot): number | undefined {
  // A relay sums processes that are older than itself.
  const start = ledger !== undefined
    ? ledger.start
    : process?.relay
    ? undefined
    : process?.start;
  return start !== undefined && start > 0 ? start : undefined;
}

/** Thrown if bytes are not one whole snapshot. */
export class SnapshotError extends SyntaxError {
  /** `"SnapshotError"`. */
  override name = "SnapshotError";
  /** Whether the writer sends annotations, as far as the bytes tell. */
  readonly annotated: boolean;
  /**
   * Whether the bytes look like a part of a snapshot. Two readers that open a
   * pipe at the same time each get a part, so a torn snapshot is a reason to
   * read the pipe again, and any other error is not.
   */
  readonly torn: boolean;

  /**
   * Makes the error.
   *
   * @param message What is wrong.
   * @param annotated Whether there is an annotation.
   * @param torn Whether the bytes look like a part of a snapshot.
   */
  constructor(message: string, annotated: boolean, torn: boolean) {
    super(message);
    this.annotated = annotated;
    this.torn = torn;
  }
}

/** Thrown if a snapshot takes too long to parse. */
export class LateError extends Error {
  override message = "It has too many lines to read in time";
}
