/**
 * Removes the files of dead processes from the pipe directory.
 *
 * Touches the pipe directory and the clock.
 *
 * @module
 */

import { pidOfPipe, pidOfPrivate } from "../directory/file_names.ts";
import { fromRandomStart } from "../model/from_random_start.ts";
import { attempt } from "../runtime/attempt.ts";
import { runtime } from "../runtime/runtime.ts";

/**
 * Removes the pipes and private files of dead processes, including processes
 * that were killed before they had a pipe. Files that this user may not remove
 * stay.
 *
 * @param names The names of all files in the directory.
 * @param isDead Whether a process was found dead, by id, for those whose pipe
 * was read. The others are looked up.
 * @param until When to stop, by `performance.now()`.
 */
export function removeLeftovers(
  dir: string,
  names: readonly string[],
  isDead: ReadonlyMap<number, boolean>,
  until: number,
): void {
  const dead = new Map(isDead);
  for (const name of fromRandomStart(names)) {
    const pid = pidOfPrivate(name) ?? pidOfPipe(name);
    if (pid === undefined) continue;
    if (performance.now() > until) return;
    if (!dead.has(pid)) dead.set(pid, runtime.processExists(pid) === false);
    if (dead.get(pid)) attempt(() => runtime.remove(`${dir}/${name}`));
  }
}
