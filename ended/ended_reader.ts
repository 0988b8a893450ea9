/**
 * Reads what processes have left that have ended: their files, and the ledgers
 * that these were taken into.
 *
 * A process writes `.ended.<pid>.<start>` before it removes its pipe. Whoever
 * comes next, mostly the same process, adds it to `.ledger.<user>`, which lists
 * the processes it has taken in, and removes it. So a reader counts every
 * process once, whichever of pipe, file and ledger it finds.
 *
 * Touches the pipe directory.
 *
 * @module
 */

import {
  type EndedFile,
  endedFiles,
  keyOf,
  type Parsed,
  parseFile,
  settle,
  withoutTwins,
} from "./ended_files.ts";
import { takeIn } from "./ledger_writer.ts";
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
import { ownKey } from "../model/process_key.ts";
import { attempt } from "../runtime/attempt.ts";
import { runtime } from "../runtime/runtime.ts";

/** How many bytes of the files of one user are kept until they are taken in. */
const MAX_USER_BYTES = 2 ** 24;

/**
 * How many bytes are read whatever the time is, so that a busy machine makes
 * nobody late; and how many of them a look at a file counts as.
 */
const FREE_BYTES = 2 ** 19;
const LOOK_BYTES = 2 ** 12;

/** How long a reader takes them in at least, in milliseconds. */
const TAKE_IN_MS = 20;

/** How many names are looked at that may be those of ledgers of users who have none. */
const MAX_LOOKS = 1_000;

/**
 * A longer ledger that takes longer to read, in milliseconds, is read to its end
 * all the same, but not again for so long if there is no time.
 */
const SLOW_MS = 20;
const WAIT_MS = 10_000;

/** How often a reader looks again, since one user may keep another one busy. */
const MAX_PASSES = 4;

/** The last values of a process that has ended. */
export interface Ended {
  readonly key: string;
  /** The id of the user whose file it is. */
  readonly owner: number;
  readonly snapshot: Snapshot;
  /** The bytes of the snapshot. */
  readonly bytes: Uint8Array;
}

/** A ledger, as it was read. */
export interface Ledger {
  readonly owner: number;
  readonly info: LedgerInfo;
  readonly snapshot: Snapshot;
  /** The bytes of the snapshot. */
  readonly bytes: Uint8Array;
}

function isEqual(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && isSame(a, 0, b, 0, b.length);
}

/** A file, and what stands in it. */
interface ReadFile extends EndedFile {
  /** `undefined` if it is nothing. */
  readonly parsed: Parsed | undefined;
}

/** The same, and what reads the next one. */
interface ReadLedger extends Ledger {
  readonly parser: SnapshotParser;
  readonly table: NameTable;
  /** When it was last slow to read. */
  readonly waited: number;
}

/** What ended processes have left. */
export interface Left {
  readonly ended: readonly Ended[];
  readonly ledgers: readonly Ledger[];
  /** The users whose ledger there was no time for, so that an earlier one stands here. */
  readonly late: ReadonlySet<number>;
  /** The keys of all processes that have a file, whatever is in it. */
  readonly there: ReadonlySet<string>;
  /** What is wrong with a file, for a person. */
  readonly problems: readonly string[];
}

/** Says whether there is time to read on. */
class ReadingTime {
  readonly #until: number;
  #free = FREE_BYTES;

  constructor(until: number) {
    this.#until = until;
  }

  get isLate(): boolean {
    return this.#free < 0 && performance.now() > this.#until;
  }

  /** Notes that a file is looked at, or so much of it read. Returns whether it is late. */
  spend(bytes = LOOK_BYTES): boolean {
    this.#free -= bytes;
    return this.isLate;
  }
}

/** Reads what ended processes have left, as often as it is asked to. */
export class LedgerReader {
  // By path.
  readonly #ledgers: Map<string, ReadLedger> = new Map();
  // The files of ended processes by their names, each of which is read once.
  #files: Map<string, ReadFile> = new Map();
  #last: Left | undefined;
  // The users who have a ledger, or soon may.
  readonly #users: Set<number> = new Set();
  // Those whose files are not for this process to take in.
  readonly #others: Set<number> = new Set();

