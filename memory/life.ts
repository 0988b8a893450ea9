/**
 * Tells whether the thread of a slab has ended.
 *
 * A thread that is terminated fires no event in any runtime, and one that hangs
 * answers no more than one that is dead. But a promise of `Atomics.waitAsync`
 * lives as long as its thread: `Atomics.notify` counts it while the thread hangs,
 * and does not when the thread has ended in whatever way. Such a promise keeps no
 * thread alive, and being asked wakes a thread for microseconds.
 *
 * Touches nothing but memory.
 *
 * @module
 */

import { lifeOf, type Slab, WAIT, WAITING } from "../slab/layout.ts";

/**
 * How many promises a thread has. Each question takes one, which the thread
 * replaces as soon as its event loop runs.
 */
export const PROMISES = 16;

/** Makes others see that this thread lives. */
export function showLife(slab: Slab): void {
  const life = lifeOf(slab);
  const wait = () => {
    const { async, value } = Atomics.waitAsync(life, WAIT, 0);
    if (!async) return;
    value.then(wait);
    Atomics.add(life, WAITING, 1);
  };
  for (let i = 0; i < PROMISES; i++) wait();
}

/**
 * Asks whether the thread of a slab has ended. A thread that hangs is asked at
 * half as many looks each time, so that it does not run out of promises.
 *
 * @param look The number of the look, which grows by 1.
 * @returns `false` too if that cannot be told.
 */
export function hasEnded(slab: Slab, look: number): boolean {
  const life = lifeOf(slab);
  const waiting = Atomics.load(life, WAITING);
  if (waiting <= 0 || look % 2 ** (PROMISES - waiting) !== 0) return false;
  Atomics.sub(life, WAITING, 1);
  return Atomics.notify(life, WAIT, 1) === 0;
}
