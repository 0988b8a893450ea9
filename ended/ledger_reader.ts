/**
 * Reads the ledgers of all users: the totals of their ended processes.
 *
 * Touches the pipe directory.
 *
 * @module
 */

import {
  generationsByUser,
  generationsOf,
  identifyGeneration,
  problemOfDamaged,
  readGeneration,
} from "./generations.ts";
import { GoneError } from "./last_values.ts";
import type { ReadingTime } from "./reading_time.ts";
import {
  generationPath,
  missedPath,
  parseDamagedName,
  userOfMissed,
} from "../directory/file_names.ts";
import {
  LateError,
  type NameTable,
  type Snapshot,
} from "../format/snapshot.ts";
import { SnapshotParser } from "../format/snapshot_parser.ts";
import { fromRandomStart } from "../model/from_random_start.ts";
import type { LedgerInfo } from "../model/identity.ts";
import { isSystemError } from "../runtime/attempt.ts";
import { runtime } from "../runtime/runtime.ts";

/** How many users whose ledger was never read are looked at in one reading. */
const MAX_NEW_USERS = 1_000;

/** How long a ledger takes to parse, in milliseconds, that counts as slow. */
const SLOW_MS = 20;

/**
 * How long after a slow ledger was parsed to its end, whatever the time, it may
 * be late again, in milliseconds.
 */
const WAIT_MS = 10_000;

/** How often the directory is listed again because newer generations have replaced those listed. */
const MAX_LISTINGS = 8;

/** A ledger, as it was read. */
export interface Ledger {
  readonly owner: number;
  readonly info: LedgerInfo;
  readonly snapshot: Snapshot;
  /** The bytes of the snapshot. */
  readonly bytes: Uint8Array;
}

/** All ledgers, as they were read. */
export interface ReadLedgers {
  readonly ledgers: readonly Ledger[];
  /** The users whose ledger could not be read in time; the last one read stands in for it. */
  readonly late: ReadonlySet<number>;
  /** The users of whose ledger no generation is whole, each with the last one that was read. */
  readonly broken: ReadonlyMap<number, Ledger | undefined>;
  /** Ledgers of which later generations are known than those that are there and whole, by user. */
  readonly ahead: ReadonlyMap<number, Ledger>;
  /** The number of processes whose last values were not kept, by user. */
  readonly missed: ReadonlyMap<number, number>;
  /** What is wrong with a file, for a person. */
  readonly problems: readonly string[];
}

/** A ledger with the parser that reads its next generation. */
interface KnownLedger extends Ledger {
  /** Tells the file from later files of its path. */
  readonly version: string;
  readonly parser: SnapshotParser;
  readonly table: NameTable;
  /** When it was last slow to parse. */
  readonly waited: number;
}

/** The bytes of a ledger that is to be parsed. */
interface LedgerText {
  readonly owner: number;
  readonly version: string;
  readonly bytes: Uint8Array;
}

/** Reads ledgers, and parses those that have changed. */
export class LedgerReader {
  // By user.
  readonly #known: Map<number, KnownLedger> = new Map();
  // The users who have a ledger, or soon may.
  readonly #users: Set<number> = new Set();
  // The users of whose ledger no generation is whole.
  readonly #broken: Set<number> = new Set();
  // The users of whose ledger a later generation is known than any that is whole.
  readonly #ahead: Set<number> = new Set();

  /** Expects a ledger of a user, which is then read before those of unknown users. */
  expect(user: number): void {
    this.#users.add(user);
  }

