/**
 * The bits that are noted of each counter and gauge, in shared memory and on
 * the way to the lines.
 *
 * Pure: no clock, no I/O. Imports nothing.
 *
 * @module
 */

// The bits of a mark, in the first cell of a stat.
/** It was once given a fractional value. */
export const IS_FRACTIONAL = 1;

/** It was once set, or counted down. */
export const IS_GAUGE = 2;
