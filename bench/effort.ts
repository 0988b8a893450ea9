/**
 * The number of rounds: all, or few in a quick run.
 *
 * Reads the environment, which all programs of a run share.
 *
 * @module
 */

import { env } from "node:process";

/** The environment variable that asks for a quick run. */
export const QUICK = "STATVENT_BENCH_QUICK";

/** Whether a quick, rough answer is asked for. */
export const quick = env[QUICK] !== undefined;

/** The number of rounds to measure: `full`, or a fifth of it. */
export function rounds(full: number): number {
  return quick ? Math.ceil(full / 5) : full;
}
