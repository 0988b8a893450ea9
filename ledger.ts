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

import { Exposition } from "./exposition.ts";
import { privatePrefix } from "./fifo_pool.ts";
import type { LedgerInfo } from "./lines.ts";
import { runtime } from "./runtime.ts";
import { NameTable, type Snapshot, SnapshotParser } from "./snapshot.ts";
import { Totals } from "./totals.ts";

/** How many processes a ledger lists, of those that it has taken in last. */
const MAX_LISTED = 4_096;

/** How many it takes in at one time: all are listed as long as their files are there. */
const BATCH = 1_024;

/** How often a reader looks again, since one user may keep another one busy. */
const MAX_PASSES = 4;

/** How long the files of ended processes may take to read, in milliseconds. */
const ENDED_MS = 500;

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

/** The same, of one user: nobody can end the processes of another. */
export function ownKey(owner: number, key: string): string {
  return `${key} of ${owner}`;
}

const ENDING = /^\.ending\.([1-9]\d{0,9})\.(\d{1,16})$/;
const ENDED = /^\.ended\.([1-9]\d{0,9})\.(\d{1,16})$/;
const LEDGER = /^\.ledger\.(\d{1,10})$/;

/** A file that is not complete. If this process is killed, it is removed like its pipe. */
function newFile(dir: string, what: "ended" | "ending" | "ledger"): string {
  return `${dir}/${privatePrefix(runtime.pid)}${what}.new`;
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
  runtime.replaceFile(path, snapshot, newFile(dir, word), mode);
  return path;
}

/** Gives the files of processes that may have been ending, and now have, their final names. */
function settle(dir: string): void {
  for (const name of runtime.list(dir)) {
    const match = ENDING.exec(name);
    if (match === null) continue;
    const path = `${dir}/${name}`;
    const lives = runtime.processExists(Number(match[1])) ??
      Date.now() - (runtime.identify(path)?.modified ?? 0) < ENDING_MS;
    if (lives) continue;
    attempt(() => runtime.rename(path, path.replace("/.ending.", "/.ended.")));
  }
}

/** The last values of a process that has ended. */
export interface Ended {
  readonly key: string;
  /** The id of the user whose file it is. */
  readonly owner: number;
  readonly snapshot: Snapshot;
}

/** A ledger, as it was read. */
export interface Ledger {
  readonly owner: number;
  readonly info: LedgerInfo;
  readonly snapshot: Snapshot;
  /** The bytes of the snapshot. */
  readonly bytes: Uint8Array;
}

interface EndedFile {
  readonly path: string;
  readonly key: string;
  readonly owner: number;
  readonly mode: number;
  /** Tells the file from others that had its name. */
  readonly id: string;
}

function endedFiles(dir: string): EndedFile[] {
  const files = [];
  for (const name of runtime.list(dir)) {
    const match = ENDED.exec(name);
    if (match === null) continue;
    const path = `${dir}/${name}`;
    const file = runtime.identify(path);
    if (file === undefined) continue;
    const { owner, mode, inode, modified } = file;
    const id = `${name} ${inode} ${modified}`;
    files.push({ path, key: `${match[1]}@${match[2]}`, owner, mode, id });
  }
  return files;
}

/** The result of something that may fail, or `undefined`. */
function attempt<T>(action: () => T): T | undefined {
  try {
    return action();
  } catch {
    return undefined;
  }
}

/** The snapshot in a file; `undefined` if it has gone, or is something else. */
function parse(path: string, table: NameTable): Snapshot | undefined {
  return attempt(() => {
    const bytes = runtime.readFile(path);
    return bytes && new SnapshotParser(table).parse(bytes);
  });
}

function isEqual(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}

/** Reads what ended processes have left, as often as it is asked to. */
export class LedgerReader {
  // By path.
  readonly #ledgers: Map<string, Ledger> = new Map();
  // The files of ended processes, each of which is read once.
  #ended: Map<string, Snapshot | undefined> = new Map();

