/**
 * Removes what was made for a moment by processes that were killed in that
 * moment, and gives live processes their pipes back.
 *
 * Touches the pipe directory and the clock.
 *
 * @module
 */

import {
  baseOfWithdrawn,
  isStartLock,
  parseOwnName,
  pidOfPrivate,
  pipePath,
} from "../directory/file_names.ts";
import { withdraw } from "./remove_dead.ts";
import { fromRandomStart } from "../model/from_random_start.ts";
import { attempt } from "../runtime/attempt.ts";
import type { FileId } from "../runtime/system.ts";
import { runtime } from "../runtime/runtime.ts";

/** How old a file is, in milliseconds, when its writer must have died. */
const STALE_MS = 60_000;

/**
 * How old the lock of a start is, in milliseconds, when it is nobody's: other
 * threads wait for it less than half as long.
 */
const STALE_LOCK_MS = 5_000;

/**
 * Removes stale files, and puts back pipes that were taken away in error.
 *
 * @param names The names of all files in the directory.
 * @param until When to stop, by `performance.now()`.
 * @param mayChange Whether this process may remove files of a user.
 */
export function removeStale(
  dir: string,
  names: readonly string[],
  until: number,
  mayChange: (owner: number) => boolean,
): void {
  for (const name of fromRandomStart(names)) {
    const base = baseOfWithdrawn(name);
    const isPrivate = pidOfPrivate(name) !== undefined;
    if (base === undefined && (!isPrivate || parseOwnName(name))) continue;
    if (performance.now() > until) return;
    attempt(() => {
      const path = `${dir}/${name}`;
      const file = runtime.identify(path);
      if (file === undefined) return;
      if (base !== undefined && file.isFifo) {
        if (mayChange(file.owner)) putBack(path, pipePath(dir, base), file);
      } else if (isStale(name, file) && mayChange(file.owner)) {
        runtime.remove(path);
      }
    });
  }
}

function isStale(name: string, { isFifo, modified }: FileId): boolean {
  // The pipes of a simple writer go with it.
  if (isFifo) return false;
  const age = Math.abs(Date.now() - modified);
  return age > (isStartLock(name) ? STALE_LOCK_MS : STALE_MS);
}

/**
 * Gives a pipe that was withdrawn its name back, and removes it again if it has
 * no writer. That is right however old it is: whoever has withdrawn it would do
 * the same, and finds that it was done.
 *
 * The name comes first: a writer that waits for a reader goes on as soon as the
 * pipe is opened, and fails if it then finds its pipe nowhere, or one in the
 * place of the next that it makes.
 */
function putBack(path: string, publicPath: string, file: FileId): void {
  // A pipe that has the name already keeps it.
  attempt(() => runtime.link(path, publicPath));
  const fd = runtime.openReader(path);
  try {
    if (runtime.identifyOpen(fd).inode !== file.inode) return;
    const hasWriter = runtime.read(fd, new Uint8Array(1)) !== 0;
    runtime.remove(path);
    const isThere = runtime.identify(publicPath)?.inode === file.inode;
    if (!hasWriter && isThere) withdraw(publicPath, path, file.inode);
  } finally {
    runtime.close(fd);
  }
}
