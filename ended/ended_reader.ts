/**
 * Reads what processes have left that have ended, so that each counts once.
 *
 * A process writes its last values to a file before it removes its pipe, and
 * who finds a killed process writes such a file for it. Somebody adds the files
 * to the ledger of their user, which lists the processes it has taken in, and
 * removes them later. So a reader finds each process in its pipe, in its files
 * or in a ledger, and can tell if it finds it twice.
 *
 * Touches the pipe directory.
 *
 * @module
 */

import { advance, restore, setAsideLost } from "./damaged_ledger.ts";
import { generationsOf } from "./generations.ts";
import {
  newGenerationPath,
  parseLastValuesName,
} from "../directory/file_names.ts";
import { userOf } from "../directory/trust.ts";
import { attempt } from "../runtime/attempt.ts";
import { LastValuesReader, type ReadFile } from "./last_values_reader.ts";
import {
  type Ledger,
  LedgerReader,
  type ReadLedgers,
} from "./ledger_reader.ts";
import { idOfListed, lives, takeIn } from "./ledger_writer.ts";
import { ReadingTime } from "./reading_time.ts";
import { bestOf, lostOf, readyOf } from "./settling.ts";
import type { NameTable, Snapshot } from "../format/snapshot.ts";
import { ownKey } from "../model/process_key.ts";
import { runtime } from "../runtime/runtime.ts";

/** How long files are taken in at least, in milliseconds. */
const TAKE_IN_MS = 20;

/** How often the files of a user are taken in at most, in milliseconds, since each time writes to the disk. */
const TAKE_IN_EVERY_MS = 1_000;

/** How long taking in is left alone, as a multiple of the time that it took: 0.15 s for 70,000 names. */
const REST = 20;

/**
 * How many bytes of files are read after the deadline, so that on a busy machine
 * all services say the same: 256 killed processes that stay by themselves.
 */
const FREE_BYTES = 2 ** 21;

/** How many they are when nothing was read before that could stand in. */
const FIRST_FREE_BYTES = 2 ** 25;

/** How often one call reads all again at most, since one user may keep another one busy. */
const MAX_PASSES = 4;

/** The last values of a process that has ended, or may have. */
export interface Ended {
  /** The identity of the process. */
  readonly id: string;
  /** The id of the user who owns the file. */
  readonly owner: number;
  /** The permission bits of the file. */
  readonly mode?: number;
  /** The number of the snapshot. */
  readonly seq: number;
  /** Whether the process has ended in an orderly way. Otherwise it was killed, or may yet live. */
  readonly final: boolean;
  /** Whether nothing is missing, provided that the process is dead. */
  readonly last: boolean;
  readonly snapshot: Snapshot;
  /** The bytes of the snapshot. */
  readonly bytes: Uint8Array;
  /** When the file was written, in milliseconds since 1970. */
  readonly modified: number;
}

/** What ended processes have left. */
export interface Left {
  /** The processes that no ledger has taken in, each by its file with the highest number. */
  readonly ended: readonly Ended[];
  /** The highest generation of each user's ledger that is whole. */
  readonly ledgers: readonly Ledger[];
  /** The users whose ledger could not be read in time; the last one read stands in for it. */
  readonly late: ReadonlySet<number>;
  /** The identities of all processes that have a file, even if it was not read. */
  readonly there: ReadonlySet<string>;
  /** The keys of processes that no ledger has taken in, and whose files are all damaged. */
  readonly damaged: ReadonlySet<string>;
  /** The number of processes whose last values were not kept, by user. */
  readonly missed: ReadonlyMap<number, number>;
  /** What is wrong with a file, for a person. */
  readonly problems: readonly string[];
}

/** One reading of files and ledgers that fit together. */
interface Reading extends ReadLedgers {
  /** What is in the directory. */
  readonly names: readonly string[];
  /** The files of each process. */
  readonly processes: readonly (readonly ReadFile[])[];
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
  // From when on the files of a user may be taken in again.
  readonly #takeInFrom: Map<number, number> = new Map();

