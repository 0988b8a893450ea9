/**
 * Keeps a ledger of which no generation is whole for a person, and puts back
 * what a reader still knows of it.
 *
 * Touches the pipe directory.
 *
 * @module
 */

import { generationsOf, readGeneration } from "./generations.ts";
import { noteMissed } from "./last_values.ts";
import type { Ledger } from "./ledger_reader.ts";
import {
  damagedPath,
  generationPath,
  newGenerationPath,
  parseDamagedName,
} from "../directory/file_names.ts";
import { attempt, succeeds } from "../runtime/attempt.ts";
import { runtime } from "../runtime/runtime.ts";

/**
 * Gives the generations of a ledger other names, so that nobody removes them.
 *
 * @param generations Their numbers, the highest one first.
 * @returns Whether the highest one was set aside by this call.
 */
function setAside(
  dir: string,
  user: number,
  generations: readonly number[],
): boolean {
  const done = generations.map((generation) => {
    const path = generationPath(dir, { user, generation });
    const aside = damagedPath(dir, { user, generation });
    if (runtime.identify(path)?.owner !== user) return false;
    if (!succeeds(() => runtime.rename(path, aside))) return false;
    // Somebody may have put a whole one in its place at the last moment.
    const file = runtime.identify(aside);
    const isWhole = file !== undefined &&
      readGeneration({ path: aside, generation, file }) !== undefined;
    if (!isWhole) return true;
    attempt(() => runtime.link(aside, path));
    runtime.remove(aside);
    return false;
  });
  return done[0] ?? false;
}

/**
 * Sets aside a ledger of which no generation is whole. How many processes were
 * in it is not known: it counts as one that is missed.
 *
 * @throws If this process may not write.
 */
export function setAsideLost(
  dir: string,
  user: number,
  generations: readonly number[],
): void {
  if (setAside(dir, user, generations)) noteMissed(dir, user);
}

/**
 * Puts a generation back that was read before it was damaged, or before those
 * after it were, unless a new ledger has begun.
 *
 * @throws If this process may not write, or there is no space.
 */
export function restore(dir: string, user: number, last: Ledger): void {
  setAside(dir, user, generationsOf(runtime.list(dir), user));
  const names = runtime.list(dir);
  if (generationsOf(names, user).length > 0) return;
  const modes = names.map(parseDamagedName).flatMap((said) => {
    if (said?.user !== user) return [];
    const file = runtime.identify(damagedPath(dir, said));
    return file?.owner === user ? [file.mode] : [];
  });
  const mode = modes.reduce((all, mode) => all & mode, 0o666) | 0o600;
  const temporary = newGenerationPath(dir, user);
  const { generation } = last.info;
  try {
    runtime.writeNew(temporary, last.bytes, mode, true);
    if (runtime.identify(temporary)?.owner !== user) {
      runtime.chown(temporary, user);
    }
    runtime.link(temporary, generationPath(dir, { user, generation }));
  } finally {
    attempt(() => runtime.remove(temporary));
  }
}
