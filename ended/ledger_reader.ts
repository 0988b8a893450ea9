/**
 * Reads the ledgers of all users: the totals of their ended processes.
 *
 * Touches the pipe directory.
 *
 * @module
 */

import type { ReadingTime } from "./reading_time.ts";
import { ledgerName, userOfLedger } from "../directory/file_names.ts";
import { isSame } from "../format/byte_reader.ts";
import {
  LateError,
  type NameTable,
  type Snapshot,
} from "../format/snapshot.ts";
import { SnapshotParser } from "../format/snapshot_parser.ts";
import { fromRandomStart } from "../model/from_random_start.ts";
import type { LedgerInfo } from "../model/identity.ts";
import { attempt } from "../runtime/attempt.ts";
import { runtime } from "../runtime/runtime.ts";

/** How many ledger-like names of unknown users are examined. */
const MAX_LOOKS = 1_000;

/** How long a ledger takes to parse, in milliseconds, that counts as slow. */
const SLOW_MS = 20;

/**
 * How long after a slow ledger was parsed to its end, whatever the time, it may
 * be late again, in milliseconds.
 */
const WAIT_MS = 10_000;

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
  /** What is wrong with a file, for a person. */
  readonly problems: readonly string[];
}

/** A ledger with the parser that reads its next version. */
interface KnownLedger extends Ledger {
  readonly parser: SnapshotParser;
  readonly table: NameTable;
  /** When it was last slow to parse. */
  readonly waited: number;
}

/** The bytes of a ledger. */
interface LedgerText {
  readonly path: string;
  readonly owner: number;
  readonly bytes: Uint8Array;
}

/** Reads ledgers, and parses those that have changed. */
export class LedgerReader {
  // By path.
  readonly #known: Map<string, KnownLedger> = new Map();
  // The users who have a ledger, or soon may.
  readonly #users: Set<number> = new Set();

  /** Expects a ledger of a user, which is then read before those of unknown users. */
  expect(user: number): void {
    this.#users.add(user);
  }

  /**
   * Reads all ledgers.
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
    const { texts, problems } = this.#readTexts(dir, names);
    // Shortest first: one user's long ledger must not delay another's.
    texts.sort((a, b) => a.bytes.length - b.bytes.length);
    const ledgers: Ledger[] = [];
    const late = new Set<number>();
    for (const text of texts) {
      let ledger: Ledger | undefined;
      try {
        ledger = this.#parse(text, table, time);
      } catch (error) {
        if (!(error instanceof LateError)) throw error;
        late.add(text.owner);
        ledger = this.#known.get(text.path);
      }
      if (ledger !== undefined) ledgers.push(ledger);
    }
    return { ledgers, late, problems };
  }

  #readTexts(
    dir: string,
    names: readonly string[],
  ): { texts: LedgerText[]; problems: string[] } {
    const texts: LedgerText[] = [];
    const problems: string[] = [];
    const expected = [...this.#users].map(ledgerName);
    let looks = 0;
    for (const name of new Set([...expected, ...fromRandomStart(names)])) {
      const match = userOfLedger(name);
      if (match === undefined) continue;
      const { user, isLock } = match;
      if (!this.#users.has(user) && ++looks > MAX_LOOKS) break;
      const path = `${dir}/${name}`;
      const file = runtime.identify(path);
      if (file !== undefined && file.owner !== user) {
        if (!this.#users.has(user)) continue;
        problems.push(`${path}: It must belong to user ${user}`);
      } else if (!isLock && file?.links === 1) {
        this.#users.add(user);
        // The bytes are compared, since no property of a file tells whether it
        // has changed: a new file soon gets the inode of one that has gone.
        const bytes = attempt(() => runtime.readFile(path));
        if (bytes !== undefined) texts.push({ path, owner: user, bytes });
      }
    }
    return { texts, problems };
  }

  /**
   * Parses a ledger, unless its bytes are the last ones.
   *
   * @returns The ledger, or `undefined` if it is malformed.
   * @throws {LateError} If there is no time left, and it need not be read to its
   * end in spite of that.
   */
  #parse(
    { path, owner, bytes }: LedgerText,
    table: NameTable,
    time: ReadingTime,
  ): Ledger | undefined {
    const last = this.#known.get(path);
    const known = last?.table === table ? last : undefined;
    if (known !== undefined && isEqual(known.bytes, bytes)) return known;
    const parser = known?.parser ?? new SnapshotParser(table);
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
    const ledger = { owner, info, snapshot, bytes, parser, table, waited };
    this.#known.set(path, ledger);
    return ledger;
  }
}

function isEqual(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && isSame(a, 0, b, 0, b.length);
}
