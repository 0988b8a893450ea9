/**
 * All stats of the process, read by the process itself.
 *
 * Reads shared memory. The first call makes this thread listen to the others.
 *
 * @module
 */

import { threads } from "../memory/threads.ts";
import { nap } from "../runtime/pause.ts";
import { ProcessStats } from "../slab/process_stats.ts";

let process: ProcessStats | undefined;

/**
 * All stats of this process as the pipe would show them now, with the stats of
 * other threads as far as this thread has heard of them.
 *
 * @example Everything at once
 * ```ts
 * import { getAll, incr } from "@statvent/statvent";
 * import { assertEquals } from "@std/assert";
 *
 * incr("jobs.done", 4);
 * assertEquals(getAll()["jobs.done"], 4);
 * ```
 *
 * @returns A new object: first counters and gauges, then distributions, each in
 * the order in which they were created.
 */
export function getAll(): Record<string, number> {
  process ??= new ProcessStats(nap);
  process.refresh(threads().known());
  // `fromEntries` makes `__proto__` a property like any other.
  return Object.fromEntries(process.entries());
}
