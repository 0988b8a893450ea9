/**
 * Hands the last values of this process over when it ends in an orderly way.
 *
 * Writes to the pipe directory at the end of the process.
 *
 * @module
 */

import { dangerOf } from "../directory/trust.ts";
import { writeEnded } from "../ended/legacy.ts";
import { takeIn } from "../ended/ledger_writer.ts";
import { SnapshotWriter } from "../format/snapshot_writer.ts";
import { processStart } from "../memory/process_start.ts";
import { threads } from "../memory/threads.ts";
import { attempt } from "../runtime/attempt.ts";
import { runtime } from "../runtime/runtime.ts";
import { nap } from "../runtime/pause.ts";
import { ProcessStats } from "../slab/process_stats.ts";

/** How long this process may take at its end to fill the ledger of its user, in milliseconds. */
const TAKE_IN_MS = 500;

/** Where the last values are written. */
interface Target {
  readonly dir: string;
  /** The mode of the file. */
  readonly mode: number;
  /** The user of this process, if that is known. */
  readonly user: number | undefined;
}

let target: Target | undefined;

let isListening = false;

/**
 * Writes the last values to a directory when the process ends, unless it is
 * killed, even if the recorder was stopped before. Of several calls, the last
 * one counts.
 *
 * @returns How to undo the call, for a recorder that could not start.
 */
export function handOverAtEnd(to: Target): () => void {
  const before = target;
  target = to;
  if (!isListening) {
    isListening = true;
    runtime.onExit(() => {
      const path = leave(true);
      if (path === undefined) return;
      const owner = runtime.identify(path)?.owner;
      if (owner === undefined) return;
      takeIn(target!.dir, owner, performance.now() + TAKE_IN_MS);
    }, () => {
      const path = leave(false);
      if (path === undefined) return;
      // If the event loop runs again, the program has caught the error. Where
      // the file cannot be removed, readers see that the process is alive.
      setTimeout(() => attempt(() => runtime.remove(path)));
    });
  }
  return () => target = before;
}

/** Writes the last values. Returns the path of the file, or `undefined` if there is none. */
function leave(isSure: boolean): string | undefined {
  if (target === undefined) return undefined;
  const stats = new ProcessStats(nap);
  stats.refresh(threads().slabs.values());
  if (stats.names.length === 0 && stats.recorded.size === 0) return undefined;
  const start = processStart();
  stats.process = { start, stalled: 0 };
  const snapshot = new SnapshotWriter().write(stats, true);
  try {
    const { dir, mode, user } = target;
    // Another user may have created the directory anew.
    if (dangerOf(dir, user) !== undefined) return undefined;
    return writeEnded(dir, runtime.pid, start, snapshot, mode, isSure);
  } catch {
    // The directory has gone, or is full. The program has ended, so there is no
    // caller to tell.
    return undefined;
  }
}
