/**
 * What processes leave behind when they end in an orderly way: their last
 * values, in a file that is soon taken into the one ledger of their user.
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

import { isSame } from "./byte_reader.ts";
import { Exposition } from "./exposition.ts";
import { privatePrefix } from "./fifo_pool.ts";
import { type LedgerInfo, MAX_LISTED } from "./lines.ts";
import { runtime } from "./runtime.ts";
import {
  LateError,
  NameTable,
  type Snapshot,
  SnapshotParser,
} from "./snapshot.ts";
import { Totals } from "./totals.ts";

/** How many it takes in at one time: all are listed as long as their files are there. */
const BATCH = 1_024;

/** How many bytes of the files of one user are kept until they are taken in. */
const MAX_USER_BYTES = 2 ** 24;

/** How long a reader takes them in at least, in milliseconds. */
const TAKE_IN_MS = 20;

/** How long a reader looks for ledgers at least, in milliseconds. */
const LEDGERS_MS = 10;

/** How often a reader looks again, since one user may keep another one busy. */
const MAX_PASSES = 4;

/** How long a process may take to end, in milliseconds, where nobody can tell whether it has. */
const ENDING_MS = 2_000;

/** How old a lock is, in milliseconds, when its owner must have died. */
const STALE_MS = 10_000;

/** Tells processes apart, also those that have had the same id. */
export function processKey(pid: number, start: number | string): string {
  return `${pid}@${
    typeof start === "number" ? Math.round(1000 * start) : start
  }`;
}

/** The same, of one user: nobody can end the processes of another, or be one of them. */
export function ownKey(owner: number, key: string): string {
  return `${key} of ${owner}`;
}

// With a last part where somebody else has taken the name.
const ENDING = /^\.ending\.([1-9]\d{0,9})\.(\d{1,16})(?:\.[0-9a-f-]{36})?$/;
const ENDED = /^\.ended\.([1-9]\d{0,9})\.(\d{1,16})(?:\.[0-9a-f-]{36})?$/;
const LEDGER = /^\.ledger\.(\d{1,10})(\.lock)?$/;

/**
 * A file that is not complete, whose name nobody else can have taken. If this
 * process is killed, it is removed like its pipe.
 */
function newFile(dir: string): string {
  return `${dir}/${privatePrefix(runtime.pid)}${crypto.randomUUID()}.new`;
}

/**
 * Writes the last values of a process.
 *
 * @param start When the process started, in seconds since 1970.
 * @param mode The mode of the file.
 * @param isSure Whether the process ends, or just if nobody catches an error.
 * @returns The file.
 */
export function writeEnded(
  dir: string,
  pid: number,
  start: number,
  snapshot: Uint8Array,
  mode = 0o644,
  isSure = true,
): string {
  const word = isSure ? "ended" : "ending";
  const path = `${dir}/.${word}.${pid}.${Math.round(1000 * start)}`;
  const write = (path: string) => {
    runtime.replaceFile(path, snapshot, newFile(dir), mode);
    return path;
  };
  try {
    return write(path);
  } catch {
    // Somebody else may have taken the name, but not this one.
    return write(`${path}.${crypto.randomUUID()}`);
  }
}

/**
 * Gives the files of processes that may have been ending, and now have, their
 * final names.
 *
 * @param names What is in the directory.
 * @returns The same, with these.
 */
function settle(dir: string, names: string[], until: number): string[] {
  return names.map((name) => {
    const match = ENDING.exec(name);
    if (match === null || performance.now() > until) return name;
    const path = `${dir}/${name}`;
    const lives = runtime.processExists(Number(match[1])) ??
      Date.now() - (runtime.identify(path)?.modified ?? 0) < ENDING_MS;
    if (lives) return name;
    // A name that nobody has, since a file of that name would be gone.
    const settled = `.ended.${match[1]}.${match[2]}.${crypto.randomUUID()}`;
    return attempt(() => {
      runtime.rename(path, `${dir}/${settled}`);
      return settled;
    }) ?? name;
  });
}

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

/** A file that an ended process has left. */
interface EndedFile {
  readonly name: string;
  readonly path: string;
  readonly key: string;
  readonly owner: number;
  readonly mode: number;
  /** Tells the file from others that had its name. */
  readonly id: string;
}

/**
 * Looks at the files of ended processes, as far as there is time.
 *
 * @param names What is in the directory.
 */
function* endedFiles(
  dir: string,
  names: readonly string[],
  until: number,
): Generator<EndedFile> {
  for (const name of fromAnywhere(names)) {
    const match = ENDED.exec(name);
    if (match === null) continue;
    if (performance.now() > until) return;
    const path = `${dir}/${name}`;
    const file = runtime.identify(path);
    // What another user has made a second name of would count twice.
    if (file === undefined || file.links > 1) continue;
    const { owner, mode, inode, modified } = file;
    const id = `${inode} ${modified}`;
    yield { name, path, key: `${match[1]}@${match[2]}`, owner, mode, id };
  }
}

