/**
 * The start of this process.
 *
 * Asks the other threads for their slabs, one of which may be older than this
 * thread.
 *
 * @module
 */

import { threads } from "./threads.ts";

/** The start of this process, in seconds since 1970. All copies of statvent in a thread give the same answer. */
export function processStart(): number {
  const home = globalThis as { [key: symbol]: number | undefined };
  const starts = [...threads().slabs.values()].map(({ start }) => start);
  return home[Symbol.for("statvent.start")] ??=
    Math.round(Math.min(performance.timeOrigin, ...starts)) / 1000;
}
