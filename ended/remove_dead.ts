/**
 * Removes what dead processes have left in the pipe directory, so that nobody
 * waits at their pipes.
 *
 * Removes nothing of a live process: that a sign of life is dead is asked after
 * the pipe was opened, which keeps its inode from being used again, and a live
 * process shows its sign before it has a pipe.
 *
 * Touches the pipe directory and the clock.
 *
 * @module
 */

import {
  alivePath,
  baseOfWithdrawn,
  parseOwnName,
  pidOfPrivate,
  pipePath,
  withdrawnPath,
} from "../directory/file_names.ts";
import { isAlive } from "../directory/sign_of_life.ts";
import { attempt } from "../runtime/attempt.ts";
import { runtime } from "../runtime/runtime.ts";

/** How many processes are removed in one go. */
const BATCH = 64;

/** A process that was found dead. */
export interface DeadProcess {
  /** Its identity. */
  readonly id: string;
  /** The name of its pipe without `.stats`. */
  readonly base: string;
  /** The id of the user who owns its files. */
  readonly owner: number;
}

/** A process whose files are to be removed. */
interface Removable {
  readonly base: string;
  /** The user whose files they are; `undefined` if whoever has found it dead has checked that. */
  readonly owner: number | undefined;
  /** Its identity; `undefined` for a simple writer. */
  readonly id: string | undefined;
  /** The pipe, while it is open. */
  readonly fd: number | undefined;
}

/**
 * Removes the pipes and the private files of processes with a sign of life.
 *
 * @param dead The processes that were found dead, and whose last values are
 * booked.
 * @param isKept Whether a file must stay, by its path.
 */
export function removeDead(
  dir: string,
  dead: readonly DeadProcess[],
  isKept: (path: string) => boolean = () => false,
): void {
  for (let i = 0; i < dead.length; i += BATCH) {
    removeBatch(dir, dead.slice(i, i + BATCH), isKept);
  }
}

/**
 * Removes the pipes of simple writers that were found dead.
 *
 * @param bases The names of the pipes without `.stats`.
 */
export function removeSimple(dir: string, bases: readonly string[]): void {
  for (let i = 0; i < bases.length; i += BATCH) {
    const batch = bases.slice(i, i + BATCH);
    removeBatch(
      dir,
      batch.map((base) => ({ base, owner: undefined, id: undefined })),
      () => false,
    );
  }
}

function removeBatch(
  dir: string,
  batch: readonly Omit<Removable, "fd">[],
  isKept: (path: string) => boolean,
): void {
  const opened = batch.map((process) => ({
    ...process,
    fd: attempt(() => openPipe(pipePath(dir, process.base))),
  }));
  try {
    const names = attempt(() => runtime.list(dir)) ?? [];
    const dead = opened.filter(({ base, id }) =>
      id === undefined || isAlive(alivePath(dir, base, id)) === false
    );
    for (const process of dead) {
      const owner = attempt(() => removePipe(dir, process, names));
      if (process.id !== undefined || owner === undefined) continue;
      removeNumbered(dir, process.base, owner, names);
    }
    removePrivate(dir, dead, names, isKept);
  } finally {
    for (const { fd } of opened) if (fd !== undefined) runtime.close(fd);
  }
}

function openPipe(path: string): number | undefined {
  return runtime.identify(path)?.isFifo ? runtime.openReader(path) : undefined;
}

/** Removes the private files of dead processes, their signs of life last. */
function removePrivate(
  dir: string,
  processes: readonly Removable[],
  names: readonly string[],
  isKept: (path: string) => boolean,
): void {
  const dead = new Map(processes.map((process) => [process.id, process]));
  const kept = new Set<string>();
  const signs: (() => void)[] = [];
  for (const name of names) {
    const own = parseOwnName(name);
    const owner = own && dead.get(own.id)?.owner;
    if (own === undefined || owner === undefined) continue;
    const path = `${dir}/${name}`;
    const remove = () => attempt(() => removeOwn(path, owner));
    if (isKept(path)) kept.add(own.id);
    else if (own.rest !== "alive") remove();
    else signs.push(() => !kept.has(own.id) && remove());
  }
  for (const remove of signs) remove();
}

function removeOwn(path: string, owner: number): void {
  if (runtime.identify(path)?.owner === owner) runtime.remove(path);
}

/** Removes the private files of a simple writer, whose names begin with its process id. */
function removeNumbered(
  dir: string,
  base: string,
  owner: number,
  names: readonly string[],
): void {
  for (const name of names) {
    const pid = pidOfPrivate(name);
    if (`${pid}` !== base || parseOwnName(name) !== undefined) continue;
    // It may be that of a live process, and is put back.
    if (baseOfWithdrawn(name) !== undefined) continue;
    attempt(() => removeOwn(`${dir}/${name}`, owner));
  }
}

/**
 * Removes the pipe that was opened, unless another process has the name.
 *
 * @returns Whose pipe it was, if it was removed.
 */
function removePipe(
  dir: string,
  { base, owner, fd, id }: Removable,
  names: readonly string[],
): number | undefined {
  if (fd === undefined) return undefined;
  const { inode, owner: actual } = runtime.identifyOpen(fd);
  if (owner !== undefined && actual !== owner) return undefined;
  const isTaken = names.map(parseOwnName).some((own) =>
    own?.base === base && own.rest === "alive" && own.id !== id &&
    livesFor(alivePath(dir, base, own.id), actual)
  );
  // A simple writer may have got the process id, and with it the name.
  if (isTaken || runtime.read(fd, new Uint8Array(1)) !== 0) return undefined;
  const path = pipePath(dir, base);
  const isRemoved = withdraw(path, withdrawnPath(dir, base), inode);
  return isRemoved ? actual : undefined;
}

/**
 * Removes a pipe by way of another name. Another pipe may have got its name at
 * the last moment, and gets that back, unless the next one is there already. If
 * this process is killed before that, `removeStale` does it.
 *
 * @returns Whether it was the pipe of that inode.
 */
export function withdraw(path: string, away: string, inode: number): boolean {
  runtime.rename(path, away);
  const isMeant = runtime.identify(away)?.inode === inode;
  if (!isMeant) attempt(() => runtime.link(away, path));
  runtime.remove(away);
  return isMeant;
}

function livesFor(path: string, owner: number): boolean {
  return runtime.identify(path)?.owner === owner && isAlive(path) !== false;
}
