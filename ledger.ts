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

/** How old a lock is, in milliseconds, when its owner must have died. */
const STALE_MS = 10_000;

/** Tells processes apart, also those that have had the same id. */
export function processKey(pid: number, start: number | string): string {
  return `${pid}@${
    typeof start === "number" ? Math.round(1000 * start) : start
  }`;
}

const ENDED = /^\.ended\.([1-9]\d{0,9})\.(\d{1,16})$/;
const LEDGER = /^\.ledger\.(\d{1,10})$/;

/** A file that is not complete. If this process is killed, it is removed like its pipe. */
function newFile(dir: string, what: "ended" | "ledger"): string {
  return `${dir}/${privatePrefix(runtime.pid)}${what}.new`;
}

/**
 * Writes the last values of a process.
 *
 * @param start When the process started, in seconds since 1970.
 * @returns The file.
 */
export function writeEnded(
  dir: string,
  pid: number,
  start: number,
  snapshot: Uint8Array,
): string {
  const path = `${dir}/.ended.${pid}.${Math.round(1000 * start)}`;
  runtime.replaceFile(path, snapshot, newFile(dir, "ended"));
  return path;
}

/** The last values of a process that has ended. */
export interface Ended {
  readonly key: string;
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
}

function endedFiles(dir: string): EndedFile[] {
  const files = [];
  for (const name of runtime.list(dir)) {
    const match = ENDED.exec(name);
    if (match === null) continue;
    const path = `${dir}/${name}`;
    const file = runtime.identify(path);
    if (file === undefined) continue;
    files.push({ path, key: `${match[1]}@${match[2]}`, owner: file.owner });
  }
  return files;
}

/** A file's bytes, and what they say. */
interface Parsed {
  readonly snapshot: Snapshot;
  readonly bytes: Uint8Array;
}

/** Reads a file. Returns `known` if it still is the same. */
function parse(
  path: string,
  table: NameTable,
  known?: Parsed,
): Parsed | undefined {
  try {
    const bytes = runtime.readFile(path);
    if (bytes === undefined) return undefined;
    if (known !== undefined && isSame(bytes, known.bytes)) return known;
    return { snapshot: new SnapshotParser(table).parse(bytes), bytes };
  } catch {
    return undefined;
  }
}

function isSame(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}

/** Reads what ended processes have left, as often as it is asked to. */
export class LedgerReader {
  // By path: what was read last.
  readonly #ledgers: Map<string, Ledger> = new Map();

  /**
   * Reads all ledgers, and the files that none of them has taken in.
   *
   * @param table What gives names their ids.
   */
  read(dir: string, table: NameTable): { ended: Ended[]; ledgers: Ledger[] } {
    // In this order: what has gone from a file by now is in a ledger.
    const files = endedFiles(dir).map(({ path, key, owner }) => ({
      owner,
      key,
      snapshot: parse(path, table)?.snapshot,
    }));
    const ledgers = runtime.list(dir).flatMap((name) =>
      this.#readLedger(`${dir}/${name}`, Number(LEDGER.exec(name)?.[1]), table)
    );
    const taken = new Set(ledgers.flatMap(({ info }) => info.ended));
    const ended = files.flatMap(({ key, snapshot }) =>
      snapshot === undefined || taken.has(key) ? [] : [{ key, snapshot }]
    );
    for (const owner of new Set(files.map(({ owner }) => owner))) {
      takeIn(dir, owner);
    }
    return { ended, ledgers };
  }

  #readLedger(path: string, owner: number, table: NameTable): Ledger[] {
    const file = Number.isNaN(owner) ? undefined : runtime.identify(path);
    if (file?.owner !== owner) return [];
    const last = this.#ledgers.get(path);
    // By its bytes: a file that was replaced twice may have its old inode again.
    const known = last?.snapshot.table === table ? last : undefined;
    const parsed = parse(path, table, known);
    const info = parsed?.snapshot.ledger;
    if (parsed === undefined || info === undefined) return [];
    if (parsed === known) return [known];
    const ledger = { owner, info, ...parsed };
    this.#ledgers.set(path, ledger);
    return [ledger];
  }
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
  // Once more after the lock was given back: who has found it taken has written
  // a file before.
  for (let files = ownFiles(dir, owner); files.length > 0;) {
    try {
      const since = takeLock(lock, owner);
      if (since === undefined) return;
      // Not if this process was stopped for so long that another one has broken it.
      const hasLock = () => runtime.identify(lock)?.modified === since;
      try {
        files = ownFiles(dir, owner);
        if (!writeLedger(dir, path, files, hasLock)) return;
        for (const { path } of files) runtime.remove(path);
      } finally {
        if (hasLock()) runtime.remove(lock);
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

/** Adds files to the ledger. Returns whether it has, which it must not without the lock. */
function writeLedger(
  dir: string,
  path: string,
  files: readonly EndedFile[],
  hasLock: () => boolean,
): boolean {
  const table = new NameTable();
  const totals = new Totals();
  const old = parse(path, table)?.snapshot;
  if (old?.ledger !== undefined) totals.add(old);
  // Somebody may want to see what is wrong with it.
  else if (runtime.identify(path)) runtime.rename(path, `${path}.invalid`);
  const { id, count, ended } = old?.ledger ?? newLedger();
  const listed = new Set(ended);
  let added = 0;
  for (const { path, key } of files) {
    const snapshot = listed.has(key) ? undefined : parse(path, table)?.snapshot;
    if (snapshot === undefined) continue;
    totals.add(snapshot);
    listed.add(key);
    added++;
  }
  const info = {
    id,
    count: count + added,
    ended: [...listed].slice(-MAX_LISTED),
  };
  const bytes = new Exposition().write(totals.source(info), true);
  if (!hasLock()) return false;
  runtime.replaceFile(path, bytes, newFile(dir, "ledger"));
  return true;
}

function newLedger(): LedgerInfo {
  return { id: crypto.randomUUID(), count: 0, ended: [] };
}
