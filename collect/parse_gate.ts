/**
 * Keeps the parsing of long texts from taking all the time of a service.
 *
 * Reads the clock.
 *
 * @module
 */

import { sleep } from "../runtime/pause.ts";

/** Runs long tasks one after the other, and leaves as much time to others as they take. */
export class ParseGate {
  #last: Promise<unknown> = Promise.resolve();

  /** Runs a task when the earlier ones have ended and others have had their time. */
  run<T>(task: () => T): Promise<T> {
    let rest = 0;
    const result = this.#last.then(() => {
      const start = performance.now();
      try {
        return task();
      } finally {
        rest = performance.now() - start;
      }
    });
    this.#last = result.catch(() => {}).then(() => sleep(rest));
    return result;
  }
}
