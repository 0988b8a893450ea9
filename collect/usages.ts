/**
 * Finds out what processes use, if it is sure that the system means the same
 * process.
 *
 * A process id means something else in another container, and is used again. So
 * nothing is said of a process before it was recognized: by its sign of life,
 * which it holds open, or by its user and its start.
 *
 * Touches the pipe directory and the clock.
 *
 * @module
 */

import {
  answers,
  type ProcessStatus,
  type ProcessUsage,
} from "./host_stats.ts";
import { alivePath, baseOf, pipePath } from "../directory/file_names.ts";
import { attempt } from "../runtime/attempt.ts";
import { runtime } from "../runtime/runtime.ts";
import type {
  GroupUsage,
  ProcessGroups,
  ProcessStat,
} from "../runtime/system.ts";

/** How much earlier than a process says the system may say that it started, in seconds. */
const START_SECONDS = 2;

/** How much later the system may say it, since the clock is read once for many. */
const CLOCK_SECONDS = 0.25;

/** How long what hardly changes is believed, in milliseconds. */
const FRESH_MS = 60_000;

/** What is known of a process besides its figures. */
interface Known {
  /** Tells it from other processes of its id. */
  readonly start: string;
  readonly isSame: boolean;
  /** When that was found out. */
  readonly time: number;
  readonly maxFiles: number | undefined;
  readonly groups: ProcessGroups | undefined;
}

/** A process whose process id is known. */
type Numbered = Omit<ProcessStatus, "usage" | "pid"> & { readonly pid: number };

/** Knows what the processes of a directory use. */
export class Usages {
  /** What is known, by process; and what was asked for in this reading. */
  #known: Map<string, Known> = new Map();
  #asked: Map<string, Known> = new Map();
  #isNew = true;
  /** When the system started, in seconds since 1970. */
  #boot: number | undefined;
  #nested: ReadonlySet<number> | undefined;
  #groups: Map<string, GroupUsage> = new Map();

  /** Begins a new reading, in which everything is asked once at most. */
  begin(): void {
    this.#isNew = true;
  }

  /** What a process uses; `undefined` if that cannot be found out. */
  of(
    dir: string,
    process: Omit<ProcessStatus, "usage">,
  ): ProcessUsage | undefined {
    const { pid, state, id } = process;
    if (state === "dead" || !pid) return undefined;
    // Of a process without a sign of life only its answer says that it lives.
    if (id === undefined && !answers(state)) return undefined;
    this.#renew();
    const stat = runtime.processes.stat(pid);
    if (stat === undefined || this.#boot === undefined) return undefined;
    const known = this.#recognize(dir, { ...process, pid }, stat);
    if (!known.isSame) return undefined;
    const { cpu, resident, virtual, threads, startSeconds } = stat;
    return {
      cpu,
      memory: resident,
      virtualMemory: virtual,
      threads,
      openFiles: runtime.processes.openFiles(pid),
      maxFiles: known.maxFiles,
      start: Math.round((this.#boot + startSeconds) * 100) / 100,
      group: known.groups && this.#figuresOf(known.groups),
    };
  }

  /** Forgets what holds for one reading only, and the processes that the last one did not ask for. */
  #renew(): void {
    if (!this.#isNew) return;
    this.#isNew = false;
    this.#known = this.#asked;
    this.#asked = new Map();
    this.#nested = undefined;
    this.#groups = new Map();
    const uptime = runtime.processes.uptime();
    this.#boot = uptime && Date.now() / 1000 - uptime;
  }

  #figuresOf(groups: ProcessGroups): GroupUsage {
    const key = JSON.stringify(groups);
    let figures = this.#groups.get(key);
    if (figures === undefined) {
      figures = runtime.processes.figuresOf(groups);
      this.#groups.set(key, figures);
    }
    return figures;
  }

  #recognize(
    dir: string,
    process: Numbered,
    stat: ProcessStat,
  ): Known {
    const { pid, instance, id, start } = process;
    const key = `${baseOf(pid, instance)} ${id} ${start}`;
    const last = this.#asked.get(key) ?? this.#known.get(key);
    const time = performance.now();
    const isFresh = last !== undefined && last.start === stat.start &&
      time - last.time < FRESH_MS;
    const known = isFresh ? last : {
      start: stat.start,
      isSame: last?.start === stat.start && last.isSame ||
        this.#isSame(dir, process, stat),
      time,
      maxFiles: runtime.processes.maxFiles(pid),
      groups: runtime.processes.groups(pid),
    };
    this.#asked.set(key, known);
    return known;
  }

  /** Whether the system means the process that has the pipe. */
  #isSame(
    dir: string,
    { pid, instance, id, start }: Numbered,
    stat: ProcessStat,
  ): boolean {
    const base = baseOf(pid, instance);
    const sign = id &&
      attempt(() => runtime.identify(alivePath(dir, base, id)));
    if (sign) {
      const holds = runtime.processes.holds(pid, sign);
      if (holds !== undefined) return holds;
    }
    const pipe = attempt(() => runtime.identify(pipePath(dir, base)));
    const owner = (sign || pipe)?.owner;
    if (owner === undefined || runtime.processOwner(pid) !== owner) {
      return false;
    }
    const started = this.#boot! + stat.startSeconds;
    const isStart = start === undefined
      ? pipe !== undefined && started <= pipe.modified / 1000 + CLOCK_SECONDS
      : started >= start - START_SECONDS && started <= start + CLOCK_SECONDS;
    return isStart && this.#isHere(pid);
  }

  /** Whether a process that says that it has an id is the one that has it here. */
  #isHere(pid: number): boolean {
    const { processes } = runtime;
    // A container cannot see others that may have the directory.
    if (!processes.seesMachine()) return false;
    this.#nested ??= processes.nestedIds();
    return !this.#nested.has(pid);
  }
}
