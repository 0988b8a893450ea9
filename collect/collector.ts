/**
 * Reads the pipes of all processes of this host at once.
 *
 * Touches the pipe directory: removes the pipes of processes that are dead.
 * Writes its state, if it has a file for it.
 *
 * @module
 */

import { Census, type Counted } from "./census.ts";
import type { HostStats, ProcessStatus } from "./host_stats.ts";
import { merge, type MergeInput } from "./merge.ts";
import { newBudget, readPipe } from "./pipe_reader.ts";
import { loadState, saveState } from "./state_file.ts";
import {
  looksLikePipe,
  pidOfPipe,
  pidOfPrivate,
  pipePath,
} from "../directory/file_names.ts";
import { LedgerReader } from "../ended/ledger_reader.ts";
import { NameTable, type Snapshot } from "../format/snapshot.ts";
import { SnapshotParser } from "../format/snapshot_parser.ts";
import { fromRandomStart } from "../model/from_random_start.ts";
import { runtime } from "../runtime/runtime.ts";
import { pipeDir } from "../directory/pipe_dir.ts";

/** What to read, and how long to wait for it. */
export interface CollectorOptions {
  /** The directory of the pipes: an absolute path, `config.pipeDir` by default. */
  pipeDir?: string;
  /** How long the slowest process may take, in milliseconds, 250 by default. */
  deadline?: number;
  /**
   * A file that keeps the totals of processes that were killed, so that they
   * do not fall when the collector ends and another one begins. Each collector
   * needs its own.
   */
  state?: string;
  /**
   * Takes a line about a pipe that gives no snapshot, or a state that cannot be
   * written: once, until that is over or something else is wrong.
   */
  log?: (line: string) => void;
}

/** What was read at one time: all that can be merged. */
export interface Collected extends MergeInput {
  /** The last snapshot of each process that lives, by its id. */
  readonly byPid: ReadonlyMap<number, Snapshot>;
}

/** How many pipes are named that are wrong, before one line stands for the others. */
const MAX_LINES = 20;

/** After how long there is room for as many again, in milliseconds. */
const LINES_MS = 60_000;

/** How long reading what ended processes have left may take at least, in milliseconds. */
const LEFT_MS = 25;

/** How long before the deadline it stops, in milliseconds. */
const REST_MS = 100;

/** How many pipes are read at one time. */
const MAX_PIPES = 4_096;

/** How many names of stats that are no more are kept, at least. */
const SPARE_NAMES = 10_000;

/** A recorded stat's own name, and those of its count and its sum in a push. */
const NAMES_OF_RECORDED = 3;

