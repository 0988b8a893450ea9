/**
 * What the program's own thread and the recorder's agree on through shared
 * memory: that no files are created while the program ends, when no message is
 * waited for any more, and that the program's thread still turns.
 *
 * Pure: touches nothing but memory. Imports nothing.
 *
 * @module
 */

const RUNNING = 0;
const BUSY = 1;
const HOLD = 2;
const ASKED = 3;
const ANSWERED = 4;
const WORDS = 5;

/** Thrown in the recorder's thread where it was stopped. */
export class StoppedError extends Error {
  /** `"StoppedError"`. */
  override name = "StoppedError";
}

/** Both sides of the agreement. */
export class RecorderControl {
  /** What the other thread makes its side of. */
  readonly shared: Int32Array<SharedArrayBuffer>;
  #answers = false;

  constructor(
    shared: Int32Array<SharedArrayBuffer> = new Int32Array(
      new SharedArrayBuffer(4 * WORDS),
    ),
  ) {
    this.shared = shared;
  }

  /** Whether the recorder may create files. */
  get running(): boolean {
    return Atomics.load(this.shared, RUNNING) === 1;
  }

  /** What the recorder holds of the pipe whose reader it waits for. */
  get hold(): number {
    return Atomics.load(this.shared, HOLD);
  }
  set hold(value: number) {
    Atomics.store(this.shared, HOLD, value);
  }

  /** The number of the recorder's last question that the program has answered. */
  get answered(): number {
    return Atomics.load(this.shared, ANSWERED);
  }

  /**
   * The recorder's side: asks the program's own thread for a sign of life, and
   * waits for the answer. Half as long as by a message, which costs that thread
   * twice as much.
   */
  ask(question: number, timeout: number): void {
    Atomics.store(this.shared, ASKED, question);
    Atomics.notify(this.shared, ASKED);
    Atomics.wait(this.shared, ANSWERED, question - 1, timeout);
  }

  /** The program's side: answers questions whenever its event loop turns. Keeps no program from ending. */
  async #answer(): Promise<void> {
    this.#answers = true;
    while (this.running) {
      const question = Atomics.load(this.shared, ASKED);
      Atomics.store(this.shared, ANSWERED, question);
      Atomics.notify(this.shared, ANSWERED);
      await Atomics.waitAsync(this.shared, ASKED, question).value;
    }
    this.#answers = false;
  }

  /** The program's side: the recorder may create files from now on, and is answered. */
  start(): void {
    Atomics.store(this.shared, RUNNING, 1);
    if (!this.#answers) this.#answer();
  }

  /**
   * The program's side: the recorder may create no more files. Waits until it
   * is done with what it is creating, but at most for `timeout` milliseconds.
   */
  stop(timeout = 200): void {
    Atomics.store(this.shared, RUNNING, 0);
    Atomics.notify(this.shared, ASKED);
    Atomics.wait(this.shared, BUSY, 1, timeout);
  }

  /**
   * The recorder's side: does something that creates files.
   *
   * @returns What `action` returns. If that is a promise, it is done when the
   * promise is.
   * @throws {StoppedError} If it may not.
   */
  whileRunning<T>(action: () => T): T {
    let result: T | undefined;
    Atomics.store(this.shared, BUSY, 1);
    try {
      if (!this.running) throw new StoppedError("The recorder was stopped");
      result = action();
      return result instanceof Promise
        ? result.finally(() => this.#rest()) as T
        : result;
    } finally {
      if (!(result instanceof Promise)) this.#rest();
    }
  }

  #rest(): void {
    Atomics.store(this.shared, BUSY, 0);
    Atomics.notify(this.shared, BUSY);
  }
}
