/**
 * The identity of this process, which its threads agree on.
 *
 * Draws random bits at the first call, unless another thread has told its own.
 *
 * @module
 */

import { threads } from "./threads.ts";
import type { Identity } from "../model/identity.ts";

/** The identity of this process. All copies of statvent with this layout of slabs give the same answer. */
export function identity(): Identity {
  const meeting = threads();
  if (meeting.identity === undefined) {
    const bytes = crypto.getRandomValues(new Uint8Array(16));
    // The main thread may be younger than one of the slabs.
    const starts = meeting.known().map(({ start }) => start);
    meeting.identify({
      id: [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join(""),
      start: Math.round(Math.min(performance.timeOrigin, ...starts)) / 1000,
      seq: new SharedArrayBuffer(8),
    });
  }
  return meeting.identity!;
}

/** The number of the next snapshot of this process, whoever makes it. */
export function nextSeq({ seq }: Identity): number {
  return Number(Atomics.add(new BigInt64Array(seq), 0, 1n)) + 1;
}
