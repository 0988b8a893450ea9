/**
 * The memory by which the program's main thread controls the recorder's thread
 * where a message would not do.
 *
 * A program that ends must stop the creation of files at once, when no message
 * would be delivered any more. A probe of the main thread through shared memory
 * costs that thread half as much as one by message.
 *
 * Pure: touches nothing but memory. Imports nothing.
 *
 * @module
 */

// The words of the shared memory.
/** 1 while the recorder may create files, 2 while it has forbidden that to itself. */
const RUNNING = 0;
/** 1 while the recorder is creating files. */
const BUSY = 1;
/** The open file by which the recorder holds the pipe that waits for a reader, or 0. */
const HOLD = 2;
/** The number of the recorder's last probe. */
const ASKED = 3;
/** The number of the last probe that the main thread has answered. */
const ANSWERED = 4;
/** The first of the words that say of each signal whether the program listens to it itself. */
const LISTENING = 5;
/** How many pipes had no place among the names, so that the directory must be listed. */
const UNNAMED = 8;
/** 1 if so many processes have left their last values that no more may. */
const FULL = 9;
/** The first of the words that number the pipes that may be there, or are 0. */
const NAMES = 10;
/** How many pipes are noted. */
const MAX_NAMES = 256;
const WORDS = NAMES + MAX_NAMES;

/** Thrown in the recorder's thread once it was stopped. */
export class StoppedError extends Error {
  /** `"StoppedError"`. */
  override name = "StoppedError";
}

/** The control of a recorder, for both threads. */
export class RecorderControl {
  /** The memory to construct the other thread's side with. */
  readonly shared: Int32Array<SharedArrayBuffer>;
  #isAnswering = false;
  /** How many actions of the recorder create files. */
  #actions = 0;

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

  /** The open file by which the recorder holds the pipe that waits for a reader, or 0. */
  get hold(): number {
    return Atomics.load(this.shared, HOLD);
  }
  set hold(value: number) {
    Atomics.store(this.shared, HOLD, value);
  }

  /** Whether the program listens itself to the signal of this index. */
  isListening(index: number): boolean {
    return Atomics.load(this.shared, LISTENING + index) === 1;
  }

  /** Notes whether the program listens itself to the signal of this index, one of three. */
  setListening(index: number, listens: boolean): void {
    Atomics.store(this.shared, LISTENING + index, listens ? 1 : 0);
  }

  /** Whether so many processes have left their last values that no more may. */
  get isFull(): boolean {
    return Atomics.load(this.shared, FULL) === 1;
  }
  set isFull(value: boolean) {
    Atomics.store(this.shared, FULL, value ? 1 : 0);
  }

  /** The recorder's side: notes a pipe by its number, so that the program can remove it without listing the directory. */
  note(number: number): void {
    const free = this.shared.indexOf(0, NAMES);
    if (free < 0) Atomics.store(this.shared, UNNAMED, 1);
    else Atomics.store(this.shared, free, number);
  }

  /** The recorder's side: notes that a pipe has gone. */
  unnote(number: number): void {
    const place = this.shared.indexOf(number, NAMES);
    if (place >= 0) Atomics.store(this.shared, place, 0);
  }

  /** The numbers of the pipes that may be there. */
  get noted(): number[] {
    return [...this.shared.subarray(NAMES)].filter((number) => number !== 0);
  }

  /** Whether there may be pipes that are not noted. */
  get hasUnnoted(): boolean {
    return Atomics.load(this.shared, UNNAMED) === 1;
  }

  /** The number of the last probe that the main thread has answered. */
  get answered(): number {
    return Atomics.load(this.shared, ANSWERED);
  }

  /**
   * The recorder's side: probes the main thread, then waits for its answer for
   * at most `timeout` milliseconds.
   *
   * @param probe The number of the probe, one more than that of the last one.
   */
  ask(probe: number, timeout: number): void {
    Atomics.store(this.shared, ASKED, probe);
    Atomics.notify(this.shared, ASKED);
    Atomics.wait(this.shared, ANSWERED, probe - 1, timeout);
  }

  /** The program's side: answers probes whenever its event loop runs. Keeps no program from ending. */
  async #answer(): Promise<void> {
    this.#isAnswering = true;
    while (this.running) {
      const probe = Atomics.load(this.shared, ASKED);
      Atomics.store(this.shared, ANSWERED, probe);
      Atomics.notify(this.shared, ANSWERED);
      await Atomics.waitAsync(this.shared, ASKED, probe).value;
    }
    this.#isAnswering = false;
  }

  /** The program's side: lets the recorder create files, answers its probes. */
  start(): void {
    Atomics.store(this.shared, RUNNING, 1);
    if (!this.#isAnswering) this.#answer();
  }

  /**
   * The program's side: forbids the recorder to create files. Blocks until it
   * has finished those that it is creating, but at most for `timeout` milliseconds:
   * what `mkfifo` makes later would stay for ever.
   */
  stop(timeout = 1_000): void {
    Atomics.store(this.shared, RUNNING, 0);
    Atomics.notify(this.shared, ASKED);
    Atomics.wait(this.shared, BUSY, 1, timeout);
  }

  /** The recorder's side: forbids itself to create files. */
  halt(): void {
    Atomics.compareExchange(this.shared, RUNNING, 1, 2);
  }

  /** The recorder's side: undoes {@linkcode RecorderControl.halt}, unless the program has stopped it meanwhile. */
  resume(): void {
    Atomics.compareExchange(this.shared, RUNNING, 2, 1);
  }

  /**
   * The recorder's side: runs an action that creates files.
   *
   * @throws {StoppedError} If the recorder was stopped.
   */
  whileRunning<T>(action: () => T): T {
    this.#begin();
    try {
      return action();
    } finally {
      this.#rest();
    }
  }

  /**
   * The recorder's side: runs an action that creates files until its promise is
   * settled.
   *
   * @throws {StoppedError} By the promise, if the recorder was stopped.
   */
  async whileRunningAsync(action: () => Promise<void>): Promise<void> {
    this.#begin();
    try {
      await action();
    } finally {
      this.#rest();
    }
  }

  #begin(): void {
    // Busy first: the other thread stops the recorder, then waits while it is busy.
    this.#actions++;
    Atomics.store(this.shared, BUSY, 1);
    if (this.running) return;
    this.#rest();
    throw new StoppedError("The recorder was stopped");
  }

  #rest(): void {
    // While pipes are made, a checkpoint may be written.
    if (--this.#actions > 0) return;
    Atomics.store(this.shared, BUSY, 0);
    Atomics.notify(this.shared, BUSY);
  }
}
