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
import { succeeds } from "../runtime/attempt.ts";
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

// Kept, since a program that ends may hand over twice.
let ownNow: ProcessStats | undefined;

/** All stats of this process, as it shows itself in a file. */
function ownStats(
  { id, start }: Identity,
  end: { final?: true; last?: true },
): ProcessStats {
  const stats = ownNow ??= new ProcessStats(nap);
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

/** How last values were handed over. */
export interface HandedOver {
  /** The path of the file; `undefined` if there is none. */
  readonly path: string | undefined;
  /**
   * Whether they count without the checkpoint of this process: since the file is
   * there, since there is nothing to count or since they are noted as missing.
   */
  readonly isSettled: boolean;
}

/** What was handed over for sure, by the stamp of the stats. */
let settled: { stamp: number; result: HandedOver } | undefined;

/**
 * Writes the last values.
 *
 * @param isFinal Whether the process ends for sure. One that may yet live, since
 * an error can be caught and a signal ignored, keeps its sign of life: its last
 * values count once that is dead.
 * @param isFull Whether so many processes have left theirs that these must only
 * be noted as missing.
 */
export function handOver(
  target: Target,
  isFinal: boolean,
  isFull: boolean,
): HandedOver {
  threads().catchUp();
  const end = isFinal ? { final: true as const } : { last: true as const };
  const stats = ownStats(target.identity, end);
  const stamp = stats.stamp();
  if (settled?.stamp === stamp) return settled.result;
  const result = handOverAs(target, stats, isFinal, isFull);
  if (isFinal && result.isSettled) settled = { stamp, result };
  return result;
}

function handOverAs(
  { dir, mode, user, identity }: Target,
  stats: ProcessStats,
  isFinal: boolean,
  isFull: boolean,
): HandedOver {
  const nothing = { path: undefined, isSettled: true };
  if (stats.names.length === 0 && stats.recorded.size === 0) return nothing;
  const seq = nextSeq(identity);
  const bytes = new SnapshotWriter().write(stats, true, {
    windows: false,
    seq,
    crc32,
  });
  try {
    // Another user may have created the directory anew, or may write to it.
    const danger = dangerOf(dir, user);
    if (danger !== undefined) throw new Error(danger);
    if (isFull && user !== undefined) {
      // A process that may yet live has a checkpoint, which counts if it dies.
      if (isFinal) noteMissed(dir, user);
      return nothing;
    }
    const path = writeLastValues(dir, identity.id, seq, bytes, mode);
    return { path, isSettled: true };
  } catch {
    // The directory has gone, is full or is not to be trusted. The program has
    // ended, so there is no caller to tell.
    return { path: undefined, isSettled: false };
  }
}

/**
 * Notes that the last values of this process are missing, where no checkpoint
 * stands in for them. A full disk may take one more byte.
 */
export function noteLoss({ dir, user }: Target): boolean {
  return user !== undefined && succeeds(() => {
    const danger = dangerOf(dir, user);
    if (danger !== undefined) throw new Error(danger);
    noteMissed(dir, user);
  });
}