/** The same, from anywhere on: of too many, none is always the last one. */
export function* fromAnywhere<T>(list: readonly T[]): Generator<T> {
  const start = Math.floor(Math.random() * list.length);
  for (let i = 0; i < list.length; i++) yield list[(start + i) % list.length];
}

/** The result of something that may fail, or `undefined`. */
function attempt<T>(action: () => T): T | undefined {
  try {
    return action();
  } catch {
    return undefined;
  }
}

/** What stands in a file. */
interface Parsed {
  readonly snapshot: Snapshot;
  readonly bytes: Uint8Array;
}

/**
 * What stands in a file; `undefined` if it has gone, or is something else.
 *
 * @throws {LateError} If that takes too long.
 * @throws If the file cannot be read now, as where no more may be open: nobody
 * knows what is in it.
 */
function parse(
  path: string,
  table: NameTable,
  isLate?: () => boolean,
): Parsed | undefined {
  const bytes = runtime.readFile(path);
  if (bytes === undefined) return undefined;
  try {
    return { bytes, snapshot: new SnapshotParser(table).parse(bytes, isLate) };
  } catch (error) {
    if (error instanceof LateError) throw error;
    return undefined;
  }
}

function isEqual(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && isSame(a, 0, b, 0, b.length);
}

/** The same, and what stands in it. */
interface ReadFile extends EndedFile {
  /** `undefined` if it is nothing. */
  readonly parsed: Parsed | undefined;
}

/** What ended processes have left. */
export interface Left {
  readonly ended: readonly Ended[];
  readonly ledgers: readonly Ledger[];
  /** What is wrong with a file, for a person. */
  readonly problems: readonly string[];
}

/**
 * One file of each process: the one with the plain name, if there are others of
 * when it was not sure that the process was ending.
 */
function withoutTwins<T extends EndedFile>(files: readonly T[]): T[] {
  const byKey = new Map<string, T>();
  for (const file of files) {
    const key = ownKey(file.owner, file.key);
    const twin = byKey.get(key);
    if (twin === undefined || file.name.length < twin.name.length) {
      byKey.set(key, file);
    }
  }
  return [...byKey.values()];
}

