/**
 * Fixed inputs of the benches: names, orders and values.
 *
 * @module
 */

/** A random number generator with a fixed seed. Its numbers are from 0 to 1. */
function random(seed: number): () => number {
  // The algorithm is Mulberry32.
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), seed | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Names such as `http.requests.42`, interned like the literals of a program. */
export function names(count: number, make: (i: number) => string): string[] {
  return Object.keys(
    Object.fromEntries(Array.from({ length: count }, (_, i) => [make(i), 0])),
  );
}

/** A random index below `count` for each of `length` calls. */
export function randomOrder(count: number, length: number): Int32Array {
  const next = random(count);
  return Int32Array.from({ length }, () => Math.floor(next() * count));
}

/** Values of one to seven digits. */
export function integers(count: number): number[] {
  const next = random(7);
  return Array.from(
    { length: count },
    () => Math.floor(10 ** (7 * next())),
  );
}
