/**
 * Removes the pipes of this process, so that no reader waits at one of them: to
 * open a pipe that has no other side takes for ever.
 *
 * Touches the pipe directory.
 *
 * @module
 */

import {
  pidOfPrivate,
  pipePath,
  shortLivedPath,
  startLockPath,
} from "../directory/file_names.ts";
import { attempt } from "../runtime/attempt.ts";
import { runtime } from "../runtime/runtime.ts";

/** How long the removal may take where another process has planted files, in milliseconds. */
const REMOVE_MS = 250;

/**
 * Removes all pipes of this process, or of an earlier one that had its id.
 *
 * @param user The user of this process, if that is known.
 * @param hold The recorder's hold of the pipe whose reader it waits for, or 0.
 * @returns Open files that keep readers of these pipes from waiting, to be
 * closed later by {@linkcode closeAll}.
 */
export function removePipes(
  dir: string,
  user: number | undefined,
  hold: number,
): number[] {
  const until = performance.now() + REMOVE_MS;
  const lock = startLockPath(dir, runtime.pid);
  const files: (number | undefined)[] = [];
  // From here on no reader finds the pipe.
  attempt(() =>
    runtime.rename(
      pipePath(dir, runtime.pid),
      shortLivedPath(dir, runtime.pid),
    )
  );
  const names = attempt(() => runtime.list(dir)) ?? [];
  // The held pipe comes first: it keeps the program from ending on a runtime
  // that cannot end a thread that waits, and there may be room for one open file
  // only. It is opened by its hold, since it may have lost its names before.
  if (hold > 0) {
    files.push(attempt(() => runtime.openBoth(`/proc/self/fd/${hold}`)));
  }
  for (const name of names) {
    const path = `${dir}/${name}`;
    if (pidOfPrivate(name) !== runtime.pid || path === lock) continue;
    if (performance.now() > until) break;
    const file = attempt(() => runtime.identify(path));
    // Files that another user has planted are not opened, nor are symbolic links followed.
    if (user !== undefined && file?.owner !== user) continue;
    if (file?.isFifo) files.push(attempt(() => runtime.openBoth(path)));
    attempt(() => runtime.remove(path));
  }
  return files.filter((fd) => fd !== undefined);
}

/** Closes all of these files. */
export function closeAll(files: readonly number[]): void {
  for (const fd of files) runtime.close(fd);
}
