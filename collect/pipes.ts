/**
 * Reads the pipes of all processes in a directory at the same time.
 *
 * Touches the pipes and the clock.
 *
 * @module
 */

import { Budget, PipeBudget } from "./budget.ts";
import type { Reading } from "./census.ts";
import type { Liveness } from "./liveness.ts";
import {
  LATE_MS,
  type PipeReading,
  type PipeTarget,
  type Problem,
  readPipe,
  SILENCE,
} from "./pipe_reader.ts";
import {
  parsePipeName,
  type PipeName,
  pipePath,
} from "../directory/file_names.ts";
import type { NameTable } from "../format/snapshot.ts";
import { SnapshotParser } from "../format/snapshot_parser.ts";
import { fromRandomStart } from "../model/from_random_start.ts";
import { runtime } from "../runtime/runtime.ts";

/** How many pipes are read at one time. */
export const MAX_PIPES = 4_096;

const FLOWS = {
  failure: "timeout",
  why: "Its answer is long and is still being read",
} as const;

/** A pipe that is being read, past the deadline if need be. */
interface Job {
  /** Ends with the job, and never fails. */
  readonly ended: Promise<void>;
  readonly budget: PipeBudget;
  /** When the job has ended, by `performance.now()`. */
  time: number | undefined;
  /** What it has brought, once it has ended; `undefined` if the pipe was removed. */
  result: PipeReading | Problem | undefined;
}

/** The pipes of a directory, and what is known of them from the last time. */
export class Pipes {
  readonly #liveness: Liveness;
  /** The parsers of processes that have answered, by base, as long as they have a pipe. */
  #parsers: Map<string, SnapshotParser> = new Map();
  /** The bases of processes that are known to send annotations. */
  #annotated: Set<string> = new Set();
  /** What is being read, or was read after the last answer. */
  readonly #jobs: Map<string, Job> = new Map();

  constructor(liveness: Liveness) {
    this.#liveness = liveness;
  }

  /** Whether the process behind a pipe has answered, and has had a pipe since. */
  hasAnswered(base: string): boolean {
    return this.#parsers.has(base);
  }

  /** Forgets the ids that names have in the table of the last snapshots. */
  forgetNames(): void {
    this.#parsers.clear();
  }

  /**
   * Selects the pipes to read. Of too many, those of processes that have
   * answered before come first, and the others take turns.
   *
   * @param names The names of all files in the directory.
   * @returns The pipes, in ascending order of their process ids, and what is
   * wrong with them, for a person.
   */
  select(names: readonly string[]): { pipes: PipeName[]; wrong: string[] } {
    const pipes: PipeName[] = [];
    const wrong: string[] = [];
    for (const name of names) {
      const pipe = parsePipeName(name);
      if (pipe !== undefined) pipes.push(pipe);
    }
    if (pipes.length > MAX_PIPES) {
      wrong.unshift(
        `*.stats must be at most ${MAX_PIPES}, got ${pipes.length}`,
      );
      const known = pipes.filter(({ base }) => this.hasAnswered(base));
      const others = pipes.filter(({ base }) => !this.hasAnswered(base));
      const first = [...known, ...fromRandomStart(others)];
      pipes.splice(0, Infinity, ...first.slice(0, MAX_PIPES));
    }
    return { pipes: pipes.sort(byProcess), wrong };
  }

