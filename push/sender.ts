/**
 * What every protocol offers: a sender that takes ticks and sends them.
 *
 * Pure: no clock, no I/O.
 *
 * @module
 */

import type { Tick } from "./points.ts";

/** Sends ticks to one target. */
export interface Sender {
  /** How many points wait to be sent. */
  readonly waiting: number;
  /** How many points were sent. */
  readonly sent: number;
  /** How many points were given up. */
  readonly dropped: number;
  /** Takes a tick. To make room for it, older points may be given up. */
  offer(tick: Tick): void;
  /**
   * Sends some of the points that wait. Call it only while points wait, and not
   * again before the last call has ended.
   *
   * @returns What went wrong, if points had to be given up.
   * @throws If the attempt failed, and the target must be left alone for a while.
   */
  send(signal: AbortSignal): Promise<Trouble | undefined>;
  /** Closes the connection or socket, if one is open. The next send opens it again. */
  close(): void;
}

/** What went wrong with points that were given up. */
export interface Trouble {
  readonly message: string;
  /**
   * Whether the attempt to send failed. It did not if the target took the
   * request and rejected some of its points.
   */
  readonly isFailure: boolean;
}

/** Thrown by a sender whose target says when to come again. */
export class RetryLater extends Error {
  /** How long to leave the target alone, in milliseconds. */
  readonly after: number;

  constructor(message: string, after: number) {
    super(message);
    this.after = after;
  }
}
