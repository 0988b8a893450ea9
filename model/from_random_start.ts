/**
 * A list, rotated by a random offset, so that under a time limit no element is
 * always last.
 *
 * Pure, apart from chance: no clock, no I/O. Imports nothing.
 *
 * @module
 */

/** Yields all elements in their order, beginning at a random one and wrapping around. */
export function* fromRandomStart<T>(list: readonly T[]): Generator<T> {
  const start = Math.floor(Math.random() * list.length);
  for (let i = 0; i < list.length; i++) yield list[(start + i) % list.length];
}