/** Reads what ended processes have left, as often as it is asked to. */
export class LedgerReader {
  // By path.
  readonly #ledgers: Map<string, Ledger> = new Map();
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
   * @param until When to stop, by `performance.now()`. Where there is no time
   * left, what was read of a user before is still so.
   */
  read(
    dir: string,
    names: string[],
    table: NameTable,
    until = Infinity,
  ): Left {
    names = settle(dir, names, until);
    for (let pass = 1, before = this.#last?.ledgers;; pass++) {
      // In this order: what has gone from a file by now is in a ledger.
      const files = this.#readEnded(dir, names, table, until);
      if (names.some((name) => ENDED.test(name))) names = runtime.list(dir);
      const { ledgers, late, problems } = this.#readLedgers(
        dir,
        names,
        table,
        until,
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
    until: number,
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
    const isLate = () => performance.now() > until;
    for (const file of endedFiles(dir, names, until)) {
      const known = this.#files.get(file.name);
      if (known?.id === file.id) take(known);
      else {
        // One that cannot be read now is read the next time.
        attempt(() =>
          take({ ...file, parsed: parse(file.path, table, isLate) })
        );
      }
    }
    if (isLate()) {
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
    until: number,
  ): { ledgers: Ledger[]; late: Set<number>; problems: string[] } {
    const ledgers = [];
    const late = new Set<number>();
    const problems = [];
    const texts = [];
    const known = [...this.#users].map((owner) => `.ledger.${owner}`);
    const end = Math.max(until, performance.now() + LEDGERS_MS);
    // Those that are known come first.
    for (const name of new Set([...known, ...fromAnywhere(names)])) {
      const match = LEDGER.exec(name);
      if (match === null) continue;
      const owner = Number(match[1]);
      if (performance.now() > end && !this.#users.has(owner)) break;
      const path = `${dir}/${name}`;
      const file = runtime.identify(path);
      if (file !== undefined && file.owner !== owner) {
        if (!this.#users.has(owner)) continue;
        problems.push(`${path}: It must belong to user ${owner}`);
      } else if (match[2] === undefined && file?.links === 1) {
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
      let ledger = this.#ledgers.get(path);
      if (
        ledger === undefined || ledger.snapshot.table !== table ||
        !isEqual(ledger.bytes, bytes)
      ) {
        const isLate = () => performance.now() > until;
        const snapshot = attempt(() =>
          new SnapshotParser(table).parse(bytes, isLate)
        );
        const info = snapshot?.ledger;
        if (info !== undefined) {
          ledger = { owner, info, snapshot: snapshot!, bytes };
          this.#ledgers.set(path, ledger);
        } else if (isLate()) late.add(owner);
        else ledger = undefined;
      }
      if (ledger !== undefined) ledgers.push(ledger);
    }
    return { ledgers, late, problems };
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

/**
 * Takes the files of ended processes of one user into the ledger of that user,
 * unless another process is at it, or this one is another user's.
 *
 * @param owner The id of the user.
 * @param until When to stop, by `performance.now()`. The next one goes on.
 * @param seen Those that were seen, if somebody has looked.
 * @returns `false` if this process is another user's.
 */
export function takeIn(
  dir: string,
  owner: number,
  until = Infinity,
  seen?: readonly EndedFile[],
): boolean {
  const lock = `${dir}/.ledger.${owner}.lock`;
  try {
    let files = seen ?? ownFiles(dir, owner, until);
    while (files.length > 0) {
      const { since, isOwn } = takeLock(lock, owner);
      if (since === undefined) return isOwn;
      // Not if this process was stopped for so long that another one has broken it.
      const isOurs = () => runtime.identify(lock)?.modified === since;
      try {
        if (!addToLedger(dir, owner, files, isOurs, until)) return true;
      } finally {
        if (isOurs()) runtime.remove(lock);
      }
      // Once more: who has found the lock taken has written a file before.
      files = ownFiles(dir, owner, until);
    }
  } catch {
    // No space, or not ours. The files stay, and are read.
  }
  return true;
}

function ownFiles(dir: string, owner: number, until: number): EndedFile[] {
  if (performance.now() > until) return [];
  const names = settle(dir, runtime.list(dir), until);
  return [...endedFiles(dir, names, until)]
    .filter((file) => file.owner === owner);
}

/**
 * Takes the lock of a user.
 *
 * @returns Since when it is held, which tells it apart, or `undefined` if it is
 * not; and whether it could be.
 */
function takeLock(
  path: string,
  owner: number,
): { since?: number; isOwn: boolean } {
  if (!runtime.createNew(path)) {
    const { modified = Infinity } = runtime.identify(path) ?? {};
    if (Date.now() - modified < STALE_MS) return { isOwn: true };
    runtime.remove(path);
    if (!runtime.createNew(path)) return { isOwn: true };
  }
  const file = runtime.identify(path);
  if (file?.owner === owner) return { since: file.modified, isOwn: true };
  runtime.remove(path);
  return { isOwn: file === undefined };
}

/** Adds what stands in the files to the ledger, and removes them. Returns whether it had the lock until its end. */
function addToLedger(
  dir: string,
  owner: number,
  files: readonly EndedFile[],
  isOurs: () => boolean,
  until: number,
): boolean {
  const path = `${dir}/.ledger.${owner}`;
  const table = new NameTable();
  const totals = new Totals();
  // What another user has put there is no ledger of this one.
  const isOwn = runtime.identify(path)?.owner === owner;
  const old = isOwn ? parse(path, table)?.snapshot : undefined;
  // Nobody may read more of it than of the files that it is made of.
  const mode = files.reduce(
    (mode, file) => mode & file.mode,
    runtime.identify(path)?.mode ?? 0o777,
  );
  if (old?.ledger !== undefined) totals.add(old);
  // Somebody may want to see what is wrong with it.
  else if (runtime.identify(path)) runtime.rename(path, `${path}.invalid`);
  const { id, ended, ...info } = old?.ledger ?? newLedger();
  let { count } = info;
  const listed = [...ended];
  const known = new Set(ended);
  const isKnown = ({ key }: EndedFile) => known.has(key);
  // Left by one that was killed after it had written the ledger.
  for (const { path } of files.filter(isKnown)) runtime.remove(path);
  const added = withoutTwins(files.filter((file) => !isKnown(file)));
  for (let start = 0; start < added.length && performance.now() <= until;) {
    const first = start;
    do {
      const { path, key } = added[start++];
      const snapshot = parse(path, table)?.snapshot;
      if (snapshot === undefined) continue;
      totals.add(snapshot);
      listed.push(key);
      count++;
    } while (
      start < added.length && start < first + BATCH &&
      performance.now() <= until
    );
    const source = totals.source({
      id,
      count,
      ended: listed.slice(-MAX_LISTED),
    });
    const bytes = new Exposition().write(source, true);
    if (!isOurs()) return false;
    runtime.replaceFile(path, bytes, newFile(dir), mode);
    for (const { path } of added.slice(first, start)) runtime.remove(path);
  }
  return true;
}

function newLedger(): LedgerInfo {
  return { id: crypto.randomUUID(), count: 0, ended: [] };
}