  /**
   * Reads all ledgers, and the files that none of them has taken in. Then takes
   * the files of its own user, or those of all users if it is root, into their
   * ledgers.
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
    const reading = this.#readAll(dir, names, table, until);
    this.#mend(dir, reading);
    this.#takeIn(dir, reading, until);
    const { ledgers, late, problems } = reading;
    const damaged = damagedIn(dir, reading);
    const earlier = this.#last?.ended.filter(({ owner }) => late.has(owner));
    return this.#last = {
      ended: [...notTakenIn(reading), ...earlier ?? []],
      ledgers,
      late,
      there: new Set(
        reading.names.flatMap((name) => parseLastValuesName(name)?.id ?? []),
      ),
      damaged: new Set(damaged.map(({ owner, id }) => ownKey(owner, id))),
      missed: missedIn(reading, damaged),
      problems: [...problems, ...problemsOf(reading)],
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
    until: number,
  ): Reading {
    const isFirst = this.#last === undefined;
    const forFiles = new ReadingTime(
      until,
      isFirst ? FIRST_FREE_BYTES : FREE_BYTES,
    );
    const forLedgers = new ReadingTime(until);
    let before = this.#last?.ledgers;
    for (let pass = 1;; pass++) {
      // In this order: a process whose file has gone by now is in a ledger.
      const processes = this.#lastValues.read(dir, names, table, forFiles);
      // Ledgers of now, not of when the files were listed.
      const wereThere = names.some((name) => isLastValues(name));
      if (wereThere) names = runtime.list(dir);
      const read = this.#ledgers.read(dir, names, table, forLedgers);
      // A ledger lists the last processes only. If it was read before the files
      // were, and lists all that it has taken in since, it lists these too.
      const isSure = processes.length === 0 || pass === MAX_PASSES ||
        (before !== undefined && !hasForgotten(before, read.ledgers));
      if (isSure) return { ...read, names, processes, before: before ?? [] };
      before = read.ledgers;
    }
  }

  /** Puts ledgers back that are known better than what is there of them, or sets them aside. */
  #mend(dir: string, { broken, ahead, names }: Reading): void {
    for (const [user, last] of ahead) {
      if (this.#mayMend(dir, user)) attempt(() => advance(dir, user, last));
    }
    for (const [user, last] of broken) {
      if (!this.#mayMend(dir, user)) continue;
      if (last !== undefined) attempt(() => restore(dir, user, last));
      else {
        attempt(() => setAsideLost(dir, user, generationsOf(names, user)));
      }
    }
  }

  /** Whether this process runs as a user, or as root. */
  #mayMend(dir: string, user: number): boolean {
    if (this.#others.has(user)) return false;
    const self = attempt(() => userOf(newGenerationPath(dir, user)));
    if (self === user || self === 0) return true;
    this.#others.add(user);
    return false;
  }

  #takeIn(dir: string, reading: Reading, until: number): void {
    const taken = listedIn(reading.ledgers);
    const now = Date.now();
    for (const [owner, processes] of byOwner(reading.processes)) {
      this.#ledgers.expect(owner);
      if (this.#others.has(owner)) continue;
      const isDue = readyOf(processes, now).length > 0 ||
        lostOf(processes, now).length > 0 ||
        processes.some(([{ id }]) => taken.has(ownKey(owner, id)));
      const start = performance.now();
      if (!isDue || start < (this.#takeInFrom.get(owner) ?? 0)) continue;
      const files = new Map(processes.flat().map((file) => [file.path, file]));
      const known = ({ path }: { path: string }) => files.get(path);
      // Even when time is up, take in some, or the backlog would never shrink.
      const end = Math.max(until, start + TAKE_IN_MS);
      const ledger = reading.ledgers.find((ledger) => ledger.owner === owner);
      if (!takeIn(dir, owner, end, { known, ledger })) this.#others.add(owner);
      const after = performance.now();
      const rest = Math.max(TAKE_IN_EVERY_MS, REST * (after - start));
      this.#takeInFrom.set(owner, after + rest);
    }
  }
}

function isLastValues(name: string): boolean {
  return parseLastValuesName(name) !== undefined;
}

/** The processes by the users who own their files. */
function byOwner(
  processes: readonly (readonly ReadFile[])[],
): Map<number, (readonly ReadFile[])[]> {
  const users = new Map<number, (readonly ReadFile[])[]>();
  for (const process of processes) {
    const [{ owner }] = process;
    const own = users.get(owner);
    if (own === undefined) users.set(owner, [process]);
    else own.push(process);
  }
  return users;
}

/** The processes that ledgers list, qualified by user. */
function listedIn(ledgers: readonly Ledger[]): Set<string> {
  return new Set(
    ledgers.flatMap(({ owner, info }) =>
      info.ended.map((listed) => ownKey(owner, idOfListed(listed)))
    ),
  );
}

/** The last values of processes that no ledger has taken in. */
function notTakenIn({ processes, before, ledgers, late }: Reading): Ended[] {
  const taken = listedIn([...before, ...ledgers]);
  return processes.flatMap((files) => {
    const best = bestOf(files);
    if (best?.parsed === undefined) return [];
    const { id, owner, mode, seq, modified, parsed } = best;
    const isLeft = !taken.has(ownKey(owner, id)) && !late.has(owner);
    return isLeft ? [{ id, owner, mode, seq, modified, ...parsed }] : [];
  });
}

/** A file of each process that no ledger has taken in, that is dead, and whose files are all damaged. */
function damagedIn(
  dir: string,
  { processes, names, ledgers }: Reading,
): ReadFile[] {
  const taken = listedIn(ledgers);
  return processes.flatMap((files) => {
    const [{ owner, id }] = files;
    const isDamaged = bestOf(files) === undefined &&
      !taken.has(ownKey(owner, id)) && !lives(dir, id, names);
    return isDamaged ? [files[0]] : [];
  });
}

/** The number of processes whose last values are missed, also by those whose files are damaged but not old enough to be removed. */
function missedIn(
  { missed }: Reading,
  damaged: readonly ReadFile[],
): Map<number, number> {
  const all = new Map(missed);
  for (const { owner } of damaged) all.set(owner, (all.get(owner) ?? 0) + 1);
  return all;
}

/** What is wrong with files of last values, for a person. */
function problemsOf({ processes }: Reading): string[] {
  return processes.flat()
    .filter(({ parsed }) => parsed === undefined)
    .map(({ path }) => `${path}: It is damaged`);
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
