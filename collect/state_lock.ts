/**
 * Keeps a state file to one process at a time.
 *
 * Touches the lock file, which stands beside the state file, and the clock.
 *
 * @module
 */

import { StateError, withStateFile } from "./state_error.ts";
import { untakenPath } from "../directory/file_names.ts";
import { attempt } from "../runtime/attempt.ts";
import { nap } from "../runtime/pause.ts";
import { runtime } from "../runtime/runtime.ts";

/**
 * After how many milliseconds a process that is removing a stale lock is taken
 * for dead.
 */
const STALE_MS = 1_000;

/**
 * Keeps other processes from using a state file, until this one ends.
 *
 * @throws {Error} If another process uses it, or there can be no lock file.
 */
export function lockState(path: string): void {
  const lock = `${path}.lock`;
  const own = untakenPath(lock);
  const bytes = new TextEncoder().encode(`${runtime.pid}`);
  withStateFile(path, () => {
    runtime.replaceFile(own, bytes, `${own}.new`);
    try {
      // A link appears in one step and has its content from the beginning.
      while (!tryToLink(own, lock)) removeStaleLock(path, lock);
    } finally {
      runtime.remove(own);
    }
    // A lock that cannot be removed is stale, and the next process sees that.
    runtime.onExit(() => attempt(() => runtime.remove(lock)), () => {});
  });
}

/** Links a file to another path, unless a file is there. Returns whether it did. */
function tryToLink(path: string, linkPath: string): boolean {
  try {
    runtime.link(path, linkPath);
    return true;
  } catch {
    if (runtime.identify(linkPath) !== undefined) return false;
    // Some file systems have no hard links.
    runtime.rename(path, linkPath);
    return true;
  }
}

/**
 * Removes the lock of a process that has died. One process at a time does so:
 * a slow one would remove the new lock of a process that was faster.
 *
 * @throws {StateError} If the process is alive.
 */
function removeStaleLock(path: string, lock: string): void {
  checkStale(path, lock);
  const removing = `${lock}.stale`;
  if (!runtime.createNew(removing)) {
    const { modified = 0 } = runtime.identify(removing) ?? {};
    const isAbandoned = Math.abs(Date.now() - modified) > STALE_MS;
    if (isAbandoned) runtime.remove(removing);
    nap(10);
    return;
  }
  try {
    checkStale(path, lock);
    runtime.remove(lock);
  } finally {
    runtime.remove(removing);
  }
}

/** @throws {StateError} If another process, which is alive, has made the lock. */
function checkStale(path: string, lock: string): void {
  const pid = Number(new TextDecoder().decode(runtime.readFile(lock)));
  if (!(pid > 0) || pid === runtime.pid || !runtime.processExists(pid)) return;
  throw new StateError(
    path,
    `each service needs a file of its own, but process ${pid} uses it`,
  );
}
