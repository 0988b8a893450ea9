/**
 * Keeps a state file to one process at a time.
 *
 * The lock is a named pipe beside the state file that its process holds open
 * until it dies, so the kernel says whether it is held: to every process that
 * can see the file, in whatever namespace, and also if another process has got
 * the process id.
 *
 * Touches the lock file and the clock.
 *
 * @module
 */

import { StateError, withStateFile } from "./state_error.ts";
import { checkDirectory } from "./state_file.ts";
import { untakenPath } from "../directory/file_names.ts";
import { isAlive } from "../directory/sign_of_life.ts";
import { attempt } from "../runtime/attempt.ts";
import { sleep } from "../runtime/pause.ts";
import { runtime } from "../runtime/runtime.ts";

/** How often a lock that nobody holds is taken away before this is given up. */
const MAX_TRIES = 20;

/** How long a lock that was taken away in error may miss its name, in milliseconds. */
const SETTLE_MS = 20;

/** The mode of the lock. Whoever may use the state file may ask for it. */
const MODE = 0o600;

/**
 * Keeps other processes from using a state file, until this one ends.
 *
 * @throws {Error} If another process uses it, or there can be no lock file.
 */
export async function lockState(path: string): Promise<void> {
  checkDirectory(path);
  const lock = `${path}.lock`;
  const own = untakenPath(lock);
  try {
    await runtime.makeFifos([own], MODE);
  } catch (error) {
    throw new StateError(path, whyNoPipe(error), error);
  }
  // Held before it has the name, so nobody ever finds it and takes it for stale.
  const fd = withStateFile(path, () => runtime.openBoth(own));
  const { inode } = runtime.identifyOpen(fd);
  try {
    for (let i = 0; i < MAX_TRIES; i++) {
      if (!withStateFile(path, () => tryToLink(path, own, lock))) continue;
      // Two processes may have taken away a stale lock, and the later one this.
      await sleep(SETTLE_MS);
      if (runtime.identify(lock)?.inode === inode) {
        runtime.onExit(() => attempt(() => runtime.remove(lock)), () => {});
        return;
      }
    }
    throw usedError(path);
  } catch (error) {
    runtime.close(fd);
    throw error;
  } finally {
    attempt(() => runtime.remove(own));
  }
}

function whyNoPipe(error: unknown): string {
  return `there must be a named pipe beside it, which takes the program mkfifo, and on Deno --allow-run=mkfifo (${
    (error as Error).message
  })`;
}

function usedError(path: string): StateError {
  return new StateError(
    path,
    "each service needs a file of its own, but another process uses it",
  );
}

/**
 * Gives the own lock the name, unless a lock is there that is held.
 *
 * @returns Whether it has the name. Otherwise a stale lock was taken away.
 * @throws {StateError} If another process holds the lock.
 */
function tryToLink(path: string, own: string, lock: string): boolean {
  try {
    runtime.link(own, lock);
    return true;
  } catch (error) {
    const file = runtime.identify(lock);
    if (file === undefined) {
      // Some file systems have no hard links.
      if ((error as { code?: string }).code === "EEXIST") return false;
      runtime.rename(own, lock);
      return true;
    }
  }
  if (isAlive(lock) === true) throw usedError(path);
  const away = untakenPath(lock);
  if (!movedAway(lock, away)) return false;
  // It may be the lock of a process that was quicker, and gets it back.
  const isHeld = isAlive(away) === true;
  if (isHeld) attempt(() => runtime.link(away, lock));
  runtime.remove(away);
  if (isHeld) throw usedError(path);
  return false;
}

function movedAway(path: string, away: string): boolean {
  try {
    runtime.rename(path, away);
    return true;
  } catch (error) {
    if ((error as { code?: string }).code === "ENOENT") return false;
    throw error;
  }
}
