/**
 * Writes the last values of this process from the thread that ends it or its
 * recorder. Its counters and histograms count on from them when it has ended.
 *
 * Touches the pipe directory.
 *
 * @module
 */

import type { OwnBase } from "../directory/file_names.ts";
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
import { CheckpointWriter } from "./checkpoint_writer.ts";

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

/** All stats of this process, as it shows itself in a file. */
function ownStats(
  { id, start }: Identity,
  end: { final?: true; last?: true },
): ProcessStats {
  const stats = new ProcessStats(nap);
  stats.refresh(threads().known());
  stats.process = { id, start, ...end, stalled: 0 };
  return stats;
}

/**
 * Writes a checkpoint in the place of the recorder's thread, which has written
 * its last one.
 *
 * @throws {Error} If it cannot be written.
 */
export function writeCheckpoint(target: Target, presence: OwnBase): void {
  const { dir, mode, user, identity } = target;
  const writer = new CheckpointWriter({
    dir,
    mode,
    user,
    presence,
    stamp: () => 0,
    snapshot: () => {
      const seq = nextSeq(identity);
      const options = { windows: false, seq };
      const stats = ownStats(identity, {});
      return { seq, bytes: new SnapshotWriter().write(stats, true, options) };
    },
  });
  writer.write();
  writer.close();
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
  const { dir, mode, user, identity } = target;
  const end = isFinal ? { final: true as const } : { last: true as const };
  const stats = ownStats(identity, end);
  if (stats.names.length === 0 && stats.recorded.size === 0) return undefined;
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
    return writeLastValues(dir, identity.id, seq, bytes, mode);
  } catch {
    // The directory has gone, or is full, where a byte may still be appended.
    // The program has ended, so there is no caller to tell.
    if (isFinal && user !== undefined) attempt(() => noteMissed(dir, user));
    return undefined;
  }
}