  /**
   * Reads pipes. What takes longer is read on, for the next call.
   *
   * @param table The ids of names.
   * @param deadline When to give up, by `performance.now()`.
   * @returns A reading of each pipe that was not removed meanwhile.
   */
  async read(
    dir: string,
    pipes: readonly PipeName[],
    table: NameTable,
    deadline: number,
  ): Promise<Reading[]> {
    const budget = new Budget();
    const parsers = new Map<string, SnapshotParser>();
    const earlier = new Map<string, Job>();
    const jobs = pipes.map((pipe) => {
      const { base } = pipe;
      const parser = this.#parsers.get(base) ?? new SnapshotParser(table);
      parsers.set(base, parser);
      const last = this.#jobs.get(base);
      if (last !== undefined) {
        if (last.time === undefined) {
          last.budget.moveTo(budget);
          return last;
        }
        earlier.set(base, last);
      }
      const target = {
        ...pipe,
        path: pipePath(dir, base),
        liveness: this.#liveness,
        parser,
        deadline,
        annotated: this.#annotated.has(base),
        budget: new PipeBudget(budget),
      };
      const job = startJob(target);
      this.#jobs.set(base, job);
      return job;
    });
    await endOf(jobs, deadline + LATE_MS);
    const annotated = new Set<string>();
    const readings: Reading[] = [];
    for (const [i, job] of jobs.entries()) {
      const { base } = pipes[i];
      const { result, time } = takeResult(job, earlier.get(base));
      // A job that goes on is asked for the next time.
      if (job.time !== undefined) this.#jobs.delete(base);
      const hasAnswered = result !== undefined && "snapshot" in result;
      const goesOn = job.time === undefined;
      if (!hasAnswered && !goesOn && !this.#parsers.has(base)) {
        parsers.delete(base);
      }
      if (result === undefined) continue;
      const reading = this.#toReading(pipes[i], result, time);
      readings.push(reading);
      // An invalid text may come from another program that has got the process
      // id, so only a process that did not answer is still known to annotate.
      const isAnnotated = "snapshot" in result
        ? result.snapshot.annotated
        : result.failure === "timeout" && this.#annotated.has(base);
      if (isAnnotated) annotated.add(base);
    }
    this.#parsers = parsers;
    this.#annotated = annotated;
    this.#forgetJobs(new Set(pipes.map(({ base }) => base)));
    return readings;
  }

  #toReading(
    { base, pid, instance }: PipeName,
    result: PipeReading | Problem,
    time: number,
  ): Reading {
    const systemStart = () =>
      pid === undefined ? undefined : runtime.processStart(pid);
    const reading = { base, pid, instance, systemStart, result, time };
    if (!("snapshot" in result)) return reading;
    this.#liveness.noteAnswer(base, pid);
    // A process that sends no annotations has an identity all the same.
    if (result.snapshot.process !== undefined) {
      const { id } = result.snapshot.process;
      const hasSign = id !== undefined && this.#liveness.hasSign(base, id);
      return { ...reading, hasSign };
    }
    const living = this.#liveness.signsOf(base, result.owner)
      .filter(({ lives }) => lives);
    return living.length === 1
      ? { ...reading, id: living[0].sign.id, hasSign: true }
      : reading;
  }

  /** Forgets what was read of pipes that are no longer there. */
  #forgetJobs(bases: ReadonlySet<string>): void {
    for (const base of this.#jobs.keys()) {
      if (!bases.has(base)) this.#jobs.delete(base);
    }
  }
}

function byProcess(a: PipeName, b: PipeName): number {
  const [first, second] = [a, b].map(({ pid }) => pid ?? Infinity);
  return first === second ? (a.base < b.base ? -1 : 1) : first - second;
}

function startJob(target: PipeTarget): Job {
  const job: { -readonly [K in keyof Job]: Job[K] } = {
    ended: Promise.resolve(),
    budget: target.budget,
    time: undefined,
    result: undefined,
  };
  job.ended = readPipe(target).then(
    (result) => {
      job.result = result;
    },
    (error) => {
      job.result = { failure: "invalid", why: (error as Error).message };
    },
  ).then(() => {
    job.time = performance.now();
  });
  return job;
}

/** Waits for the end of all jobs, or for the time. */
async function endOf(jobs: readonly Job[], until: number): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const time = new Promise((resolve) => {
    timer = setTimeout(resolve, Math.max(0, until - performance.now()));
  });
  await Promise.race([Promise.all(jobs.map(({ ended }) => ended)), time]);
  clearTimeout(timer);
}

/** What a job has brought, or what an earlier one has brought since the last answer. */
function takeResult(
  job: Job,
  earlier: Job | undefined,
): { result: PipeReading | Problem | undefined; time: number } {
  const { result, time } = job;
  const isNew = time !== undefined &&
    (result === undefined || "snapshot" in result ||
      result.failure !== "timeout");
  if (isNew) return { result, time };
  const last = earlier?.result;
  if (last !== undefined && "snapshot" in last) {
    return { result: last, time: earlier!.time! };
  }
  const late = job.budget.bytes > 0 ? FLOWS : SILENCE;
  return { result: result ?? late, time: performance.now() };
}
