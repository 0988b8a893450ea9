/**
 * The resources that a process uses, as the kernel counts them.
 *
 * Reads `/proc`.
 *
 * @module
 */

import { readdirSync, readFileSync } from "node:fs";

/** The processor use of a process since its start. */
export interface ProcessorUse {
  /** Milliseconds of all threads. */
  readonly ms: number;
  /** Milliseconds of the main thread. */
  readonly mainMs: number;
  /** How often the kernel scheduled a thread. */
  readonly runs: number;
}

/** Reads the processor use of a process. */
export function processorUse(pid: number): ProcessorUse {
  const use = { ms: 0, mainMs: 0, runs: 0 };
  for (const thread of readdirSync(`/proc/${pid}/task`)) {
    const text = readFileSync(`/proc/${pid}/task/${thread}/schedstat`, "utf8");
    const [ns, , runs] = text.split(" ").map(Number);
    use.ms += ns / 1e6;
    use.runs += runs;
    if (thread === `${pid}`) use.mainMs = ns / 1e6;
  }
  return use;
}

/** Reads the resident memory of a process, in megabytes. */
export function residentMemory(pid: number): number {
  const text = readFileSync(`/proc/${pid}/smaps_rollup`, "utf8");
  return Number(/^Rss: +(\d+) kB$/m.exec(text)![1]) / 1024;
}