  /**
   * Reads all ledgers, and the files that none of them has taken in.
   *
   * @param names What is in the directory.
   * @param table What gives names their ids.
   * @param until When to stop, by `performance.now()`, if there is much to read.
   * Where there is no time left, what was read of a user before is still so.
   */
  read(
    dir: string,
    names: string[],
    table: NameTable,
    until = Infinity,
  ): Left {
    const time = new ReadingTime(until);
    names = settle(dir, names, () => time.spend());
    for (let pass = 1, before = this.#last?.ledgers;; pass++) {
      // In this order: what has gone from a file by now is in a ledger.
      const files = this.#readEnded(dir, names, table, time);
      if (names.some((name) => keyOf(name) !== undefined)) {
        names = runtime.list(dir);
      }
      const { ledgers, late, problems } = this.#readLedgers(
        dir,
        names,
        table,
        time,
      );
      // A ledger forgets whom it has taken in. Files that were there after it
      // was read before are listed since, unless too many have come.
      const isSure = files.length === 0 || pass === MAX_PASSES ||
        (before !== undefined && !hasForgotten(before, ledgers));
      if (isSure) {
        const taken = new Set(
          [...before ?? [], ...ledgers].flatMap(({ owner, info }) =>
            info.ended.map((key) => ownKey(owner, key))
          ),
        );
        const isLeft = ({ key, owner }: EndedFile) =>
          !taken.has(ownKey(owner, key)) && !late.has(owner);
        const ended = files.filter(isLeft).flatMap(({ key, owner, parsed }) =>
          parsed === undefined ? [] : [{ key, owner, ...parsed }]
        );
        const wasLeft = this.#last?.ended.filter(({ owner }) =>
          late.has(owner)
        );
        for (const owner of new Set(files.map(({ owner }) => owner))) {
          this.#users.add(owner);
          if (this.#others.has(owner)) continue;
          const own = files.filter((file) => file.owner === owner);
          // So many that there is no time left must become fewer all the same.
          const end = Math.max(until, performance.now() + TAKE_IN_MS);
          if (!takeIn(dir, owner, end, own)) this.#others.add(owner);
        }
        return this.#last = {
          ended: [...ended, ...wasLeft ?? []],
          ledgers,
          late,
          there: new Set(names.flatMap((name) => keyOf(name) ?? [])),
          problems,
        };
      }
      before = ledgers;
    }
  }

  #readEnded(
    dir: string,
    names: readonly string[],
    table: NameTable,
    time: ReadingTime,
  ): ReadFile[] {
    const files = new Map<string, ReadFile>();
    const room = new Map<number, number>();
    const take = (file: ReadFile) => {
      const left = room.get(file.owner) ?? MAX_USER_BYTES;
      const { length = 0 } = file.parsed?.bytes ?? [];
      if (length > left) return;
      room.set(file.owner, left - length);
      files.set(file.name, file);
    };
    // Those that are known first, so that they are always the same ones.
    const first = names.filter((name) => this.#files.has(name));
    const others = names.filter((name) => !this.#files.has(name));
    const all = [...first, ...fromRandomStart(others)];
    for (const file of endedFiles(dir, all, () => time.spend())) {
      const known = this.#files.get(file.name);
      if (known?.id === file.id) take(known);
      else {
        time.spend(file.size);
        // One that cannot be read now is read the next time.
        attempt(() =>
          take({
            ...file,
            parsed: parseFile(file.path, table, () => time.isLate),
          })
        );
      }
    }
    if (time.isLate) {
      for (const name of names) {
        const known = this.#files.get(name);
        if (known !== undefined && !files.has(name)) take(known);
      }
    }
    this.#files = files;
    return withoutTwins([...files.values()]);
  }

  #readLedgers(
    dir: string,
    names: readonly string[],
    table: NameTable,
    time: ReadingTime,
  ): { ledgers: Ledger[]; late: Set<number>; problems: string[] } {
    const ledgers = [];
    const late = new Set<number>();
    const problems = [];
    const texts = [];
    const known = [...this.#users].map(ledgerName);
    let looks = 0;
    // Those that are known come first.
    for (const name of new Set([...known, ...fromRandomStart(names)])) {
      const match = userOfLedger(name);
      if (match === undefined) continue;
      const owner = match.user;
      if (!this.#users.has(owner) && ++looks > MAX_LOOKS) break;
      const path = `${dir}/${name}`;
      const file = runtime.identify(path);
      if (file !== undefined && file.owner !== owner) {
        if (!this.#users.has(owner)) continue;
        problems.push(`${path}: It must belong to user ${owner}`);
      } else if (!match.isLock && file?.links === 1) {
        this.#users.add(owner);
        // Nothing that is known of a file before it is read tells whether it is
        // the same: a new one soon gets the number of one that has gone.
        const bytes = attempt(() => runtime.readFile(path));
        if (bytes !== undefined) texts.push({ path, owner, bytes });
      }
    }
    // Nobody's is late because of a longer one of somebody else.
    texts.sort((a, b) => a.bytes.length - b.bytes.length);
    for (const { path, owner, bytes } of texts) {
      let ledger: Ledger | undefined;
      try {
        ledger = this.#parse(path, owner, bytes, table, time);
      } catch {
        late.add(owner);
        ledger = this.#ledgers.get(path);
      }
      if (ledger !== undefined) ledgers.push(ledger);
    }
    return { ledgers, late, problems };
  }

  /** @throws {LateError} If there is no time left, and was some a moment ago. */
  #parse(
    path: string,
    owner: number,
    bytes: Uint8Array,
    table: NameTable,
    time: ReadingTime,
  ): Ledger | undefined {
    const known = this.#ledgers.get(path);
    const isKnown = known?.table === table;
    if (isKnown && isEqual(known.bytes, bytes)) return known;
    const parser = isKnown ? known.parser : new SnapshotParser(table);
    const start = performance.now();
    const mayWait = start - (known?.waited ?? -Infinity) < WAIT_MS;
    time.spend(bytes.length);
    const isLate = () => mayWait && time.isLate;
    let snapshot;
    try {
      snapshot = parser.parse(bytes, isLate);
    } catch (error) {
      if (error instanceof LateError) throw error;
    }
    if (snapshot?.ledger === undefined) return undefined;
    const isSlow = performance.now() - start > SLOW_MS;
    const waited = isSlow ? start : known?.waited ?? -Infinity;
    const info = snapshot.ledger;
    const ledger = { owner, info, snapshot, bytes, parser, table, waited };
    this.#ledgers.set(path, ledger);
    return ledger;
  }
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
