/**
 * What processes and ledgers say of themselves.
 *
 * Pure: no clock, no I/O. Imports nothing.
 *
 * @module
 */

/** What a process says of itself. */
export interface ProcessInfo {
  /** When it started, in seconds since 1970. With its id, this tells it apart. */
  readonly start: number;
  /** What it is called. */
  readonly name?: string;
  /** What it runs on, such as `deno 2.9.6`. */
  readonly runtime?: string;
  /** Whether its stats are the sums of other processes. */
  readonly relay?: boolean;
  /** For how many seconds, at least, its main thread has not turned. */
  stalled: number;
}

/** How many processes a ledger lists, of those that it has taken in last. */
export const MAX_LISTED = 4_096;

/** What a ledger says of itself. */
export interface LedgerInfo {
  /** Tells it from one that was there before. */
  readonly id: string;
  /** How many processes it has taken in. */
  readonly count: number;
  /** The last of them, in order: `<pid>@<start in milliseconds>`. */
  readonly ended: readonly string[];
}
