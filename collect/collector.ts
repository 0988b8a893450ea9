/**
 * Reads the stats of all processes of a host.
 *
 * Touches the pipe directory, from which it removes the files of dead
 * processes, and the clock. Writes its state file, if it has one.
 *
 * @module
 */

import { Booking } from "./booking.ts";
import {
  Census,
  type Counted,
  type HostReading,
  type Reading,
  type SignReading,
} from "./census.ts";
import { Checkpoints } from "./checkpoints.ts";
import type { HostStats, ProcessStatus, ProcessUsage } from "./host_stats.ts";
import { Liveness } from "./liveness.ts";
import { merge, type MergeInput } from "./merge.ts";
import { MAX_PIPES, Pipes } from "./pipes.ts";
import { Problems } from "./problems.ts";
import { Usages } from "./usages.ts";
import { loadState, saveState } from "./state_file.ts";
import { baseOf, checkpointPath, pipePath } from "../directory/file_names.ts";
import { pipeDir } from "../directory/pipe_dir.ts";
import { discardDamaged } from "../ended/booking.ts";
import {
  type DeadProcess,
  removeDead,
  removeSimple,
} from "../ended/remove_dead.ts";
import { removeStale } from "../ended/remove_stale.ts";
import { EndedReader, type Left } from "../ended/ended_reader.ts";
import { NameTable, type Snapshot } from "../format/snapshot.ts";
import { printable } from "../model/printable.ts";
import { ownKey } from "../model/process_key.ts";
import { attempt } from "../runtime/attempt.ts";
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
  /**
   * The last snapshot of each process that has a pipe, by the name of the pipe
   * without `.stats`: the process id, with a hyphen and an instance if it has one.
   */
  readonly byBase: ReadonlyMap<string, Snapshot>;
  /** The processes among the ended ones that are alive, but have no pipe. */
  readonly silent: readonly {
    /** The name that its pipe had, without `.stats`. */
    readonly base: string;
    /** Its last snapshot. */
    readonly snapshot: Snapshot;
  }[];
  /**
   * The number of processes of which only this collector knows the last values:
   * those that were killed, and silent ones that may come back.
   */
  readonly unbooked: number;
  /** The number of processes that were killed. */
  readonly killed: number;
  /** The number of processes whose last values could not be kept. */
  readonly missed: number;
  /** Of how many killed processes more was read here than had been booked when it was too late. */
  readonly late: number;
  /** The number of lines, in the values that count, that have no valid number. */
  readonly badLines: number;
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

