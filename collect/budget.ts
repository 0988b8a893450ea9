/**
 * How much may be read of the pipes of a host at one time.
 *
 * Pure: no clock, no I/O. Imports nothing.
 *
 * @module
 */

/**
 * Per pipe. A hundred thousand stats take 4 MB, or 20 MB with names of 190
 * characters; eight thousand recorded stats 22 MB, or 90 MB with windows of long
 * numbers.
 */
const MAX_BYTES = 128 * 2 ** 20;

const MAX_BYTES_OF_ALL = 512 * 2 ** 20;

/** Per pipe. A bucket of a histogram takes 50 bytes of memory. */
const MAX_BUCKETS = 2 ** 19;

const MAX_BUCKETS_OF_ALL = 2 ** 22;

/** What is left to read, shared by all pipes. */
export class Budget {
  /** The limits for bytes, for a person. */
  static readonly BYTES =
    `at most ${MAX_BYTES} bytes, and all together ${MAX_BYTES_OF_ALL}`;
  /** The limits for buckets, for a person. */
  static readonly BUCKETS =
    `at most ${MAX_BUCKETS} buckets, and all together ${MAX_BUCKETS_OF_ALL}`;
  #bytes = MAX_BYTES_OF_ALL;
  #buckets = MAX_BUCKETS_OF_ALL;

  /**
   * Spends bytes.
   *
   * @param count How many were just read of a pipe.
   * @param total How many were read of this pipe, these included.
   * @returns Whether that is within the limits.
   */
  spendBytes(count: number, total: number): boolean {
    this.#bytes -= count;
    return total <= MAX_BYTES && this.#bytes >= 0;
  }

  /**
   * Spends buckets.
   *
   * @param count How many buckets the histograms of a pipe have.
   * @returns Whether that is within the limits.
   */
  spendBuckets(count: number): boolean {
    this.#buckets -= count;
    return count <= MAX_BUCKETS && this.#buckets >= 0;
  }
}

/** What is left to read, for one pipe that may be read for longer than one answer takes. */
export class PipeBudget {
  #budget: Budget;
  #bytes = 0;

  constructor(budget: Budget) {
    this.#budget = budget;
  }

  /** How many bytes the last text has had so far. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Goes on with the budget of the next answer, from which what was read so far is taken. */
  moveTo(budget: Budget): void {
    this.#budget = budget;
    budget.spendBytes(this.#bytes, this.#bytes);
  }

  /** Spends bytes, as {@linkcode Budget.spendBytes} does. */
  spendBytes(count: number, total: number): boolean {
    this.#bytes = total;
    return this.#budget.spendBytes(count, total);
  }

  /** Spends buckets, as {@linkcode Budget.spendBuckets} does. */
  spendBuckets(count: number): boolean {
    return this.#budget.spendBuckets(count);
  }
}
