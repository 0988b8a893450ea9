/**
 * Reads the stats of all processes of a host.
 *
 * Touches the pipe directory, from which it removes the files of dead
 * processes, and the clock. Writes its state file, if it has one.
 *
 * @module
 */

import { Census, type Counted } from "./census.ts";
import type { HostStats, ProcessStatus } from "./host_stats.ts";
import { merge, type MergeInput } from "./merge.ts";
import { MAX_PIPES, Pipes } from "./pipes.ts";
import { Problems } from "./problems.ts";
import { removeLeftovers } from "./remove_leftovers.ts";
import { loadState, saveState } from "./state_file.ts";
import { pipePath } from "../directory/file_names.ts";
import { pipeDir } from "../directory/pipe_dir.ts";
import { EndedReader } from "../ended/ended_reader.ts";
import { NameTable, type Snapshot } from "../format/snapshot.ts";
import { runtime } from "../runtime/runtime.ts";

/** What to read, and how long to wait for it. */
export interface CollectorOptions {
  /** The directory of the pipes: an absolute path, `config.pipeDir` by default. */
  pipeDir?: string;
  /** How long the slowest process may take, in milliseconds, 250 by default. */
  deadline?: number;
  /**
   * A file that keeps the totals of killed processes, so that they do not fall
   * when the collector ends and another one begins. Each collector needs a file
   * of its own.
   */
  state?: string;
  /**
   * Takes a line for each problem: a pipe that gives no snapshot, or a state
   * file that cannot be written. A problem is logged once, until it is over or
   * another one takes its place.
   */
  log?: (line: string) => void;
}

/** What was read at one time, ready to be merged. */
export interface Collected extends MergeInput {
  /** The last snapshot of each process that has a pipe, by process id. */
  readonly byPid: ReadonlyMap<number, Snapshot>;
}

/**
 * How long reading the files of ended processes may take in any case, in
 * milliseconds, even if a hung process has used up the time for all pipes.
 */
const MIN_ENDED_MS = 25;

/** How long before the deadline that reading stops, in milliseconds. */
const MERGE_MS = 100;

/** How many names that no stat has any more are kept, at least. */
const SPARE_NAMES = 10_000;

/** A distribution's own name, and those of its count and its sum in a push. */
const NAMES_OF_DISTRIBUTION = 3;

/**
 * Reads the pipes of a host whenever it is asked to.
 *
 * @example What all programs on this host count
 * ```ts
 * import { Collector, toMap } from "@statvent/statvent/collect";
 * import { assertEquals } from "@std/assert";
 *
 * const pipeDir = await Deno.makeTempDir();
 * const host = await new Collector({ pipeDir }).collect();
 * assertEquals(toMap(host).size, 0);
 * assertEquals(host.processes, []);
 * await Deno.remove(pipeDir);
 * ```
 */
export class Collector {
  readonly #pipeDir: string | undefined;
  readonly #deadline: number;
  readonly #state: string | undefined;
  readonly #log: (line: string) => void;
  readonly #problems: Problems;
  readonly #pipes: Pipes = new Pipes();
  readonly #ended: EndedReader = new EndedReader();
  readonly #census: Census = new Census();
  #table: NameTable = new NameTable();
  #reading: Promise<Collected> | undefined;
  #stateErrors = 0;
  #hasStateFailed = false;