  /**
   * Reads all ledgers, and the files that none of them has taken in.
   *
   * @param table What gives names their ids.
   */
  read(dir: string, table: NameTable): { ended: Ended[]; ledgers: Ledger[] } {
    settle(dir);
    let before: Ledger[] | undefined;
    for (let pass = 1;; pass++) {
      // In this order: what has gone from a file by now is in a ledger.
      const files = this.#readEnded(dir, table);
      const ledgers = this.#readLedgers(dir, table);
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
        const ended = files.flatMap(({ key, owner, snapshot }) =>
          snapshot === undefined || taken.has(ownKey(owner, key))
            ? []
            : [{ key, owner, snapshot }]
        );
        for (const owner of new Set(files.map(({ owner }) => owner))) {
          takeIn(dir, owner);
        }
        return { ended, ledgers };
      }
      before = ledgers;
    }
  }

  /** Reads what ended processes have left, as far as there is time: of the rest, the last values count on. */
  #readEnded(dir: string, table: NameTable) {
    const deadline = performance.now() + ENDED_MS;
    const known = new Map<string, Snapshot | undefined>();
    const files = [];
    for (const { path, key, owner, id } of endedFiles(dir)) {
      const isKnown = this.#ended.has(id);
      // One that was counted once goes on to count.
      if (!isKnown && performance.now() > deadline) continue;
      const snapshot = isKnown ? this.#ended.get(id) : parse(path, table);
      known.set(id, snapshot);
      files.push({ owner, key, snapshot });
    }
    this.#ended = known;
    return files;
  }

  #readLedgers(dir: string, table: NameTable): Ledger[] {
    return runtime.list(dir).flatMap((name) =>
      this.#readLedger(`${dir}/${name}`, Number(LEDGER.exec(name)?.[1]), table)
    );
  }

  #readLedger(path: string, owner: number, table: NameTable): Ledger[] {
    const file = Number.isNaN(owner) ? undefined : runtime.identify(path);
    if (file?.owner !== owner) return [];
    const known = this.#ledgers.get(path);
    // Nothing that is known of a file before it is read tells whether it is the
    // same: a new one soon gets the number of one that has gone.
    const bytes = attempt(() => runtime.readFile(path));
    if (bytes === undefined) return [];
    if (
      known !== undefined && isEqual(known.bytes, bytes) &&
      known.snapshot.table === table
    ) return [known];
    const snapshot = attempt(() => new SnapshotParser(table).parse(bytes));
    if (snapshot?.ledger === undefined) return [];
    const ledger = { owner, info: snapshot.ledger, snapshot, bytes };
    this.#ledgers.set(path, ledger);
    return [ledger];
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
 */
export function takeIn(dir: string, owner: number): void {
  const path = `${dir}/.ledger.${owner}`;
  const lock = `${path}.lock`;
  attempt(() => settle(dir));
  // Once more after the lock was given back: who has found it taken has written
  // a file before.
  for (let files = ownFiles(dir, owner); files.length > 0;) {
    try {
      const since = takeLock(lock, owner);
      if (since === undefined) return;
      // Not if this process was stopped for so long that another one has broken it.
      const isOurs = () => runtime.identify(lock)?.modified === since;
      try {
        files = ownFiles(dir, owner);
        if (!addToLedger(dir, owner, files, isOurs)) return;
      } finally {
        if (isOurs()) runtime.remove(lock);
      }
    } catch {
      // No space, or not ours. The files stay, and are read.
      return;
    }
    files = ownFiles(dir, owner);
  }
}

function ownFiles(dir: string, owner: number): EndedFile[] {
  return endedFiles(dir).filter((file) => file.owner === owner);
}

/** Returns since when the lock is held, which tells it apart, or `undefined` if it is not. */
function takeLock(path: string, owner: number): number | undefined {
  if (!runtime.createNew(path)) {
    const { modified = Infinity } = runtime.identify(path) ?? {};
    if (Date.now() - modified < STALE_MS) return undefined;
    runtime.remove(path);
    if (!runtime.createNew(path)) return undefined;
  }
  const file = runtime.identify(path);
  if (file?.owner === owner) return file.modified;
  runtime.remove(path);
}

/** Adds what stands in the files to the ledger, and removes them. Returns whether it had the lock until its end. */
function addToLedger(
  dir: string,
  owner: number,
  files: readonly EndedFile[],
  isOurs: () => boolean,
): boolean {
  const path = `${dir}/.ledger.${owner}`;
  const table = new NameTable();
  const totals = new Totals();
  // What another user has put there is no ledger of this one.
  const isOwn = runtime.identify(path)?.owner === owner;
  const old = isOwn ? parse(path, table) : undefined;
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
  const added = files.filter((file) => !isKnown(file));
  for (let start = 0; start < added.length; start += BATCH) {
    const batch = added.slice(start, start + BATCH);
    for (const { path, key } of batch) {
      const snapshot = parse(path, table);
      if (snapshot === undefined) continue;
      totals.add(snapshot);
      listed.push(key);
      count++;
    }
    const source = totals.source({
      id,
      count,
      ended: listed.slice(-MAX_LISTED),
    });
    const bytes = new Exposition().write(source, true);
    if (!isOurs()) return false;
    runtime.replaceFile(path, bytes, newFile(dir, "ledger"), mode);
    for (const { path } of batch) runtime.remove(path);
  }
  return true;
}

function newLedger(): LedgerInfo {
  return { id: crypto.randomUUID(), count: 0, ended: [] };
}
