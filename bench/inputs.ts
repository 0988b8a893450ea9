/**
 * What the benches work on: the same names, orders and values in every run.
 *
 * @module
 */

/** A random number generator with a fixed seed: numbers from 0 to 1. */
function random(seed: number): () => number {
  // Mulberry32.
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), seed | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Names such as `http.requests.42`, interned as literals in a program are. */
export function names(count: number, make: (i: number) => string): string[] {
  return Object.keys(
    Object.fromEntries(Array.from({ length: count }, (_, i) => [make(i), 0])),
  );
}

/** Which of `count` names each of `length` calls uses: any. */
export function randomOrder(count: number, length: number): Int32Array {
  const next = random(count);
  return Int32Array.from({ length }, () => Math.floor(next() * count));
}

/** Values that have one to seven digits. */
export function integers(count: number): number[] {
  const next = random(7);
  return Array.from(
    { length: count },
    () => Math.floor(10 ** (7 * next())),
  );
}