  /**
   * Makes a collector. It reads its state file at once, but no pipe before
   * {@linkcode Collector.read} is called.
   *
   * @param options What to read.
   * @throws {RangeError} If the deadline is not a positive number.
   * @throws {Error} If the state file can be neither read nor written. The
   * message says what to do.
   */
  constructor(options: CollectorOptions = {}) {
    const { pipeDir, deadline = 250, state, log = () => {} } = options;
    if (!(deadline > 0)) {
      throw new RangeError(
        `Cannot collect: the deadline must be a positive number of milliseconds, got ${deadline}`,
      );
    }
    this.#pipeDir = pipeDir;
    this.#deadline = deadline;
    this.#state = state;
    this.#log = log;
    this.#problems = new Problems(log);
    if (state !== undefined) {
      loadState(state, this.#census, this.#table);
      saveState(state, this.#census);
    }
  }

  /** How often the state file could not be written. */
  get stateErrors(): number {
    return this.#stateErrors;
  }

  /**
   * Reads all pipes and merges what they say: {@linkcode merge} of
   * {@linkcode Collector.read}.
   *
   * @returns The stats of the host. A directory that does not exist has none.
   * @throws {Error} If the directory cannot be read.
   */
  async collect(): Promise<HostStats> {
    return merge(await this.read());
  }

  /**
   * Reads all pipes at the same time. A process that does not answer is given
   * up at the deadline, and costs the others nothing: its last values count.
   * Calls while the pipes are being read share one result.
   *
   * @returns The input of {@linkcode merge}.
   * @throws {Error} If the directory cannot be read.
   */
  read(): Promise<Collected> {
    return this.#reading ??= this.#read().finally(() =>
      this.#reading = undefined
    );
  }

  async #read(): Promise<Collected> {
    const deadline = performance.now() + this.#deadline;
    const dir = this.#pipeDir ?? pipeDir();
    const exists = runtime.identify(dir) !== undefined;
    const { pids, wrong } = this.#pipes.select(exists ? list(dir) : []);
    const readings = await this.#pipes.read(dir, pids, this.#table, deadline);
    // After the pipes: a process that ended meanwhile has left its file.
    const names = exists ? list(dir) : [];
    const until = Math.max(
      deadline - MERGE_MS,
      performance.now() + MIN_ENDED_MS,
    );
    const left = this.#ended.read(dir, names, this.#table, until);
    const isDead = new Map(pids.map((pid) => [pid, false]));
    for (const { pid, result } of readings) {
      isDead.set(pid, "failure" in result && result.failure === "dead");
    }
    removeLeftovers(dir, names, isDead, until);
    const counted = this.#census.update({
      readings,
      ...left,
      now: performance.now(),
      lives,
    });
    this.#save();
    const processes = [
      ...wrong.map((error) => ({ ...NO_PROCESS, error })),
      ...counted.processes,
    ];
    this.#problems.update(
      dir,
      this.#describeProblems(dir, processes, left.problems),
      performance.now(),
    );
    return this.#complete({ ...counted, processes });
  }

  /** A line for each problem, by a text that stays while the problem is the same. */
  #describeProblems(
    dir: string,
    processes: readonly ProcessStatus[],
    problemsOfLeft: readonly string[],
  ): Map<string, string> {
    const lines = new Map(problemsOfLeft.map((line) => [line, line]));
    // With too many pipes a different subset is read each time, so only
    // processes that have answered before can be followed.
    const areAll = processes.length < MAX_PIPES;
    for (const { pid, state, error } of processes) {
      if (error === undefined || state === "dead") continue;
      if (pid === NO_PROCESS.pid) lines.set(error, `${dir}/${error}`);
      else if (areAll || this.#pipes.hasAnswered(pid)) {
        lines.set(`${pid} ${state}`, `${pipePath(dir, pid)}: ${error}`);
      }
    }
    return lines;
  }

  /** Writes the state file before anybody sees totals that it does not have. */
  #save(): void {
    if (this.#state === undefined) return;
    try {
      saveState(this.#state, this.#census);
      this.#hasStateFailed = false;
    } catch (error) {
      this.#stateErrors++;
      if (!this.#hasStateFailed) this.#log((error as Error).message);
      this.#hasStateFailed = true;
    }
  }

  #complete(counted: Counted): Collected {
    const { live, ended, totals, processes } = counted;
    const table = this.#table;
    const namesOf = (stats: number, distributions: number) =>
      stats + NAMES_OF_DISTRIBUTION * distributions;
    let used = 0;
    for (const { ids, recorded } of [...live.values(), ...ended]) {
      used += namesOf(ids.length, recorded.length);
    }
    for (const { counters, recorded } of totals) {
      used += namesOf(counters.size, recorded.size);
    }
    // Names are never removed from a table, so one that has too many names of
    // stats that no longer exist is replaced.
    if (table.names.length > 2 * used + SPARE_NAMES) {
      this.#table = new NameTable();
      this.#pipes.forgetNames();
    }
    return {
      table,
      live: [...live.values()],
      ended,
      totals,
      processes,
      byPid: live,
    };
  }
}

/** The status of a file that is named like a pipe, but after no process. */
const NO_PROCESS: ProcessStatus = {
  pid: 0,
  name: undefined,
  runtime: undefined,
  start: undefined,
  state: "invalid",
  age: undefined,
  stalled: undefined,
  error: undefined,
};

function list(dir: string): string[] {
  try {
    return runtime.list(dir);
  } catch (error) {
    const { message } = error as Error;
    throw new Error(
      `Cannot collect: the directory of the pipes must be readable (${message})`,
      { cause: error },
    );
  }
}

/**
 * Whether a process is alive and, if its start is known, not another one that
 * has got its id; `undefined` if the system does not tell.
 */
function lives(pid: number, start: string | undefined): boolean | undefined {
  const exists = runtime.processExists(pid);
  return exists === true && start !== undefined
    ? runtime.processStart(pid) === start
    : exists;
}
