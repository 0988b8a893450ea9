/**
 * How much work a run of the benches is worth.
 *
 * Reads the environment, which the programs of a run have in common.
 *
 * @module
 */

import { env } from "node:process";

/** The variable that makes the programs brief. */
export const QUICK = "STATVENT_BENCH_QUICK";

/** Whether a rough answer is enough. */
export const quick = env[QUICK] !== undefined;

/** How many rounds to measure: `full`, or fewer. */
export function rounds(full: number): number {
  return quick ? Math.ceil(full / 5) : full;
}
