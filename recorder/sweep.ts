/**
 * Removes what dead processes of this user have left in the pipe directory, after
 * their counters and histograms are booked: a reader that opened such a pipe
 * would wait for ever.
 *
 * Touches the pipe directory.
 *
 * @module
 */

import {
  type OwnName,
  parseOwnName,
  parsePipeName,
} from "../directory/file_names.ts";
import { hasWriter } from "../directory/sign_of_life.ts";
import { bookDead } from "../ended/booking.ts";
import { removeStale } from "../ended/remove_stale.ts";
import { attempt } from "../runtime/attempt.ts";
import { sleep } from "../runtime/pause.ts";
import { runtime } from "../runtime/runtime.ts";

/** How old the files of a process that never showed its sign of life are when it must have died, in milliseconds. */
const STALE_MS = 60_000;

/** How long the sweep looks for files that were made for a moment, in milliseconds. */
const SEARCH_MS = 50;

/** How often a pipe without a sign of life is looked at before it is removed. */
const LOOKS = 6;

/** How long the sweep waits between two looks, in milliseconds: more than two seconds in all. */
const LOOK_MS = 450;

/** What may be removed. */
export interface SweepOptions {
  /** The pipe directory. */
  readonly dir: string;
  /** The user of this process. */
  readonly user: number;
  /** Whether to stop. */
  readonly isOver: () => boolean;
}

/** Removes the files of processes with an identity. */
function sweepOwn(
  { dir, user }: SweepOptions,
  names: readonly string[],
): void {
  const files = names.flatMap((name) => {
    const own = parseOwnName(name);
    return own === undefined ? [] : [{ ...own, path: `${dir}/${name}` }];
  });
  bookDead(dir, names, user);
  const shown = new Set(
    files.filter(({ rest }) => rest === "alive").map(({ id }) => id),
  );
  const hidden = files.filter(({ id }) => !shown.has(id));
  for (const file of hidden) removeHidden(file, user);
}

/** Removes a file of a process that was killed before it showed its sign of life. */
function removeHidden(
  { path }: OwnName & { path: string },
  user: number,
): void {
  attempt(() => {
    const file = runtime.identify(path);
    if (file?.owner !== user) return;
    if (Date.now() - file.modified > STALE_MS) runtime.remove(path);
  });
}

/** A pipe without a sign of life, as simple writers have them. */
interface Simple {
  readonly path: string;
  readonly inode: number;
}

/** The pipes of this user whose processes are not there and have no sign of life. */
function simplePipes(
  { dir, user }: SweepOptions,
  names: readonly string[],
): Simple[] {
  const signed = new Set(
    names.flatMap((name) => {
      const own = parseOwnName(name);
      return own?.rest === "alive" ? [own.base] : [];
    }),
  );
  return names.flatMap((name) => {
    const pipe = parsePipeName(name);
    if (pipe?.pid === undefined || signed.has(pipe.base)) return [];
    if (runtime.processExists(pipe.pid) !== false) return [];
    const path = `${dir}/${name}`;
    const file = attempt(() => runtime.identify(path));
    return file?.isFifo && file.owner === user
      ? [{ path, inode: file.inode }]
      : [];
  });
}

/** Removes pipes without a writer. They are looked at several times, since a writer may be between two pipes. */
async function sweepSimple(
  options: SweepOptions,
  names: readonly string[],
): Promise<void> {
  let pipes = simplePipes(options, names);
  for (let look = 1; look <= LOOKS && pipes.length > 0; look++) {
    if (options.isOver()) return;
    pipes = pipes.filter(({ path, inode }) =>
      attempt(() => runtime.identify(path)?.inode === inode && !hasWriter(path))
    );
    if (look < LOOKS) await sleep(LOOK_MS);
  }
  for (const { path } of pipes) attempt(() => runtime.remove(path));
}

/** Removes the pipes and files of dead processes. */
export async function sweep(options: SweepOptions): Promise<void> {
  const names = runtime.list(options.dir);
  sweepOwn(options, names);
  const isOwn = (owner: number) => owner === options.user;
  removeStale(options.dir, names, performance.now() + SEARCH_MS, isOwn);
  await sweepSimple(options, names);
}
