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

/** All that one process says of itself in one read. */
export interface Snapshot {
  /** The stats by name. */
  readonly stats: Map<string, Stat>;
  /** Whether the writer sends annotations, and so a snapshot's end. */
  readonly annotated: boolean;
  /** What the ids are of. */
  readonly table: NameTable;
  /** The ids of the stats, in the order of their lines. */
  readonly ids: Int32Array;
  /** For each, its value: a finite number. */
  readonly values: Float64Array;
  /** For each, 1 if it has a decimal point. */
  readonly fractional: Uint8Array;
  /** For each, its kind: 0 is a counter, 1 a gauge, 2 is not known, and 3 shows a recorded stat. */
  readonly kinds: Uint8Array;
  /** The recorded stats. */
  readonly recorded: readonly ParsedDistribution[];
  /** What is said of stats, by their names without labels. */
  readonly descriptions: ReadonlyMap<string, Description>;
  /** When gauges that note it were last set, in seconds since 1970. */
  readonly lastSet: ReadonlyMap<string, number>;
  /** The number of the snapshot, which grows within a process; `undefined` if the writer sends none. */
  readonly seq: number | undefined;
  /** What the process says of itself. */
  readonly process: ProcessInfo | undefined;
  /** What the ledger says of itself, if it is one. */
  readonly ledger: LedgerInfo | undefined;
}

/** Thrown for bytes that are not one whole snapshot. */
export class SnapshotError extends SyntaxError {
  /** `"SnapshotError"`. */
  override name = "SnapshotError";
  /** Whether the writer sends annotations, as far as the bytes tell. */
  readonly annotated: boolean;
  /**
   * Whether the bytes look like a part of a snapshot that was sent with
   * annotations, as another reader of the same pipe leaves it. Reading again
   * may then help.
   */
  readonly torn: boolean;

  /**
   * Makes the error.
   *
   * @param message What was wrong.
   * @param annotated Whether there was an annotation.
   * @param torn Whether reading again may help.
   */
  constructor(message: string, annotated: boolean, torn: boolean) {
    super(message);
    this.annotated = annotated;
    this.torn = torn;
  }
}

/** Thrown where a snapshot takes too long to read. */
export class LateError extends Error {
  override message = "It has too many lines to read in time";
}
