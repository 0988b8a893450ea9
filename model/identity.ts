/**
 * The identities that processes and ledgers announce.
 *
 * Pure: no clock, no I/O. Imports nothing.
 *
 * @module
 */

/** The identity and state of a process. */
export interface ProcessInfo {
  /** The identity of the process: 32 lowercase hexadecimal digits, drawn at random when it starts. */
  readonly id?: string;
  /** The start of the process, in seconds since 1970. With the process id it is unique on a host without namespaces. */
  readonly start: number;
  /** The name of the program. */
  readonly name?: string;
  /** The runtime, such as `deno 2.9.6`. */
  readonly runtime?: string;
  /** Whether its stats are sums over other processes. */
  readonly relay?: boolean;
  /** Whether these are the last values of a process that has ended in an orderly way. */
  readonly final?: boolean;
  /**
   * Whether these are the values with which a process has reached what ends it
   * unless it survives, such as a signal. They count as its last ones once it is
   * dead.
   */
  readonly last?: boolean;
  /**
   * The minimum time, in seconds, for which its main thread has not responded;
   * `undefined` if nobody measures that.
   */
  stalled?: number;
}

const ID = /^[0-9a-f]{32}$/;

/** Whether a value is the identity of a process. */
export function isProcessId(value: unknown): value is string {
  return typeof value === "string" && ID.test(value);
}

/** The number of processes that a ledger lists: those it took in last. */
export const MAX_LISTED = 4_096;

/** The identity and state of a ledger. */
export interface LedgerInfo {
  /** Tells the ledger from an earlier one of the same user. */
  readonly id: string;
  /** Its number, which stands in the name of its file, too. */
  readonly generation: number;
  /** The number of processes that it has taken in. */
  readonly count: number;
  /** How many of these were killed. */
  readonly killed: number;
  /** The start of the oldest of them, in seconds since 1970; `undefined` if not all starts are known. */
  readonly start?: number;
  /**
   * The processes taken in last, in order: `<id>`, or `<id>@<seq>` for a process
   * that was killed, with the number of the snapshot that was taken in.
   */
  readonly ended: readonly string[];
}

/** What tells this process from all others. */
export interface Identity {
  /** 32 lowercase hexadecimal digits, drawn at random. */
  readonly id: string;
  /** The start of the process, in seconds since 1970. */
  readonly start: number;
  /** How many snapshots the process has made, in its one 64-bit integer. */
  readonly seq: SharedArrayBuffer;
}
