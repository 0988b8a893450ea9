/**
 * The stats of the process that runs the tests.
 *
 * @module
 */

import type { Snapshot } from "../../format/snapshot.ts";
import { parseSnapshot } from "../../format/snapshot_parser.ts";
import { SnapshotWriter } from "../../format/snapshot_writer.ts";
import { getAll } from "../../mod.ts";
import { nap } from "../../runtime/pause.ts";
import { ProcessStats } from "../../slab/process_stats.ts";
import { ownSlab } from "../../stats/stats.ts";

/** The decoder of the process's shared memory, as of the last snapshot. */
export const process = new ProcessStats(nap);

/** What the pipe of this process would send. */
export function snapshot(): Snapshot {
  process.refresh([ownSlab().slab]);
  return parseSnapshot(new SnapshotWriter().write(process, true).slice());
}

/** The stats whose names begin with `prefix`, as `getAll()` has them. */
export function all(prefix: string): Record<string, number> {
  return Object.fromEntries(
    Object.entries(getAll()).filter(([name]) => name.startsWith(prefix)),
  );
}
