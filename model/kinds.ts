/**
 * The kinds of stats.
 *
 * Pure: no clock, no I/O. Imports nothing.
 *
 * @module
 */

/** Only goes up, except that it starts at 0 with its process. */
export const COUNTER = 0;

/** Goes up and down. */
export const GAUGE = 1;

/** Came without annotations, so that nothing is known of it. */
export const UNKNOWN = 2;

/** Shows a percentile or the mean of a recorded stat. */
export const SHOWN = 3;

/** One of {@linkcode COUNTER}, {@linkcode GAUGE}, {@linkcode UNKNOWN} and {@linkcode SHOWN}. */
export type Kind = 0 | 1 | 2 | 3;
