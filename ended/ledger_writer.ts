/**
 * Takes what ended processes have left into the ledger of their user.
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
} from "./ended_files.ts";
import { Totals } from "./totals.ts";
import {
  invalidLedgerPath,
  ledgerLockPath,
  ledgerName,
  newFilePath,
} from "../directory/file_names.ts";
import { NameTable } from "../format/snapshot.ts";
import { SnapshotWriter } from "../format/snapshot_writer.ts";
import { fromRandomStart } from "../model/from_random_start.ts";
import { type LedgerInfo, MAX_LISTED } from "../model/identity.ts";
import { runtime } from "../runtime/runtime.ts";

/** How many it takes in at one time: all are listed as long as their files are there. */
const BATCH = 1_024;

/** How old a lock is, in milliseconds, when its owner must have died. */
const STALE_MS = 10_000;

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
  const lock = ledgerLockPath(`${dir}/${ledgerName(owner)}`);
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
  const isLate = () => performance.now() > until;
  if (isLate()) return [];
  const names = settle(dir, runtime.list(dir), isLate);
  return [...endedFiles(dir, [...fromRandomStart(names)], isLate)]
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
    const file = runtime.identify(path);
    // What has gone by now is not removed: somebody else may have it again.
    if (file !== undefined) {
      // Nor is it of the future, unless the clock was set back.
      const age = Math.abs(Date.now() - file.modified);
      if (age < STALE_MS) return { isOwn: true };
      runtime.remove(path);
    }
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
  const path = `${dir}/${ledgerName(owner)}`;
  const table = new NameTable();
  const totals = new Totals();
  // What another user has put there is no ledger of this one.
  const isOwn = runtime.identify(path)?.owner === owner;
  const old = isOwn ? parseFile(path, table)?.snapshot : undefined;
  // Nobody may read more of it than of the files that it is made of.
  const mode = files.reduce(
    (mode, file) => mode & file.mode,
    runtime.identify(path)?.mode ?? 0o777,
  );
  if (old?.ledger !== undefined) totals.add(old);
  // Somebody may want to see what is wrong with it.
  else if (runtime.identify(path)) {
    runtime.rename(path, invalidLedgerPath(path));
  }
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
      const snapshot = parseFile(path, table)?.snapshot;
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
    const bytes = new SnapshotWriter().write(source, true);
    if (!isOurs()) return false;
    runtime.replaceFile(path, bytes, newFilePath(dir, runtime.pid), mode);
    for (const { path } of added.slice(first, start)) runtime.remove(path);
  }
  return true;
}

function newLedger(): LedgerInfo {
  return { id: crypto.randomUUID(), count: 0, ended: [] };
}
