/**
 * How long the event loop of the program's main thread has been stalled, as the
 * recorder's thread sees it.
 *
 * The recorder probes the main thread when its pipe is read, so that a program
 * without readers is never woken. The answer comes through shared memory.
 *
 * Reads the clock, blocks the thread for milliseconds.
 *
 * @module
 */

import type { RecorderControl } from "./control.ts";

/** The least time between two probes, in milliseconds. */
const ASK_MS = 1_000;

/** How long to wait for an answer, in milliseconds. An idle main thread answers within a tenth of one. */
const PATIENCE_MS = 2;

/** Probes the main thread. */
export class Heartbeat {
  readonly #control: RecorderControl;
  #probe = 0;
  #asked = -Infinity;

  constructor(control: RecorderControl) {
    this.#control = control;
  }

  /** For how many seconds, at least, the main thread has not responded. */
  stalled(): number {
    const now = performance.now();
    if (this.#control.answered === this.#probe) {
      if (now - this.#asked < ASK_MS) return 0;
      this.#probe++;
      this.#asked = now;
      this.#control.ask(this.#probe, PATIENCE_MS);
    }
    return this.#control.answered === this.#probe
      ? 0
      : Math.round(performance.now() - this.#asked) / 1000;
  }
}
