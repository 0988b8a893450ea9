/**
 * When this process started.
 *
 * Asks the threads of the process for their slabs, which may be older than the
 * clock of this thread.
 *
 * @module
 */

import { threads } from "./threads.ts";

/** When this process started, in seconds since 1970. All copies of statvent in a thread give the same answer. */
export function processStart(): number {
  const home = globalThis as { [key: symbol]: number | undefined };
  const starts = [...threads().slabs.values()].map(({ start }) => start);
  return home[Symbol.for("statvent.start")] ??=
    Math.round(Math.min(performance.timeOrigin, ...starts)) / 1000;
}