  /**
   * Reads of all users the highest generation that is whole.
   *
   * @param names What is in the directory.
   * @param table What gives names their ids.
   */
  read(
    dir: string,
    names: readonly string[],
    table: NameTable,
    time: ReadingTime,
  ): ReadLedgers {
    const problems: string[] = [];
    const ledgers: Ledger[] = [];
    const late = new Set<number>();
    const texts: LedgerText[] = [];
    // Once for all users: one of them may have planted files for many.
    const there = generationsByUser(names);
    this.#broken.clear();
    this.#ahead.clear();
    for (const name of names) {
      const said = parseDamagedName(name);
      if (said === undefined || there.has(said.user)) continue;
      if (this.#known.has(said.user)) this.#broken.add(said.user);
    }
    for (const user of this.#inOrder(there.keys())) {
      const generations = there.get(user)!;
      const found = this.#find(dir, generations, user, table, problems);
      if (found === undefined) continue;
      this.#users.add(user);
      if ("snapshot" in found) ledgers.push(found);
      else texts.push(found);
    }
    // Shortest first: one user's long ledger must not delay another's.
    texts.sort((a, b) => a.bytes.length - b.bytes.length);
    for (const text of texts) {
      let ledger: Ledger | undefined;
      try {
        ledger = this.#parse(text, table, time);
      } catch (error) {
        if (!(error instanceof LateError)) throw error;
        late.add(text.owner);
        ledger = this.#known.get(text.owner);
      }
      if (ledger !== undefined) ledgers.push(ledger);
    }
    const broken = new Map(
      [...this.#broken].map((user) => [user, this.#known.get(user)]),
    );
    const ahead = new Map(
      [...this.#ahead].map((user) => [user, this.#known.get(user)!]),
    );
    const missed = missedIn(dir, names);
    return { ledgers, late, broken, ahead, missed, problems };
  }

  /** Users who have a file that is named like a ledger, those who were seen before first. */
  #inOrder(there: Iterable<number>): number[] {
    const users = [...there];
    const seen = users.filter((user) => this.#users.has(user));
    const others = users.filter((user) => !this.#users.has(user));
    const some = [...fromRandomStart(others)].slice(0, MAX_NEW_USERS);
    return [...seen, ...some];
  }

  /**
   * The highest generation of a user that is whole.
   *
   * @returns `undefined` if there is none, or none that may be read.
   */
  #find(
    dir: string,
    generations: readonly number[],
    user: number,
    table: NameTable,
    problems: string[],
  ): Ledger | LedgerText | undefined {
    const known = this.#known.get(user);
    for (let listing = 1; listing <= MAX_LISTINGS; listing++) {
      const wrong: string[] = [];
      try {
        const found = this.#findIn(dir, generations, user, table, wrong);
        problems.push(...wrong);
        return found;
      } catch (error) {
        if (!(error instanceof GoneError)) {
          if (!isSystemError(error)) throw error;
          break;
        }
        generations = generationsOf(runtime.list(dir), user);
      }
    }
    return known && inTable(known, table);
  }

  /** @throws {GoneError} If newer generations have replaced those that are given. */
  #findIn(
    dir: string,
    generations: readonly number[],
    user: number,
    table: NameTable,
    problems: string[],
  ): Ledger | LedgerText | undefined {
    const known = this.#known.get(user);
    const damaged: string[] = [];
    for (const generation of generations) {
      const candidate = identifyGeneration(dir, user, generation);
      if (candidate === undefined) {
        // What is planted for a user who has no ledger is nobody's concern.
        if (!this.#users.has(user)) continue;
        const path = generationPath(dir, { user, generation });
        problems.push(`${path}: It must belong to user ${user}`);
        continue;
      }
      const { inode, modified, size } = candidate.file;
      const version = `${generation} ${inode} ${modified} ${size}`;
      if (known?.version === version && known.table === table) return known;
      const read = readGeneration(candidate);
      if (read === undefined) {
        damaged.push(candidate.path);
        continue;
      }
      problems.push(...damaged.map((path) => problemOfDamaged(path, true)));
      // What was read before it was damaged is newer than its predecessor.
      if (known !== undefined && isContinued(read.info, known.info)) {
        this.#ahead.add(user);
        return inTable(known, table);
      }
      return { owner: user, version, bytes: read.bytes };
    }
    if (damaged.length === 0) return undefined;
    problems.push(...damaged.map((path) => problemOfDamaged(path, false)));
    this.#broken.add(user);
    return known && inTable(known, table);
  }

  /**
   * Parses a ledger.
   *
   * @returns The ledger, or `undefined` if it is malformed.
   * @throws {LateError} If there is no time left, and it need not be read to its
   * end in spite of that.
   */
  #parse(
    { owner, version, bytes }: LedgerText,
    table: NameTable,
    time: ReadingTime,
  ): Ledger | undefined {
    const last = this.#known.get(owner);
    const parser = last?.table === table
      ? last.parser
      : new SnapshotParser(table);
    const start = performance.now();
    const mayBeLate = start - (last?.waited ?? -Infinity) < WAIT_MS;
    time.spend(bytes.length);
    let snapshot;
    try {
      snapshot = parser.parse(bytes, () => mayBeLate && time.isLate);
    } catch (error) {
      if (error instanceof LateError) throw error;
    }
    if (snapshot?.ledger === undefined) return undefined;
    const isSlow = performance.now() - start > SLOW_MS;
    const waited = isSlow ? start : last?.waited ?? -Infinity;
    const info = snapshot.ledger;
    const ledger = {
      owner,
      info,
      snapshot,
      bytes,
      version,
      parser,
      table,
      waited,
    };
    this.#known.set(owner, ledger);
    return ledger;
  }
}

/** A ledger that was read, or its text if the names in it have other ids by now. */
function inTable(known: KnownLedger, table: NameTable): Ledger | LedgerText {
  const { owner, version, bytes } = known;
  return known.table === table ? known : { owner, version, bytes };
}

/**
 * Whether a ledger goes on from a generation of it, so that nothing in that is
 * missing in it. After both generations were damaged, somebody may have put an
 * earlier one back, to which others have added since.
 */
function isContinued(generation: LedgerInfo, ledger: LedgerInfo): boolean {
  const added = ledger.count - generation.count;
  if (ledger.id !== generation.id || added < 0) return false;
  if (ledger.generation <= generation.generation) return false;
  const { ended } = ledger;
  const common = ended.slice(0, Math.max(0, ended.length - added));
  const last = generation.ended.slice(generation.ended.length - common.length);
  return common.every((id, i) => id === last[i]);
}

/** How many processes of each user were missed, by the sizes of files. */
function missedIn(
  dir: string,
  names: readonly string[],
): Map<number, number> {
  const missed = new Map<number, number>();
  for (const name of names) {
    const user = userOfMissed(name);
    if (user === undefined) continue;
    const file = runtime.identify(missedPath(dir, user));
    if (file?.owner === user && file.size > 0) missed.set(user, file.size);
  }
  return missed;
}
