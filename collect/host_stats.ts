/**
 * What is known of a host at one moment: its stats, merged, and its processes.
 *
 * Pure: no clock, no I/O.
 *
 * @module
 */

import type { NameTable } from "../format/snapshot.ts";
import type { Description } from "../model/descriptions.ts";
import type { Histogram } from "../model/histogram.ts";
import type { Stat } from "../model/numbers.ts";
import type { GroupUsage } from "../runtime/system.ts";

/** A distribution: a recorded stat, over all processes. */
export interface HostDistribution {
  /** The name it was recorded under, labels included: `db.{0}.ms{table="users"}`. */
  readonly name: string;
  /** Each percentile, 0 to 100, and the name of the stat that shows it. */
  readonly percentiles:
    readonly (readonly [percentile: number, name: string])[];
  /** The name of the stat that shows the mean; `undefined` if no stat does. */
  readonly mean: string | undefined;
  /** The last values of all live processes, in ascending order. */
  readonly window: Float64Array;
  /** Whether a fractional value was ever recorded. */
  readonly fractional: boolean;
  /** All values ever recorded; `undefined` if no process sends a histogram. */
  readonly histogram: Histogram | undefined;
}

/** The states of processes, in the order in which they are listed. */
export const PROCESS_STATES = [
  "ok",
  "hung",
  "unknown",
  "timeout",
  "invalid",
  "dead",
] as const;

/**
 * Whether a process answers, and whether its main thread responds: `ok` if it
 * does, `hung` if it has not for a second or more, `unknown` if nobody measures
 * that. The other states are those of processes that do not answer.
 */
export type ProcessState = typeof PROCESS_STATES[number];

/** Whether a process of a state has given its values. */
export function answers(state: ProcessState): boolean {
  return state === "ok" || state === "hung" || state === "unknown";
}

/** What a process uses, as the system says. */
export interface ProcessUsage {
  /** The processor time that it has used, in seconds. */
  readonly cpu: number;
  /** Its memory that is not swapped out, in bytes. */
  readonly memory: number;
  /** The size of its address space, in bytes. */
  readonly virtualMemory: number;
  /** How many threads it has. */
  readonly threads: number;
  /** How many files it has open; `undefined` if that is not permitted. */
  readonly openFiles: number | undefined;
  /** How many files it may have open; `undefined` if there is no limit. */
  readonly maxFiles: number | undefined;
  /** When it started, in seconds since 1970. */
  readonly start: number;
  /** What the group of processes uses that it belongs to, and what that may use. */
  readonly group: GroupUsage | undefined;
}

/** How long the name of a process may be in a label. */
const MAX_NAME_LENGTH = 128;

/** The name of a process as a label has it. */
export function processName(name: string | undefined): string {
  return (name || "unnamed").slice(0, MAX_NAME_LENGTH).toWellFormed();
}

/** One process of the host. */
export interface ProcessStatus {
  /** Its process id, where it runs; `undefined` if its pipe is not named after that. */
  readonly pid: number | undefined;
  /**
   * What stands behind the process id in the name of its pipe, to tell processes
   * with equal ids apart, or in place of one: `app` for `app.stats`.
   */
  readonly instance?: string | undefined;
  /** Its identity, if it has one: 32 hexadecimal digits. */
  readonly id?: string | undefined;
  /** Its name, if it sends one, or else that of its pipe, if that is not its process id. */
  readonly name: string | undefined;
  /** Its runtime and version, such as `deno 2.9.6`, if it sends them. */
  readonly runtime: string | undefined;
  /** When it started, in seconds since 1970, if it sends that. */
  readonly start: number | undefined;
  /** Whether it answers, and whether its main thread responds. */
  readonly state: ProcessState;
  /** How old its values are, in seconds; `undefined` if there are none. */
  readonly age: number | undefined;
  /** The minimum time, in seconds, that its main thread has failed to respond, if it answers and measures that. */
  readonly stalled: number | undefined;
  /** Why its last read failed; `undefined` if it did not. */
  readonly error: string | undefined;
  /** How many lines of its values have no valid number and count for nothing, if any do. */
  readonly badLines?: number | undefined;
  /**
   * What it uses; `undefined` if that is not known for sure. The system is asked
   * when this is read for the first time.
   */
  readonly usage?: ProcessUsage | undefined;
}

/** The stats of a host, column by column. */
export interface HostStats {
  /**
   * The names by id, those of stats that have ended included. Each id belongs to
   * one name for as long as this is the same table.
   */
  readonly table: NameTable;
  /** The ids of the stats, in the order in which they were first seen. */
  readonly ids: Int32Array;
  /** For each, its value: a finite number. */
  readonly values: Float64Array;
  /** For each, 1 if it prints with a decimal point. */
  readonly fractional: Uint8Array;
  /** For each, its {@linkcode Kind}. */
  readonly kinds: Uint8Array;
  /** The distributions. Their percentiles and means are among the stats too. */
  readonly recorded: readonly HostDistribution[];
  /** The descriptions that programs give of their stats, by name without labels. */
  readonly descriptions: ReadonlyMap<string, Description>;
  /** The processes, in ascending order of their ids. */
  readonly processes: readonly ProcessStatus[];
  /**
   * The start of the oldest process whose counters or histograms count, in
   * seconds since 1970: then all of them were 0. `undefined` if any start is not
   * known.
   */
  readonly created?: number | undefined;
}

/** The stats by name. */
export function toMap(host: HostStats): Map<string, Stat> {
  const { table: { names }, ids, values, fractional } = host;
  const stats = new Map<string, Stat>();
  for (let i = 0; i < ids.length; i++) {
    stats.set(names[ids[i]], {
      value: values[i],
      fractional: fractional[i] === 1,
    });
  }
  return stats;
}

/** How many processes there are in each state, in the order of the states. */
export function countStates(
  processes: readonly ProcessStatus[],
): Record<ProcessState, number> {
  const counts = Object.fromEntries(
    PROCESS_STATES.map((state) => [state, 0]),
  ) as Record<ProcessState, number>;
  for (const { state } of processes) counts[state]++;
  return counts;
}