/** How many names a push has for the figures of a process, at most. */
const NAMES_OF_PROCESS = 16;

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
  readonly #liveness: Liveness = new Liveness();
  readonly #pipes: Pipes = new Pipes(this.#liveness);
  readonly #checkpoints: Checkpoints = new Checkpoints();
  readonly #booking: Booking = new Booking();
  readonly #ended: EndedReader = new EndedReader();
  readonly #census: Census = new Census();
  readonly #usages: Usages = new Usages();
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
    // A line may quote the name of a file, which may hold control characters.
    this.#log = (line) => log(printable(line));
    this.#problems = new Problems(this.#log);
    if (state !== undefined) {
      loadState(state, this.#census, this.#table, this.#log);
      for (const { base, systemStart } of this.#census.alive.values()) {
        if (systemStart !== undefined) {
          this.#liveness.noteSeen(base, systemStart);
        }
      }
      saveState(state, this.#census);
    }
  }

  /**
   * Checks that the directory of the pipes can be read, if it exists.
   *
   * @throws {Error} If it cannot be read.
   */
  checkDirectory(): void {
    const dir = this.#pipeDir ?? pipeDir();
    if (runtime.identify(dir) !== undefined) list(dir);
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
    const before = exists ? list(dir) : [];
    const { pipes, wrong } = this.#pipes.select(before);
    this.#liveness.update(dir, before);
    this.#liveness.begin([
      ...pipes.map(({ base }) => base),
      ...this.#census.namelessBases(),
    ]);
    this.#usages.begin();
    const readings = await this.#pipes.read(dir, pipes, this.#table, deadline);
    // After the pipes: a process that ended meanwhile has left its file.
    const names = exists ? list(dir) : [];
    this.#liveness.update(dir, names);
    const until = Math.max(
      deadline - MERGE_MS,
      performance.now() + MIN_ENDED_MS,
    );
    const { signs, lost } = this.#readSigns(dir, readings);
    const left = this.#ended.read(dir, names, this.#table, until);
    const counted = this.#census.update({
      readings,
      signs,
      ...left,
      now: performance.now(),
      lives: (process) => this.#lives(process),
    });
    this.#census.noteBooked(this.#booking.book(dir, counted.unbooked));
    const failed = this.#booking.bookUnknown(dir, counted.unknown);
    const removable = signs.filter(({ id }) => !failed.has(id));
    this.#removeDead(dir, removable, readings, left, lost);
    removeStale(
      dir,
      names,
      until,
      (owner) => this.#booking.mayBookFor(dir, owner),
    );
    this.#save();
    const processes = [
      ...wrong.map((error) => ({ ...NO_PROCESS, error })),
      ...counted.processes.map((process) => this.#withUsage(dir, process)),
    ];
    const problems = [
      ...left.problems,
      ...[...lost].map((path) => `${path}: It is damaged`),
    ];
    this.#problems.update(
      dir,
      this.#describeProblems(dir, processes, problems, counted.live),
      performance.now(),
    );
    return this.#complete({ ...counted, processes }, left.missed);
  }

  /** A process with what it uses, for which the system is asked when somebody wants to know it. */
  #withUsage(dir: string, process: ProcessStatus): ProcessStatus {
    const usages = this.#usages;
    let usage: { found: ProcessUsage | undefined } | undefined;
    return {
      ...process,
      get usage() {
        return (usage ??= { found: usages.of(dir, process) }).found;
      },
    };
  }

  /**
   * Asks the signs of life of processes that have not answered.
   *
   * @returns What they say, and the paths of checkpoints that are damaged.
   */
  #readSigns(
    dir: string,
    readings: readonly Reading[],
  ): { signs: SignReading[]; lost: Set<string> } {
    const answered = new Set(
      readings.flatMap(({ id, result }) =>
        "snapshot" in result ? result.snapshot.process?.id ?? id ?? [] : []
      ),
    );
    const lost = new Set<string>();
    this.#checkpoints.begin();
    const age = Date.now() - performance.now();
    const signs = this.#liveness.othersThan(({ id }) => answered.has(id)).map(
      ({ sign, lives }) => {
        const { base, id } = sign;
        const found = this.#checkpoints.read(dir, sign, this.#table);
        const { checkpoint } = found;
        if (found.isLost) lost.add(checkpointPath(dir, base, id));
        const isLost = found.isLost && (lives || !this.#discard(dir, sign));
        return {
          ...sign,
          lives,
          isLost,
          checkpoint: checkpoint &&
            { ...checkpoint, time: checkpoint.modified - age },
        };
      },
    );
    return { signs, lost };
  }

  /**
   * Whether a process is alive and, if its start is known, not another one that
   * has got its id; `undefined` if the system does not tell.
   */
  #lives(
    { base, pid, systemStart }: Parameters<HostReading["lives"]>[0],
  ): boolean | undefined {
    if (pid === undefined) return !this.#liveness.isDead(base, pid);
    const exists = runtime.processExists(pid);
    return exists === true && systemStart !== undefined
      ? runtime.processStart(pid) === systemStart
      : exists;
  }

  /** Removes the checkpoint of a dead process, and counts it, if it is damaged and this process may do so. */
  #discard(dir: string, dead: DeadProcess): boolean {
    if (!this.#booking.mayBookFor(dir, dead.owner)) return false;
    return attempt(() => discardDamaged(dir, dead)) ?? false;
  }

  /** Removes what dead processes have left that were booked, or that have left no values. */
  #removeDead(
    dir: string,
    signs: readonly SignReading[],
    readings: readonly Reading[],
    { late }: Left,
    lost: ReadonlySet<string>,
  ): void {
    const { gone } = this.#census;
    const dead = signs.filter(({ lives }) => !lives);
    const removable = dead.filter(({ owner, id }) =>
      !late.has(owner) && !gone.has(ownKey(owner, id)) &&
      this.#booking.mayBookFor(dir, owner)
    );
    removeDead(dir, removable, (path) => lost.has(path));
    const bases = new Set(dead.map(({ base }) => base));
    // A pipe that is not named after a process is removed by a person only: its
    // writer may come back.
    const simple = readings.filter(({ base, pid, result }) =>
      "failure" in result && result.failure === "dead" && !bases.has(base) &&
      pid !== undefined
    );
    removeSimple(dir, simple.map(({ base }) => base));
  }

  /** A line for each problem, by a text that stays while the problem is the same. */
  #describeProblems(
    dir: string,
    processes: readonly ProcessStatus[],
    problemsOfLeft: readonly string[],
    live: ReadonlyMap<string, Snapshot>,
  ): Map<string, string> {
    const lines = new Map(problemsOfLeft.map((line) => [line, line]));
    // With too many pipes a different subset is read each time, so only
    // processes that have answered before can be followed.
    const areAll = processes.length < MAX_PIPES;
    for (const { pid, instance, state, error } of processes) {
      if (error === undefined || state === "dead") continue;
      const base = baseOf(pid, instance);
      if (pid === NO_PROCESS.pid) lines.set(error, `${dir}/${error}`);
      else if (areAll || this.#pipes.hasAnswered(base)) {
        lines.set(`${base} ${state}`, `${pipePath(dir, base)}: ${error}`);
      }
    }
    for (const [base, { bad }] of live) {
      if (bad === undefined) continue;
      const line = `${
        pipePath(dir, base)
      }: Lines without a number, such as ${bad.first}, count for nothing`;
      lines.set(`${base} lines`, line);
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

  #complete(
    counted: Counted,
    missed: ReadonlyMap<number, number>,
  ): Collected {
    const { live, ended, silent, totals, processes } = counted;
    const table = this.#table;
    const namesOf = (stats: number, distributions: number) =>
      stats + NAMES_OF_DISTRIBUTION * distributions;
    let used = NAMES_OF_PROCESS * processes.length;
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
      silent,
      totals,
      processes,
      byBase: live,
      unbooked: this.#census.unbooked,
      killed: this.#census.killed,
      missed: [...missed.values()].reduce((sum, n) => sum + n, 0),
      late: this.#census.late,
      badLines: [...live.values()].reduce(
        (sum, { bad }) => sum + (bad?.count ?? 0),
        0,
      ),
    };
  }
}

/** The status of what is wrong with all pipes. */
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