/**
 * Reads the pipes of a host, as often as it is asked to.
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
  #problems: Set<string> = new Set();
  // How many lines were logged, and since when that is counted.
  #lines = 0;
  #linesSince = -Infinity;
  #hasFailed = false;
  #stateErrors = 0;
  readonly #census: Census = new Census();
  readonly #ledgers: LedgerReader = new LedgerReader();
  #table: NameTable = new NameTable();
  // Of the processes that have answered, as long as they have a pipe.
  #parsers: Map<number, SnapshotParser> = new Map();
  // The processes that are known to send annotations.
  #annotated: Set<number> = new Set();
  #reading: Promise<Collected> | undefined;

  /**
   * Makes a collector. Nothing but its state is read before it is asked to.
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
    if (state !== undefined) {
      loadState(state, this.#census, this.#table);
      saveState(state, this.#census);
    }
  }

  /** How often the state could not be written. */
  get stateErrors(): number {
    return this.#stateErrors;
  }

  /**
   * Reads all pipes at the same time, and merges what they say.
   *
   * @returns The stats of the host. A directory that does not exist has none.
   * @throws If the directory cannot be read.
   */
  async collect(): Promise<HostStats> {
    return merge(await this.read());
  }

  /**
   * Reads all pipes at the same time. A process that does not answer is given
   * up at the deadline, and costs the others nothing: its last values count.
   * Who asks while the pipes are being read shares what is read.
   *
   * @returns What {@linkcode merge} takes.
   * @throws As {@linkcode Collector.collect} does.
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
    const { pids, wrong } = exists
      ? namesIn(dir, (pid) => this.#parsers.has(pid))
      : NOTHING;
    const budget = newBudget();
    const parsers = new Map<number, SnapshotParser>();
    const results = await Promise.all(pids.map((pid) => {
      const parser = this.#parsers.get(pid) ?? new SnapshotParser(this.#table);
      parsers.set(pid, parser);
      const isAnnotated = this.#annotated.has(pid);
      const path = pipePath(dir, pid);
      return readPipe(path, pid, parser, deadline, isAnnotated, budget);
    }));
    const names = exists ? list(dir) : [];
    // Also where the pipes have taken all the time, as a hung one does.
    const until = Math.max(deadline - REST_MS, performance.now() + LEFT_MS);
    const left = this.#ledgers.read(dir, names, this.#table, until);
    const annotated = new Set<number>();
    const readings = [];
    for (const [i, result] of results.entries()) {
      const pid = pids[i];
      const isSilent = result === undefined || "failure" in result;
      if (isSilent && !this.#parsers.has(pid)) parsers.delete(pid);
      if (result === undefined) continue;
      const systemStart = () => runtime.processStart(pid);
      readings.push({ pid, systemStart, result });
      if ("snapshot" in result) {
        if (result.snapshot.annotated) annotated.add(pid);
      } // What was invalid may be another program by now, which annotates nothing.
      else if (result.failure === "timeout" && this.#annotated.has(pid)) {
        annotated.add(pid);
      }
    }
    this.#parsers = parsers;
    this.#annotated = annotated;
    if (exists) {
      const isDead = results.map((result) =>
        result !== undefined && "failure" in result && result.failure === "dead"
      );
      removeLeftovers(
        dir,
        names,
        new Map(pids.map((pid, i) => [pid, isDead[i]])),
        until,
      );
    }
    const counted = this.#census.update({
      readings,
      ...left,
      now: performance.now(),
      lives: (pid, start) => {
        const exists = runtime.processExists(pid);
        return exists === true && start !== undefined
          ? runtime.processStart(pid) === start
          : exists;
      },
    });
    this.#save();
    const processes = [
      ...wrong.map((error): ProcessStatus => ({ ...NO_PROCESS, error })),
      ...counted.processes,
    ];
    this.#logProblems(dir, processes, left.problems);
    return this.#complete({ ...counted, processes });
  }

  /** Says what is wrong with a pipe, once until it is something else. */
  #logProblems(
    dir: string,
    processes: readonly ProcessStatus[],
    left: readonly string[],
  ): void {
    // What is wrong may be something else each time.
    const lines = new Map(left.map((line) => [line, line]));
    // Of too many, each time others are read.
    const areAll = processes.length < MAX_PIPES;
    for (const { pid, state, error } of processes) {
      if (error === undefined || state === "dead") continue;
      if (pid !== 0 && !areAll && !this.#parsers.has(pid)) continue;
      if (pid === 0) lines.set(error, `${dir}/${error}`);
      else lines.set(`${pid} ${state}`, `${pipePath(dir, pid)}: ${error}`);
    }
    const now = performance.now();
    if (now - this.#linesSince > LINES_MS) {
      this.#linesSince = now;
      this.#lines = 0;
    }
    const problems = new Set<string>();
    let more = 0;
    for (const [problem, line] of lines) {
      if (!this.#problems.has(problem)) {
        // It is said when there is room again, if it still is one.
        if (this.#lines >= MAX_LINES) {
          more++;
          continue;
        }
        this.#lines++;
        this.#log(line);
      }
      problems.add(problem);
    }
    if (more > 0 && this.#lines === MAX_LINES) {
      this.#lines++;
      this.#log(`${dir}: ${more} more are wrong`);
    }
    this.#problems = problems;
  }

  /** Writes the state before anybody sees totals that it does not have. */
  #save(): void {
    if (this.#state === undefined) return;
    try {
      saveState(this.#state, this.#census);
      this.#hasFailed = false;
    } catch (error) {
      this.#stateErrors++;
      if (!this.#hasFailed) this.#log((error as Error).message);
      this.#hasFailed = true;
    }
  }

  #complete(counted: Counted): Collected {
    const { live, ended, totals, processes } = counted;
    const table = this.#table;
    const used = [...live.values(), ...ended]
      .reduce(
        (sum, { ids, recorded }) =>
          sum + ids.length + NAMES_OF_RECORDED * recorded.length,
        0,
      ) +
      totals.reduce(
        (sum, { counters, recorded }) =>
          sum + counters.size + NAMES_OF_RECORDED * recorded.size,
        0,
      );
    if (table.names.length > 2 * used + SPARE_NAMES) {
      // Most names are of stats that are no more.
      this.#table = new NameTable();
      this.#parsers.clear();
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
 * The processes that have a pipe, in ascending order, and what is wrong with
 * other names, for a person.
 *
 * @param isKnown Whether a process is read first, where there are too many.
 */
function namesIn(
  dir: string,
  isKnown: (pid: number) => boolean,
): { pids: number[]; wrong: string[] } {
  const pids: number[] = [];
  const wrong: string[] = [];
  for (const name of list(dir)) {
    const pid = pidOfPipe(name);
    if (pid !== undefined) pids.push(pid);
    else if (looksLikePipe(name)) {
      wrong.push(`${name} must be named after a process id`);
    }
  }
  if (pids.length > MAX_PIPES) {
    wrong.unshift(`*.stats must be at most ${MAX_PIPES}, got ${pids.length}`);
    const others = pids.filter((pid) => !isKnown(pid));
    const first = [...pids.filter(isKnown), ...fromRandomStart(others)];
    pids.splice(0, Infinity, ...first.slice(0, MAX_PIPES));
  }
  return {
    pids: pids.sort((a, b) => a - b),
    wrong: wrong.slice(0, MAX_PIPES),
  };
}

const NOTHING = { pids: [], wrong: [] };

/** What is said of a file that is of no process. */
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

/**
 * Removes what dead processes have left behind, as far as that may be removed:
 * also one that was killed before it had a pipe.
 *
 * @param names What is in the directory.
 * @param isDead By process id: whether one that has a pipe was seen to be dead.
 * @param until When to stop, by `performance.now()`.
 */
function removeLeftovers(
  dir: string,
  names: readonly string[],
  isDead: Map<number, boolean>,
  until: number,
): void {
  for (const name of fromRandomStart(names)) {
    const pid = pidOfPrivate(name) ?? pidOfPipe(name);
    if (pid === undefined) continue;
    if (performance.now() > until) return;
    if (!isDead.has(pid)) isDead.set(pid, runtime.processExists(pid) === false);
    if (!isDead.get(pid)) continue;
    try {
      runtime.remove(`${dir}/${name}`);
    } catch {
      // Not ours.
    }
  }
}
