/**
 * Ways to wait for a while.
 *
 * Sets timers, or blocks the thread. Imports nothing.
 *
 * @module
 */

/** Resolves after so many milliseconds. */
export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

const never = new Int32Array(new SharedArrayBuffer(4));

/** Blocks this thread for so many milliseconds, of which there may be a fraction. */
export function nap(ms: number): void {
  Atomics.wait(never, 0, 0, ms);
}
