/**
 * For how long the program's own thread has not turned, as the recorder's
 * thread knows it.
 *
 * The recorder asks when somebody reads, so that a program that nobody looks at
 * is never woken. The answer comes through shared memory.
 *
 * Reads the clock, and waits for milliseconds.
 *
 * @module
 */

import type { RecorderControl } from "./control.ts";

/** How often the program is asked at most, in milliseconds. */
const ASK_MS = 1_000;

/** How long an answer is waited for, in milliseconds. A thread that is free takes a tenth of one. */
const PATIENCE_MS = 2;

/** The recorder's side of the questions. */
export class Heartbeat {
  readonly #control: RecorderControl;
  #question = 0;
  #asked = -Infinity;

  constructor(control: RecorderControl) {
    this.#control = control;
  }

  /** For how many seconds the thread has not turned, at least. */
  stalled(): number {
    const now = performance.now();
    if (this.#control.answered === this.#question) {
      if (now - this.#asked < ASK_MS) return 0;
      this.#question++;
      this.#asked = now;
      this.#control.ask(this.#question, PATIENCE_MS);
    }
    return this.#control.answered === this.#question
      ? 0
      : Math.round(performance.now() - this.#asked) / 1000;
  }
}
