/**
 * Reads the bytes that a writer sends through a pipe, up to its end.
 *
 * Touches the pipe and the clock. Never waits for a writer.
 *
 * @module
 */

import { Budget } from "./budget.ts";
import { SnapshotError } from "../format/snapshot.ts";
import { sleep } from "../runtime/pause.ts";
import { runtime } from "../runtime/runtime.ts";

/** Thrown if another user has put something in the place of a pipe. */
export class ForeignError extends Error {
  override message = "It must be a pipe of the user of its process";
}

/** Thrown if no process is alive to write. */
export class DeadError extends Error {}

/** How much is read before the other pipes get their turn. */
const TURN_BYTES = 2 ** 20;

/** How many reads may find an empty pipe before the pauses grow. */
const FAST_READS = 3;

/** The longest pause between reads of an empty pipe, in milliseconds. */
const MAX_PAUSE_MS = 8;

const turns = new Map<number, Promise<unknown>>();

/**
 * Waits for so many milliseconds, or less if another pipe has begun to wait for
 * as long: one timer is enough for a thousand pipes.
 */
function turn(ms: number): Promise<unknown> {
  let next = turns.get(ms);
  if (next === undefined) {
    next = sleep(ms).then(() => turns.delete(ms));
    turns.set(ms, next);
  }
  return next;
}

// Shared by all pipes: its content is copied before anything else runs.
const buffer = new Uint8Array(65_536);

function join(pieces: readonly Uint8Array[], length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  let offset = 0;
  for (const piece of pieces) {
    bytes.set(piece, offset);
    offset += piece.length;
  }
  return bytes;
}

/** What a writer has sent. */
export interface PipeBytes {
  readonly bytes: Uint8Array;
  /** The id of the user who owns the pipe. */
  readonly owner: number;
}

/**
 * Reads until the writer closes the pipe.
 *
 * @param user Who runs the process, if that is known.
 * @param deadline When to give up, by `performance.now()`.
 * @returns `undefined` if this pipe will not bring anything: it has been
 * replaced by another one, or the time is over.
 */
export async function readBytes(
  path: string,
  pid: number,
  user: number | undefined,
  deadline: number,
  budget: Budget,
): Promise<PipeBytes | undefined> {
  const fd = runtime.openReader(path);
  try {
    // The open file is checked, since the path may lead to another one by now.
    const { inode, isFifo, owner } = runtime.identifyOpen(fd);
    if (!isFifo || (owner !== 0 && user !== undefined && owner !== user)) {
      throw new ForeignError();
    }
    // Most texts have come by the second read, which saves the system call.
    let existsAfter = 1;
    const mayComeAfter = (ms: number) => {
      // After another reader came in between, the writer uses a new pipe.
      if (runtime.identify(path)?.inode !== inode) return false;
      if (ms >= existsAfter) {
        if (runtime.processExists(pid) === false) throw new DeadError();
        existsAfter *= 4;
      }
      return true;
    };
    const bytes = await readToEnd(fd, deadline, budget, mayComeAfter);
    return bytes && { bytes, owner };
  } finally {
    runtime.close(fd);
  }
}

/**
 * Reads until a writer has come and has closed the pipe.
 *
 * @param mayComeAfter Whether a writer may still come if none has come for so
 * many milliseconds.
 */
async function readToEnd(
  fd: number,
  deadline: number,
  budget: Budget,
  mayComeAfter: (ms: number) => boolean,
): Promise<Uint8Array | undefined> {
  const pieces: Uint8Array[] = [];
  let length = 0;
  const start = performance.now();
  // Pauses grow, since reading many empty pipes takes time from their writers.
  let pause = 1;
  let reads = 0;
  let flows = false;
  for (let now = start; now < deadline; now = performance.now()) {
    if (!flows) {
      // Before the first read, too: no writer answers at once, and reading an
      // empty pipe costs an exception.
      await turn(pause);
      if (++reads > FAST_READS) pause = Math.min(2 * pause, MAX_PAUSE_MS);
    }
    const count = runtime.read(fd, buffer);
    flows = count !== undefined && count > 0;
    if (count === 0) {
      if (length > 0) return join(pieces, length);
      if (!mayComeAfter(now - start)) return undefined;
    }
    if (!count) continue;
    pieces.push(buffer.slice(0, count));
    length += count;
    if (!budget.spendBytes(count, length)) {
      throw new SnapshotError(
        `Cannot read a snapshot: it must have ${Budget.BYTES}`,
        false,
        false,
      );
    }
    if (length % TURN_BYTES < count) await turn(0);
    pause = 1;
  }
}
