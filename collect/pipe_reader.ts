/**
 * Reads one whole snapshot from one pipe, within a time that is known before.
 *
 * Touches the pipe and the clock. Never waits for a writer.
 *
 * @module
 */

import { LateError, type Snapshot, SnapshotError } from "../format/snapshot.ts";
import type { SnapshotParser } from "../format/snapshot_parser.ts";
import { sleep } from "../runtime/pause.ts";
import { runtime } from "../runtime/runtime.ts";

/** Why there is no snapshot. */
export interface Problem {
  readonly failure: "dead" | "timeout" | "invalid";
  /** The same in words. */
  readonly why: string;
}

/** What is read of one pipe at most. A hundred thousand stats take 4 MB. */
const MAX_BYTES = 16 * 2 ** 20;

/** What is read of all pipes at most. */
const BUDGET_BYTES = 256 * 2 ** 20;

/** How many buckets of histograms are taken of one pipe at most, which take 50 bytes each. */
const MAX_BUCKETS = 2 ** 19;

/** How many of all pipes. */
const BUDGET_BUCKETS = 2 ** 22;

/** How much is left to read. */
export interface Budget {
  /** Of all pipes. */
  bytes: number;
  /** The same of the buckets of histograms. */
  buckets: number;
}

/** What may be read at one time. */
export function newBudget(): Budget {
  return { bytes: BUDGET_BYTES, buckets: BUDGET_BUCKETS };
}

/** Thrown for what another user has put in the place of a pipe. */
class ForeignError extends Error {
  override message = "It must be a pipe of the user of its process";
}

/** Thrown if there is nobody to write. */
class DeadError extends Error {}

/** How much is read in one turn, so that other pipes get theirs. */
const TURN_BYTES = 2 ** 20;

/** How often a pipe is looked at that brings nothing before it is left alone for longer. */
const FAST_LOOKS = 3;

/** How long a pipe is left alone at most that brings nothing, in milliseconds. */
const MAX_PAUSE_MS = 8;

/** How long after the deadline a text may be parsed that came in time, in milliseconds. */
const LATE_MS = 25;

/** How many wrong texts, none of which looks like a part of one, are enough. */
const DOUBTS = 3;

const turns = new Map<number, Promise<unknown>>();

/** Waits for so long, or less if another pipe does: one timer is enough for a thousand. */
function turn(ms: number): Promise<unknown> {
  let next = turns.get(ms);
  if (next === undefined) {
    next = sleep(ms).then(() => turns.delete(ms));
    turns.set(ms, next);
  }
  return next;
}

// Read into, and copied out of before the thread turns to anything else.
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

/**
 * Reads all that comes until the writer closes the pipe.
 *
 * @param user Who runs the process, if that is known.
 * @returns The bytes and whose pipe it was, or `undefined` if this pipe will not
 * bring any: it has been replaced by another one, or the time is over.
 */
async function readOnce(
  path: string,
  pid: number,
  user: number | undefined,
  deadline: number,
  budget: Budget,
): Promise<{ bytes: Uint8Array; owner: number } | undefined> {
  const fd = runtime.openReader(path);
  try {
    // What was opened, not what was there before.
    const { inode, isFifo, owner } = runtime.identifyOpen(fd);
    if (!isFifo || (owner !== 0 && user !== undefined && owner !== user)) {
      throw new ForeignError();
    }
    const pieces: Uint8Array[] = [];
    let length = 0;
    const start = performance.now();
    // Many pipes are looked at in turn, and that takes the time of the writers.
    let pause = 1;
    let looks = 0;
    let flows = false;
    // Most have come by the second look, which saves the question.
    let question = 1;
    for (let now = start; now < deadline; now = performance.now()) {
      if (!flows) {
        // Before the first look, too: nobody writes at once, and a look at a
        // pipe that brings nothing yet costs an exception.
        await turn(pause);
        if (++looks > FAST_LOOKS) pause = Math.min(2 * pause, MAX_PAUSE_MS);
      }
      const count = runtime.read(fd, buffer);
      flows = count !== undefined && count > 0;
      if (count) {
        pieces.push(buffer.slice(0, count));
        const before = length;
        length += count;
        budget.bytes -= count;
        if (length > MAX_BYTES || budget.bytes < 0) {
          throw new SnapshotError(
            `Cannot read a snapshot: it must have at most ${MAX_BYTES} bytes, and all together ${BUDGET_BYTES}`,
            false,
            false,
          );
        }
        if (
          Math.floor(length / TURN_BYTES) > Math.floor(before / TURN_BYTES)
        ) await turn(0);
        pause = 1;
        continue;
      }
      if (count === 0 && length > 0) {
        return { bytes: join(pieces, length), owner };
      }
      if (count === 0) {
        // No writer yet. If the pipe has been replaced, there never will be one:
        // another reader came in between.
        if (runtime.identify(path)?.inode !== inode) return;
        if (now - start >= question) {
          if (runtime.processExists(pid) === false) throw new DeadError();
          question *= 4;
        }
      }
    }
  } finally {
    runtime.close(fd);
  }
}

