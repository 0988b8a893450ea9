/**
 * Reads the bytes that a writer sends through a pipe, up to its end.
 *
 * Touches the pipe and the clock. Never waits for a writer.
 *
 * @module
 */

import { Budget, type PipeBudget } from "./budget.ts";
import { SnapshotError } from "../format/snapshot.ts";
import { sleep } from "../runtime/pause.ts";
import { runtime } from "../runtime/runtime.ts";

/** Thrown if another user has put something in place of a pipe. */
export class ForeignError extends Error {
  override message = "It must be a pipe of the user of its process";
}

/** Thrown if no process is alive to write. */
export class DeadError extends Error {}

/** How much is read before the other pipes get their turn. */
const TURN_BYTES = 2 ** 20;

/** How many reads may find an empty pipe before the pauses grow. */
const FAST_READS = 3;

/**
 * After how long a silence it is asked whether the process is dead, in
 * milliseconds: most have answered by then.
 */
const ASK_AFTER_MS = 16;

/** The longest pause between reads of an empty pipe, in milliseconds. */
const MAX_PAUSE_MS = 8;

/** For how long no byte may come past the deadline, in milliseconds. */
const STALL_MS = 250;

/** How long past the deadline a writer may take to prepare its text, in milliseconds. */
const MAX_PREPARE_MS = 1_000;

/** The pause between two looks whether it has begun by then, in milliseconds. */
const LATE_PAUSE_MS = 32;

/** How long a writer may take in any case, in milliseconds. */
const MAX_READ_MS = 30_000;

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
  /** Who may read the pipe. */
  readonly mode: number;
}

/** What is read, and how long to wait for it. */
export interface PipeSource {
  readonly path: string;
  /** When to give up, by `performance.now()`, unless bytes flow. */
  readonly deadline: number;
  /** What may be read of all pipes. */
  readonly budget: PipeBudget;
  /** Whether a pipe of this user may be that of its process. */
  readonly mayBelongTo: (owner: number) => boolean;
  /** Whether its process is dead, asked while it is silent. */
  readonly isDead: (owner: number) => boolean;
  /** Called when a writer has been found. */
  readonly noteWriter: () => void;
}

/**
 * Reads until the writer closes the pipe: past the deadline too, as long as
 * bytes flow.
 *
 * @returns `undefined` if this pipe will not bring anything: it has been
 * replaced by another one, or the time is over.
 */
export async function readBytes(
  source: PipeSource,
): Promise<PipeBytes | undefined> {
  const { path } = source;
  const fd = runtime.openReader(path);
  try {
    // The open file is checked, since the path may lead to another one by now.
    const { inode, isFifo, owner, mode } = runtime.identifyOpen(fd);
    if (!isFifo || !source.mayBelongTo(owner)) throw new ForeignError();
    let asksAfter = ASK_AFTER_MS;
    const mayComeAfter = (ms: number) => {
      // After another reader came in between, the writer uses a new pipe.
      if (runtime.identify(path)?.inode !== inode) return false;
      if (ms >= asksAfter) {
        if (source.isDead(owner)) throw new DeadError();
        asksAfter *= 4;
      }
      return true;
    };
    const bytes = await readToEnd(fd, source, mayComeAfter);
    return bytes && { bytes, owner, mode };
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
  { deadline, budget, noteWriter }: PipeSource,
  mayComeAfter: (ms: number) => boolean,
): Promise<Uint8Array | undefined> {
  const pieces: Uint8Array[] = [];
  let length = 0;
  const start = performance.now();
  let lastByte = start;
  // Pauses grow, since reading many empty pipes takes time from their writers.
  let pause = 1;
  let reads = 0;
  let flows = false;
  let hasWriter = false;
  const isInTime = (now: number) => {
    if (now < deadline) return true;
    return length > 0
      ? now - lastByte < STALL_MS && now - start < MAX_READ_MS
      : hasWriter && now - deadline < MAX_PREPARE_MS;
  };
  for (let now = start; isInTime(now); now = performance.now()) {
    if (!flows) {
      if (length === 0 && now > deadline) pause = LATE_PAUSE_MS;
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
    } else if (!hasWriter) {
      hasWriter = true;
      noteWriter();
    }
    if (!count) continue;
    lastByte = now;
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
