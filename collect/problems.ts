/**
 * Logs problems that persist: each one once, and few in a minute.
 *
 * Writes lines to the log that it is given. Imports nothing.
 *
 * @module
 */

/** How many lines are logged in a minute, before one line stands for the others. */
const MAX_LINES = 20;

const MINUTE_MS = 60_000;

/** The problems of a directory, of which each is logged when it begins. */
export class Problems {
  readonly #log: (line: string) => void;
  #logged: Set<string> = new Set();
  #lines = 0;
  #minuteStart = -Infinity;

  constructor(log: (line: string) => void) {
    this.#log = log;
  }

  /**
   * Logs the problems that are new.
   *
   * @param dir What all problems belong to.
   * @param lines Every problem that there is now, with the line that describes
   * it: the text may change while the problem stays.
   * @param now The time, in milliseconds.
   */
  update(dir: string, lines: ReadonlyMap<string, string>, now: number): void {
    if (now - this.#minuteStart > MINUTE_MS) {
      this.#minuteStart = now;
      this.#lines = 0;
    }
    const logged = new Set<string>();
    let suppressed = 0;
    for (const [problem, line] of lines) {
      if (!this.#logged.has(problem)) {
        if (this.#lines >= MAX_LINES) {
          // Logged later, if it persists.
          suppressed++;
          continue;
        }
        this.#lines++;
        this.#log(line);
      }
      logged.add(problem);
    }
    if (suppressed > 0 && this.#lines === MAX_LINES) {
      this.#lines++;
      this.#log(`${dir}: ${suppressed} more are wrong`);
    }
    this.#logged = logged;
  }
}
