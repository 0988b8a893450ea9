/**
 * Takes the last values of ended processes into the ledger of their user.
 *
 * Touches the pipe directory.
 *
 * @module
 */

import {
  type EndedFile,
  endedFiles,
  parseFile,
  settle,
  withoutTwins,
} from "./last_values.ts";
import { Totals } from "./totals.ts";
import {
  invalidLedgerPath,
  ledgerLockPath,
  ledgerName,
  newFilePath,
} from "../directory/file_names.ts";
import { NameTable, type Snapshot } from "../format/snapshot.ts";
import { SnapshotWriter } from "../format/snapshot_writer.ts";
import { fromRandomStart } from "../model/from_random_start.ts";
import { type LedgerInfo, MAX_LISTED } from "../model/identity.ts";
import { isSystemError } from "../runtime/attempt.ts";
import { runtime } from "../runtime/runtime.ts";

/**
 * How many files are taken in between two writes of the ledger. All must be
 * listed in it as long as they are there, so this is less than `MAX_LISTED`.
 */
const BATCH = 1_024;

/** How old a lock is, in milliseconds, when its owner must have died. */
const STALE_MS = 10_000;

/**
 * Takes the files of ended processes of one user into the ledger of that user,
 * unless another process holds the lock of the ledger.
 *
 * @param owner The id of the user.
 * @param until When to stop, by `performance.now()`. The next call continues.
 * @param seen The files, if the caller has listed them already.
 * @returns `false` if this process runs as another user.
 */
export function takeIn(
  dir: string,
  owner: number,
  until = Infinity,
  seen?: readonly EndedFile[],
): boolean {
  const ledgerPath = `${dir}/${ledgerName(owner)}`;
  const lockPath = ledgerLockPath(ledgerPath);
  try {
    let files = seen ?? ownFiles(dir, owner, until);
    while (files.length > 0) {
      const { since, isOwn } = takeLock(lockPath, owner);
      if (since === undefined) return isOwn;
      // False if this process was stopped for so long that another one broke
      // the lock.
      const isOurs = () => runtime.identify(lockPath)?.modified === since;
      try {
        const ledger = openLedger(ledgerPath, owner, files);
        if (!addFiles(dir, ledger, files, isOurs, until)) return true;
      } finally {
        if (isOurs()) runtime.remove(lockPath);
      }
      // Look again: a process that found the lock taken has left its file for us.
      files = ownFiles(dir, owner, until);
    }
  } catch (error) {
    // There is no space, or no permission. The files stay, and are read.
    if (!isSystemError(error)) throw error;
  }
  return true;
}

function ownFiles(dir: string, owner: number, until: number): EndedFile[] {
  const isLate = () => performance.now() > until;
  if (isLate()) return [];
  const names = settle(dir, runtime.list(dir), isLate);
  return [...endedFiles(dir, [...fromRandomStart(names)], isLate)]
    .filter((file) => file.owner === owner);
}

/**
 * Takes the lock of a user's ledger.
 *
 * @returns `since`, the time at which the lock was taken, which tells it from
 * later locks, or `undefined` if another process holds it; and whether this
 * process runs as that user, as far as is known.
 */
function takeLock(
  lockPath: string,
  owner: number,
): { since?: number; isOwn: boolean } {
  if (!runtime.createNew(lockPath)) {
    const file = runtime.identify(lockPath);
    // A lock that has gone by now is not removed: another process may hold it
    // again.
    if (file !== undefined) {
      // A lock from the future means that the clock was set back.
      const age = Math.abs(Date.now() - file.modified);
      if (age < STALE_MS) return { isOwn: true };
      runtime.remove(lockPath);
    }
    if (!runtime.createNew(lockPath)) return { isOwn: true };
  }
  const file = runtime.identify(lockPath);
  if (file?.owner === owner) return { since: file.modified, isOwn: true };
  runtime.remove(lockPath);
  return { isOwn: file === undefined };
}

/** A ledger that files are being added to. */
interface OpenLedger {
  readonly path: string;
  /** The mode of the file. */
  readonly mode: number;
  readonly info: LedgerInfo;
  readonly totals: Totals;
  /** The ids of the names in all snapshots that are read. */
  readonly table: NameTable;
}

/** Reads the ledger of a user, or begins a new one where there is none that can be used. */
function openLedger(
  path: string,
  owner: number,
  files: readonly EndedFile[],
): OpenLedger {
  const table = new NameTable();
  const totals = new Totals();
  const file = runtime.identify(path);
  // No user may read more in the ledger than in the files that it is made of.
  const mode = files.reduce(
    (mode, file) => mode & file.mode,
    file?.mode ?? 0o777,
  );
  let old: Snapshot | undefined;
  // A file that another user has planted is no ledger of this one.
  if (file?.owner === owner) old = parseFile(path, table)?.snapshot;
  if (old?.ledger !== undefined) totals.add(old);
  // Kept, so that a person can see what is wrong with it.
  else if (file !== undefined) runtime.rename(path, invalidLedgerPath(path));
  const info = old?.ledger ??
    { id: crypto.randomUUID(), count: 0, killed: 0, ended: [] };
  return { path, mode, info, totals, table };
}

/** Adds files to the ledger, then removes them. Returns whether the lock was held until the end. */
function addFiles(
  dir: string,
  { path: ledgerPath, mode, info, totals, table }: OpenLedger,
  files: readonly EndedFile[],
  isOurs: () => boolean,
  until: number,
): boolean {
  const known = new Set(info.ended);
  // A process that was killed after it had written the ledger has left these.
  for (const file of files) if (known.has(file.key)) runtime.remove(file.path);
  const added = withoutTwins(files.filter(({ key }) => !known.has(key)));
  const ended = [...info.ended];
  let count = info.count;
  for (let next = 0; next < added.length && performance.now() <= until;) {
    const first = next;
    do {
      const file = added[next++];
      const snapshot = parseFile(file.path, table)?.snapshot;
      if (snapshot === undefined) continue;
      totals.add(snapshot);
      ended.push(file.key);
      count++;
    } while (
      next < added.length && next < first + BATCH &&
      performance.now() <= until
    );
    const source = totals.source({
      id: info.id,
      count,
      killed: info.killed,
      ended: ended.slice(-MAX_LISTED),
    });
    const bytes = new SnapshotWriter().write(source, true);
    if (!isOurs()) return false;
    runtime.replaceFile(
      ledgerPath,
      bytes,
      newFilePath(dir, runtime.pid),
      mode,
    );
    for (const file of added.slice(first, next)) runtime.remove(file.path);
  }
  return true;
}
