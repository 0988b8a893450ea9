/**
 * The identities that processes and ledgers announce.
 *
 * Pure: no clock, no I/O. Imports nothing.
 *
 * @module
 */

/** The identity and state of a process. */
export interface ProcessInfo {
  /** The start of the process, in seconds since 1970. With the process id it is unique. */
  readonly start: number;
  /** The name of the program. */
  readonly name?: string;
  /** The runtime, such as `deno 2.9.6`. */
  readonly runtime?: string;
  /** Whether its stats are sums over other processes. */
  readonly relay?: boolean;
  /** The minimum time, in seconds, for which its main thread has not responded. */
  stalled: number;
}

/** The number of processes that a ledger lists: those it took in last. */
export const MAX_LISTED = 4_096;

/** The identity and state of a ledger. */
export interface LedgerInfo {
  /** Tells the ledger from an earlier one of the same user. */
  readonly id: string;
  /** The number of processes that it has taken in. */
  readonly count: number;
  /** The processes taken in last, in order: `<pid>@<start in milliseconds>`. */
  readonly ended: readonly string[];
}
