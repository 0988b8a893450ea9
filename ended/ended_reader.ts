/**
 * Reads what processes have left that have ended, so that each counts once.
 *
 * A process writes its last values to a file before it removes its pipe. The
 * next process of the same user that ends or reads, mostly the same one, adds
 * the file to the ledger of the user, which lists the processes it has taken in,
 * then removes the file. So a reader finds each process in its pipe, in its file
 * or in a ledger, and can tell if it finds it twice.
 *
 * Touches the pipe directory.
 *
 * @module
 */

import { type EndedFile, keyOf, settle } from "./last_values.ts";
import { LastValuesReader, type ReadFile } from "./last_values_reader.ts";
import {
  type Ledger,
  LedgerReader,
  type ReadLedgers,
} from "./ledger_reader.ts";
import { takeIn } from "./ledger_writer.ts";
import { ReadingTime } from "./reading_time.ts";
import type { NameTable, Snapshot } from "../format/snapshot.ts";
import { ownKey } from "../model/process_key.ts";
import { runtime } from "../runtime/runtime.ts";

/** How long files are taken in at least, in milliseconds. */
const TAKE_IN_MS = 20;

/** How often one call reads all again at most, since one user may keep another one busy. */
const MAX_PASSES = 4;

/** The last values of a process that has ended. */
export interface Ended {
  readonly key: string;
  /** The id of the user who owns the file. */
  readonly owner: number;
  readonly snapshot: Snapshot;
  /** The bytes of the snapshot. */
  readonly bytes: Uint8Array;
}

/** What ended processes have left. */
export interface Left {
  /** The processes that no ledger has taken in. */
  readonly ended: readonly Ended[];
  readonly ledgers: readonly Ledger[];
  /** The users whose ledger could not be read in time; the last one read stands in for it. */
  readonly late: ReadonlySet<number>;
  /** The keys of all processes that have a file, even if it is malformed. */
  readonly there: ReadonlySet<string>;
  /** What is wrong with a file, for a person. */
  readonly problems: readonly string[];
}

/** One reading of files and ledgers that fit together. */
interface Reading extends ReadLedgers {
  /** What is in the directory. */
  readonly names: readonly string[];
  readonly files: readonly ReadFile[];
  /** The ledgers as they were read before the files. */
  readonly before: readonly Ledger[];
}

/** Reads what ended processes have left, any number of times. */
export class EndedReader {
  readonly #lastValues: LastValuesReader = new LastValuesReader();
  readonly #ledgers: LedgerReader = new LedgerReader();
  #last: Left | undefined;
  // The users whose files this process may not take in.
  readonly #others: Set<number> = new Set();

  /**
   * Reads all ledgers, and the files that none of them has taken in. Then takes
   * the files of its own user into the ledger.
   *
   * @param names What is in the directory.
   * @param table What gives names their ids.
   * @param until When to stop, by `performance.now()`, if there is much to read.
   * For what there is no time for, the results of the last call stand in.
   */
  read(
    dir: string,
    names: readonly string[],
    table: NameTable,
    until = Infinity,
  ): Left {
    const time = new ReadingTime(until);
    const settled = settle(dir, names, () => time.spend());
    const reading = this.#readAll(dir, settled, table, time);
    this.#takeIn(dir, reading.files, until);
    const { ledgers, late, problems } = reading;
    const earlier = this.#last?.ended.filter(({ owner }) => late.has(owner));
    return this.#last = {
      ended: [...notTakenIn(reading), ...earlier ?? []],
      ledgers,
      late,
      there: new Set(reading.names.flatMap((name) => keyOf(name) ?? [])),
      problems,
    };
  }

  /**
   * Reads the files, then the ledgers, until no ledger may have forgotten a
   * process whose file was read before.
   */
  #readAll(
    dir: string,
    names: readonly string[],
    table: NameTable,
    time: ReadingTime,
  ): Reading {
    let before = this.#last?.ledgers;
    for (let pass = 1;; pass++) {
      // In this order: a process whose file has gone by now is in a ledger.
      const files = this.#lastValues.read(dir, names, table, time);
      if (names.some((name) => keyOf(name) !== undefined)) {
        names = runtime.list(dir);
      }
      const read = this.#ledgers.read(dir, names, table, time);
      // A ledger lists the last processes only. If it was read before the files
      // were, and lists all that it has taken in since, it lists these too.
      const isSure = files.length === 0 || pass === MAX_PASSES ||
        (before !== undefined && !hasForgotten(before, read.ledgers));
      if (isSure) return { ...read, names, files, before: before ?? [] };
      before = read.ledgers;
    }
  }

  #takeIn(dir: string, files: readonly ReadFile[], until: number): void {
    for (const owner of new Set(files.map(({ owner }) => owner))) {
      this.#ledgers.expect(owner);
      if (this.#others.has(owner)) continue;
      const own = files.filter((file) => file.owner === owner);
      // Even when time is up, take in some, or the backlog would never shrink.
      const end = Math.max(until, performance.now() + TAKE_IN_MS);
      if (!takeIn(dir, owner, end, own)) this.#others.add(owner);
    }
  }
}

/** The last values of processes that no ledger has taken in. */
function notTakenIn({ files, before, ledgers, late }: Reading): Ended[] {
  const taken = new Set(
    [...before, ...ledgers].flatMap(({ owner, info }) =>
      info.ended.map((key) => ownKey(owner, key))
    ),
  );
  const isLeft = ({ key, owner }: EndedFile) =>
    !taken.has(ownKey(owner, key)) && !late.has(owner);
  return files.filter(isLeft).flatMap(({ key, owner, parsed }) =>
    parsed === undefined ? [] : [{ key, owner, ...parsed }]
  );
}

/** Whether a ledger has taken in more processes since it was read before than it lists. */
function hasForgotten(
  before: readonly Ledger[],
  now: readonly Ledger[],
): boolean {
  return now.some(({ owner, info }) => {
    const last = before.find((ledger) => ledger.owner === owner)?.info;
    const known = last?.id === info.id ? last.count : 0;
    return info.count - known > info.ended.length;
  });
}
