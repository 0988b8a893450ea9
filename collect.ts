/**
 * Reads the pipes of all processes of this host at once.
 *
 * Touches the pipe directory: removes the pipes of processes that are dead.
 *
 * @module
 */

import { config } from "./config.ts";
import { pipePath, privatePrefix } from "./fifo_pool.ts";
import type { Snapshot, Stat } from "./format.ts";
import { merge } from "./merge.ts";
import { type Failure, readPipe } from "./pipe_reader.ts";
import { runtime } from "./runtime.ts";

export { merge };
export type { Snapshot, Stat };

/** How many processes gave an answer, and why the others did not. */
export interface ProcessCounts {
  /** Those that gave a whole snapshot. */
  ok: number;
  /** Those that no longer exist. Their pipes were removed. */
  dead: number;
  /** Those that gave nothing before the deadline. */
  timeout: number;
  /** Those that gave something that is no snapshot. */
  invalid: number;
}

/** The stats of a host. */
export interface HostStats {
  /** The stats by name, merged over all processes that gave an answer. */
  stats: Map<string, Stat>;
  /** How complete that is. */
  processes: ProcessCounts;
}

/** What to read, and how long to wait for it. */
export interface CollectorOptions {
  /** The directory of the pipes: an absolute path, `config.pipeDir` by default. */
  pipeDir?: string;
  /** How long the slowest process may take, in milliseconds, 250 by default. */
  deadline?: number;
}

const PUBLIC_NAME = /^([1-9]\d{0,9})\.stats$/;

/**
 * Reads the pipes of a host, as often as it is asked to.
 *
 * @example What all programs on this host count
 * ```ts
 * import { Collector } from "@statvent/statvent/collect";
 * import { assertEquals } from "@std/assert";
 *
 * const pipeDir = await Deno.makeTempDir();
 * const { stats, processes } = await new Collector({ pipeDir }).collect();
 * assertEquals(stats.size, 0);
 * assertEquals(processes, { ok: 0, dead: 0, timeout: 0, invalid: 0 });
 * await Deno.remove(pipeDir);
 * ```
 */
export class Collector {
  readonly #pipeDir: string | undefined;
  readonly #deadline: number;
  // The processes that are known to send annotations.
  #annotated: Set<number> = new Set();

  /**
   * Makes a collector. Nothing is read before it is asked to.
   *
   * @param options What to read.
   * @throws {RangeError} If the deadline is not a positive number.
   */
  constructor({ pipeDir, deadline = 250 }: CollectorOptions = {}) {
    if (!(deadline > 0)) {
      throw new RangeError(
        `Cannot collect: the deadline must be a positive number of milliseconds, got ${deadline}`,
      );
    }
    this.#pipeDir = pipeDir;
    this.#deadline = deadline;
  }

  /**
   * Reads all pipes at the same time. A process that does not answer is given
   * up at the deadline, and costs the others nothing.
   *
   * @returns The merged stats. A directory that does not exist has none.
   * @throws If the directory cannot be read.
   */
  async collect(): Promise<HostStats> {
    const deadline = performance.now() + this.#deadline;
    const dir = this.#pipeDir ?? config.pipeDir;
    const pids = runtime.identify(dir) === undefined ? [] : pidsIn(dir);
    const annotated = new Set<number>();
    const snapshots: Snapshot[] = [];
    const processes = { ok: 0, dead: 0, timeout: 0, invalid: 0 };
    const read = await Promise.all(
      pids.map((pid) =>
        readPipe(pipePath(dir, pid), pid, deadline, this.#annotated.has(pid))
      ),
    );
    for (const [i, result] of read.entries()) {
      if (typeof result === "object") {
        snapshots.push(result);
        processes.ok++;
        if (result.annotated) annotated.add(pids[i]);
      } else if (result !== undefined) {
        this.#noteFailure(dir, pids[i], result, annotated);
        processes[result]++;
      }
    }
    this.#annotated = annotated;
    return { stats: merge(snapshots), processes };
  }

  #noteFailure(
    dir: string,
    pid: number,
    failure: Failure,
    annotated: Set<number>,
  ): void {
    if (failure === "dead") removePipes(dir, pid);
    // What was invalid may be another program by now, which annotates nothing.
    if (failure === "timeout" && this.#annotated.has(pid)) annotated.add(pid);
  }
}

/** The processes that have a pipe, in ascending order. */
function pidsIn(dir: string): number[] {
  return runtime.list(dir)
    .flatMap((name) => PUBLIC_NAME.exec(name)?.slice(1).map(Number) ?? [])
    .sort((a, b) => a - b);
}

/** Removes what a dead process has left behind, as far as that may be removed. */
function removePipes(dir: string, pid: number): void {
  const prefix = privatePrefix(pid);
  const names = runtime.list(dir).filter((name) => name.startsWith(prefix));
  for (
    const path of [...names.map((name) => `${dir}/${name}`), pipePath(dir, pid)]
  ) {
    try {
      runtime.remove(path);
    } catch {
      // Not ours.
    }
  }
}
