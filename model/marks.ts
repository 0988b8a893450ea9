/**
 * The bits of a mark, which tell how a stat has been written so far.
 *
 * A slab has a mark for each counter, gauge and distribution. `kinds.ts` lists
 * the encodings that a mark turns into.
 *
 * Pure: no clock, no I/O. Imports nothing.
 *
 * @module
 */

/** The stat has had a fractional value. */
export const IS_FRACTIONAL = 1;

/** The stat has been set or counted down. */
export const IS_GAUGE = 2;
