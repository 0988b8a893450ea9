/**
 * Decides when the values of an ended process are ready for the ledger, after
 * which they can no longer be raised.
 *
 * Pure: no clock, no I/O.
 *
 * @module
 */

import type { ReadFile } from "./last_values_reader.ts";
import type { Snapshot } from "../format/snapshot.ts";

/**
 * How long a killed process stays by itself, in milliseconds, after its last
 * file was written, so that every service that has read more of it can say so.
 */
export const RAISABLE_MS = 3_600_000;

/** How many killed processes of a user stay by themselves. */
const MAX_KILLED = 256;

/** How many bytes their files may have. */
const MAX_KILLED_BYTES = 2 ** 24;

/** What counts of a process: its file with the highest number that is whole. */
export function bestOf<T extends ReadFile>(
  files: readonly T[],
): T | undefined {
  return files.find(({ parsed }) => parsed !== undefined);
}

/** When the newest file of a process was written. */
function newest(files: readonly ReadFile[]): number {
  return Math.max(...files.map(({ modified }) => modified));
}

/**
 * The processes of one user that are ready: those that have left all that they
 * have counted, and of the killed ones those that nobody has raised for long, or
 * that are too many.
 *
 * @param processes The files of each process, the highest number first.
 * @param now The time, in milliseconds since 1970.
 * @param isWanted Whether a killed process is ready at once, by its last values.
 */
export function readyOf<T extends ReadFile>(
  processes: readonly (readonly T[])[],
  now: number,
  isWanted: (snapshot: Snapshot) => boolean = () => false,
): (readonly T[])[] {
  const whole = processes.filter((files) => bestOf(files) !== undefined);
  const isComplete = (files: readonly T[]) => {
    const { final, last } = bestOf(files)!.parsed!;
    return final || last;
  };
  const killed = whole.filter((files) => !isComplete(files))
    .sort((a, b) => newest(b) - newest(a));
  let count = 0;
  let bytes = 0;
  const ready = killed.filter((files) => {
    count++;
    const { size, parsed } = bestOf(files)!;
    bytes += size;
    return count > MAX_KILLED || bytes > MAX_KILLED_BYTES ||
      now - newest(files) > RAISABLE_MS || isWanted(parsed!.snapshot);
  });
  return [...whole.filter(isComplete), ...ready.reverse()];
}

/** The processes whose files have been damaged for so long that nobody will mend them. */
export function lostOf<T extends ReadFile>(
  processes: readonly (readonly T[])[],
  now: number,
): (readonly T[])[] {
  return processes.filter((files) =>
    bestOf(files) === undefined && now - newest(files) > RAISABLE_MS
  );
}
