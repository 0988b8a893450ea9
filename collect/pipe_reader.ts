/**
 * Reads one whole snapshot from one pipe, within a given time.
 *
 * Touches the pipe and the clock. Never waits for a writer.
 *
 * @module
 */

import { Budget, type PipeBudget } from "./budget.ts";
import type { Liveness } from "./liveness.ts";
import { DeadError, type PipeBytes, readBytes } from "./pipe_bytes.ts";
import { ParseGate } from "./parse_gate.ts";
import { LateError, type Snapshot, SnapshotError } from "../format/snapshot.ts";
import type { SnapshotParser } from "../format/snapshot_parser.ts";
import { sleep } from "../runtime/pause.ts";
import { runtime } from "../runtime/runtime.ts";

/** Why there is no snapshot. */
export interface Problem {
  readonly failure: "dead" | "timeout" | "invalid";
  /** The reason, for a person. */
  readonly why: string;
}

/** A snapshot, and what it was read from. */
export interface PipeReading extends PipeBytes {
  readonly snapshot: Snapshot;
}

/** The result of one try. */
interface Try {
  /** `undefined` if the try has shown nothing new. */
  readonly result: PipeReading | Problem | undefined;
  /** Whether another try may have another result. */
  readonly mayChange: boolean;
  /** Whether the pipe was removed, and its process has gone. */
  readonly isGone?: boolean;
}

/**
 * How long after the deadline a text that came in time may be parsed, in
 * milliseconds.
 */
export const LATE_MS = 25;

/** How long a text may be parsed for which nobody waits any more, in milliseconds. */
const MAX_PARSE_MS = 3_000;

/** After how many invalid texts that cannot be parts of a valid one a pipe is given up. */
const MAX_INVALID = 3;

const DEAD = { failure: "dead", why: "The process no longer exists" } as const;

/** What is said of a pipe that has brought nothing in time. */
export const SILENCE = {
  failure: "timeout",
  why: "It gave no answer in time",
} as const;

const gate = new ParseGate();

const invalid = (why: string) => ({ failure: "invalid", why }) as const;

const final = (result: PipeReading | Problem): Try => ({
  result,
  mayChange: false,
});

const again = (result?: Problem): Try => ({ result, mayChange: true });

/** A pipe to read. */
export interface PipeTarget {
  readonly path: string;
  /** The name of the pipe without `.stats`. */
  readonly base: string;
  /** The process whose pipe it is, where it runs; `undefined` if its name does not say it. */
  readonly pid: number | undefined;
  /** Which processes live. */
  readonly liveness: Liveness;
  /** The parser of the last snapshot of this pipe. */
  readonly parser: SnapshotParser;
  /** When to give up, by `performance.now()`. */
  readonly deadline: number;
  /**
   * Whether the process is known to send annotations, so that a text without
   * them cannot be complete.
   */
  readonly annotated: boolean;
  /** What may be read of all pipes. */
  readonly budget: PipeBudget;
}

/**
 * Reads a snapshot, again and again if another reader got a part of it. What
 * takes longer than the deadline is read on and parsed, as long as bytes flow.
 *
 * @returns The snapshot, or why there is none; `undefined` if the pipe was
 * removed while it was read.
 */
export async function readPipe(
  target: PipeTarget,
): Promise<PipeReading | Problem | undefined> {
  const { path, deadline } = target;
  const pipe = new Pipe(target);
  let last: PipeReading | Problem = SILENCE;
  let pause = 5;
  do {
    const next: Try = await pipe.tryToRead();
    if (next.isGone) return undefined;
    last = next.result ?? last;
    if (!next.mayChange) return last;
    // At random, so that readers which collided once do not collide again.
    const left = Math.max(0, deadline - performance.now());
    await sleep(Math.min(Math.random() * pause, left));
    pause = Math.min(2 * pause, 100);
  } while (performance.now() < deadline);
  return runtime.identify(path) === undefined ? undefined : last;
}

/** A pipe that is tried several times. */
class Pipe {
  readonly #target: PipeTarget;
  #annotated: boolean;
  #invalidTexts = 0;

  constructor(target: PipeTarget) {
    this.#target = target;
    this.#annotated = target.annotated;
  }

  async tryToRead(): Promise<Try> {
    const { path, base, pid, liveness } = this.#target;
    const file = runtime.identify(path);
    if (file === undefined) {
      // A pipe may be away for a moment only as long as its process lives.
      const isGone = !liveness.signsOf(base).some(({ lives }) => lives) &&
        liveness.isDead(base, pid);
      return { ...again(SILENCE), isGone };
    }
    if (!file.isFifo) return final(invalid("It must be a named pipe"));
    try {
      const read = await readBytes({
        ...this.#target,
        mayBelongTo: (owner) => this.#mayBelongTo(owner),
        isDead: (owner) =>
          !(liveness.lives(base, owner) ?? !liveness.isDead(base, pid)),
        noteWriter: () => liveness.noteWriter(base),
      });
      return read === undefined ? again() : await this.#parse(read);
    } catch (error) {
      return this.#explain(error);
    }
  }

  /**
   * Whether a user's pipe may be here: the system says who runs a process,
   * unless this is a process of another namespace, which its sign of life tells.
   */
  #mayBelongTo(owner: number): boolean {
    const { base, pid, liveness } = this.#target;
    if (owner === 0) return true;
    const user = pid === undefined ? undefined : runtime.processOwner(pid);
    return user === undefined || user === owner ||
      liveness.signsOf(base, owner).length > 0;
  }

  async #parse(read: PipeBytes): Promise<Try> {
    const { parser, budget } = this.#target;
    const snapshot = await this.#parseInTime(read.bytes);
    if (!budget.spendBuckets(countBuckets(snapshot))) {
      parser.forget();
      return final(invalid(`It must have ${Budget.BUCKETS}`));
    }
    return snapshot.annotated || !this.#annotated
      ? final({ snapshot, ...read })
      : again(invalid("It has sent annotations before, and now none"));
  }

  /** Parses a text before the deadline, or else when nobody waits for it any more. */
  async #parseInTime(bytes: Uint8Array): Promise<Snapshot> {
    const { parser, deadline } = this.#target;
    if (performance.now() < deadline) {
      const isLate = () => performance.now() > deadline + LATE_MS;
      try {
        return parser.parse(bytes, isLate);
      } catch (error) {
        if (!(error instanceof LateError)) throw error;
      }
    }
    return await gate.run(() => {
      const end = performance.now() + MAX_PARSE_MS;
      return parser.parse(bytes, () => performance.now() > end);
    });
  }

  #explain(error: unknown): Try {
    if (error instanceof DeadError) return final(DEAD);
    if (error instanceof LateError) {
      return again({ failure: "timeout", why: error.message });
    }
    if (!(error instanceof SnapshotError)) {
      return isPassing(error)
        ? again()
        : final(invalid((error as Error).message));
    }
    this.#annotated ||= error.annotated;
    if (error.torn || (this.#annotated && !error.annotated)) {
      return again({
        failure: "timeout",
        why: "Other readers got parts of all its answers",
      });
    }
    const problem = invalid(error.message);
    return ++this.#invalidTexts === MAX_INVALID
      ? final(problem)
      : again(problem);
  }
}

/** How many buckets the histograms of a snapshot have. */
function countBuckets({ recorded }: Snapshot): number {
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
