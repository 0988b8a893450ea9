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
 * after it were, unless a new ledger has begun. What generations had taken in
 * that nobody may know any more counts as one process that is missed.
 *
 * @throws If this process may not write, or there is no space.
 */
export function restore(dir: string, user: number, last: Ledger): void {
  const generations = generationsOf(runtime.list(dir), user);
  const isFirst = setAside(dir, user, generations);
  const names = runtime.list(dir);
  if (generationsOf(names, user).length > 0) return;
  // The files of what the highest one alone had taken in are still there.
  const isMissing = generations[0] > last.info.generation + 1;
  if (isFirst && isMissing) noteMissed(dir, user);
  const modes = names.map(parseDamagedName).flatMap((said) => {
    if (said?.user !== user) return [];
    const file = runtime.identify(damagedPath(dir, said));
    return file?.owner === user ? [file.mode] : [];
  });
  putBack(dir, user, last, modes);
}

/**
 * Puts a generation back after somebody has put back an earlier one: whoever
 * knows most decides.
 *
 * @throws If this process may not write, or there is no space.
 */
export function advance(dir: string, user: number, last: Ledger): void {
  const files = generationsOf(runtime.list(dir), user).flatMap((generation) => {
    const path = generationPath(dir, { user, generation });
    const file = runtime.identify(path);
    return file?.owner === user ? [{ generation, mode: file.mode }] : [];
  });
  // A person may have removed them, and others may have gone on.
  if (files.length === 0) return;
  if (files[0].generation >= last.info.generation) return;
  putBack(dir, user, last, files.map(({ mode }) => mode));
}

/** Links a generation under its number, for those who may read what was there before. */
function putBack(
  dir: string,
  user: number,
  { info: { generation }, bytes }: Ledger,
  modes: readonly number[],
): void {
  const mode = modes.reduce((all, mode) => all & mode, 0o666) | 0o600;
  const temporary = newGenerationPath(dir, user);
  try {
    runtime.writeNew(temporary, bytes, mode, true);
    if (runtime.identify(temporary)?.owner !== user) {
      runtime.chown(temporary, user);
    }
    runtime.link(temporary, generationPath(dir, { user, generation }));
  } finally {
    attempt(() => runtime.remove(temporary));
  }
}
