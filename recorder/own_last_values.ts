/**
 * Writes the last values of this process, from which its counters and histograms
 * count on when it has ended.
 *
 * Touches the pipe directory.
 *
 * @module
 */

import { dangerOf } from "../directory/trust.ts";
import { noteMissed, writeLastValues } from "../ended/last_values.ts";
import { SnapshotWriter } from "../format/snapshot_writer.ts";
import { nextSeq } from "../memory/identity.ts";
import { threads } from "../memory/threads.ts";
import type { Identity } from "../model/identity.ts";
import { attempt } from "../runtime/attempt.ts";
import { crc32 } from "../runtime/crc32.ts";
import { nap } from "../runtime/pause.ts";
import { ProcessStats } from "../slab/process_stats.ts";

/** Where the last values are written. */
export interface Target {
  /** The pipe directory. */
  readonly dir: string;
  /** The mode of the file. */
  readonly mode: number;
  /** The user of this process, if that is known. */
  readonly user: number | undefined;
  readonly identity: Identity;
}

/**
 * Writes the last values.
 *
 * @param isFinal Whether the process ends for sure. One that may yet live, since
 * an error can be caught and a signal ignored, keeps its sign of life: its last
 * values count once that is dead.
 * @param isFull Whether so many processes have left theirs that these must only
 * be noted as missing.
 * @returns The path of the file; `undefined` if there is none.
 */
export function handOver(
  target: Target,
  isFinal: boolean,
  isFull: boolean,
): string | undefined {
  const stats = new ProcessStats(nap);
  stats.refresh(threads().known());
  if (stats.names.length === 0 && stats.recorded.size === 0) return undefined;
  const { dir, mode, user, identity } = target;
  const { id, start } = identity;
  const end = isFinal ? { final: true } : { last: true };
  stats.process = { id, start, ...end, stalled: 0 };
  const seq = nextSeq(identity);
  const bytes = new SnapshotWriter().write(stats, true, {
    windows: false,
    seq,
    crc32,
  });
  try {
    // Another user may have created the directory anew.
    if (dangerOf(dir, user) !== undefined) return undefined;
    if (isFull && user !== undefined) {
      // A process that may yet live has a checkpoint, which counts if it dies.
      if (isFinal) noteMissed(dir, user);
      return undefined;
    }
    return writeLastValues(dir, id, seq, bytes, mode);
  } catch {
    // The directory has gone, or is full, where a byte may still be appended.
    // The program has ended, so there is no caller to tell.
    if (isFinal && user !== undefined) attempt(() => noteMissed(dir, user));
    return undefined;
  }
}
