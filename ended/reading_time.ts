/**
 * The time that a reader has for the files of ended processes.
 *
 * Reads the clock. Imports nothing.
 *
 * @module
 */

/** How many bytes may be read after the deadline, so that a busy machine makes no file late. */
const FREE_BYTES = 2 ** 19;

/** How many of these bytes a look at a file counts as. */
const LOOK_BYTES = 2 ** 12;

/** Says whether there is time to read on. */
export class ReadingTime {
  readonly #until: number;
  #free: number;

  /**
   * @param until The deadline, by `performance.now()`.
   * @param free How many bytes may be read after it.
   */
  constructor(until: number, free: number = FREE_BYTES) {
    this.#until = until;
    this.#free = free;
  }

  /** Whether the deadline has passed, and more bytes were read than are free. */
  get isLate(): boolean {
    return this.#free < 0 && performance.now() > this.#until;
  }

  /** Notes that so many bytes are read, or that a file is looked at. Returns whether it is late. */
  spend(bytes = LOOK_BYTES): boolean {
    this.#free -= bytes;
    return this.isLate;
  }
}