/** What is read. */
export interface PipeReading {
  readonly snapshot: Snapshot;
  readonly bytes: Uint8Array;
  /** The id of the user whose pipe it is. */
  readonly owner: number;
}

/**
 * Reads a snapshot, again and again where another reader got a part of it.
 *
 * @param path The pipe.
 * @param pid Whose pipe it is.
 * @param parser What has read the last snapshot of this pipe.
 * @param deadline When to give up, by `performance.now()`.
 * @param annotated Whether the process is known to send annotations, so that a
 * text without them cannot be all.
 * @param budget What may be read of all pipes.
 * @returns The snapshot, or why there is none; `undefined` if the pipe was
 * removed while it was read.
 */
export async function readPipe(
  path: string,
  pid: number,
  parser: SnapshotParser,
  deadline: number,
  annotated: boolean,
  budget: Budget,
): Promise<PipeReading | Problem | undefined> {
  const dead = {
    failure: "dead",
    why: "The process no longer exists",
  } as const;
  const silence = {
    failure: "timeout",
    why: "It gave no answer in time",
  } as const;
  const invalid = (why: string) => ({ failure: "invalid", why }) as const;
  let problem: Problem = silence;
  let doubts = 0;
  let pause = 5;
  do {
    const file = runtime.identify(path);
    if (file !== undefined && !file.isFifo) {
      return invalid("It must be a named pipe");
    }
    const user = runtime.processOwner(pid);
    if (user === undefined && runtime.processExists(pid) === false) {
      return dead;
    }
    if (file === undefined) problem = silence;
    else {
      try {
        const read = await readOnce(path, pid, user, deadline, budget);
        if (read !== undefined) {
          const { bytes, owner } = read;
          const snapshot = parser.parse(
            bytes,
            () => performance.now() > deadline + LATE_MS,
          );
          const buckets = bucketsOf(snapshot);
          budget.buckets -= buckets;
          if (buckets > MAX_BUCKETS || budget.buckets < 0) {
            parser.forget();
            return invalid(
              `It must have at most ${MAX_BUCKETS} buckets, and all together ${BUDGET_BUCKETS}`,
            );
          }
          if (snapshot.annotated || !annotated) {
            return { snapshot, bytes, owner };
          }
          problem = invalid("It has sent annotations before, and now none");
        }
      } catch (error) {
        if (error instanceof LateError) {
          problem = { failure: "timeout", why: error.message };
        } else if (error instanceof SnapshotError) {
          annotated ||= error.annotated;
          const isPart = error.torn || (annotated && !error.annotated);
          if (!isPart && ++doubts === DOUBTS) return invalid(error.message);
          // Parts only, and no whole one in time.
          problem = isPart
            ? {
              failure: "timeout",
              why: "Other readers got parts of all its answers",
            }
            : invalid(error.message);
        } else if (error instanceof DeadError) return dead;
        else if (!isPassing(error)) return invalid((error as Error).message);
      }
    }
    // At random, so that readers which came at the same time do not again.
    const left = Math.max(0, deadline - performance.now());
    await sleep(Math.min(Math.random() * pause, left));
    pause = Math.min(2 * pause, 100);
  } while (performance.now() < deadline);
  return runtime.identify(path) === undefined ? undefined : problem;
}

/** How many buckets its histograms have. */
function bucketsOf({ recorded }: Snapshot): number {
  let count = 0;
  for (const { histogram } of recorded) {
    if (histogram === undefined) continue;
    count += histogram.positive.size + histogram.negative.size;
  }
  return count;
}

/** Whether an error on opening the pipe may not come again. */
function isPassing(error: unknown): boolean {
  return ["ENOENT", "EMFILE", "ENFILE", "EINTR"].includes(
    (error as { code?: string }).code ?? "",
  );
}
