/**
 * Reads the pipes of all processes in a directory at the same time.
 *
 * Touches the pipes and the clock.
 *
 * @module
 */

import { Budget } from "./budget.ts";
import type { Reading } from "./census.ts";
import { readPipe } from "./pipe_reader.ts";
import { looksLikePipe, pidOfPipe, pipePath } from "../directory/file_names.ts";
import type { NameTable } from "../format/snapshot.ts";
import { SnapshotParser } from "../format/snapshot_parser.ts";
import { fromRandomStart } from "../model/from_random_start.ts";
import { runtime } from "../runtime/runtime.ts";

/** How many pipes are read at one time. */
export const MAX_PIPES = 4_096;

/** The pipes of a directory, and what is known of them from the last time. */
export class Pipes {
  /** The parsers of processes that have answered, as long as they have a pipe. */
  #parsers: Map<number, SnapshotParser> = new Map();
  /** The processes that are known to send annotations. */
  #annotated: Set<number> = new Set();

  /** Whether a process has answered, and has had a pipe since. */
  hasAnswered(pid: number): boolean {
    return this.#parsers.has(pid);
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
   * @returns The processes, in ascending order, and what is wrong with other
   * names, for a person.
   */
  select(names: readonly string[]): { pids: number[]; wrong: string[] } {
    const pids: number[] = [];
    const wrong: string[] = [];
    for (const name of names) {
      const pid = pidOfPipe(name);
      if (pid !== undefined) pids.push(pid);
      else if (looksLikePipe(name)) {
        wrong.push(`${name} must be named after a process id`);
      }
    }
    if (pids.length > MAX_PIPES) {
      wrong.unshift(`*.stats must be at most ${MAX_PIPES}, got ${pids.length}`);
      const known = pids.filter((pid) => this.hasAnswered(pid));
      const others = pids.filter((pid) => !this.hasAnswered(pid));
      const first = [...known, ...fromRandomStart(others)];
      pids.splice(0, Infinity, ...first.slice(0, MAX_PIPES));
    }
    return {
      pids: pids.sort((a, b) => a - b),
      wrong: wrong.slice(0, MAX_PIPES),
    };
  }

  /**
   * Reads pipes.
   *
   * @param pids The processes that have one.
   * @param table The ids of names.
   * @param deadline When to give up, by `performance.now()`.
   * @returns A reading of each pipe that was not removed meanwhile.
   */
  async read(
    dir: string,
    pids: readonly number[],
    table: NameTable,
    deadline: number,
  ): Promise<Reading[]> {
    const budget = new Budget();
    const parsers = new Map<number, SnapshotParser>();
    const results = await Promise.all(pids.map((pid) => {
      const parser = this.#parsers.get(pid) ?? new SnapshotParser(table);
      parsers.set(pid, parser);
      return readPipe({
        path: pipePath(dir, pid),
        pid,
        parser,
        deadline,
        annotated: this.#annotated.has(pid),
        budget,
      });
    }));
    const annotated = new Set<number>();
    const readings: Reading[] = [];
    for (const [i, result] of results.entries()) {
      const pid = pids[i];
      const hasAnswered = result !== undefined && "snapshot" in result;
      if (!hasAnswered && !this.#parsers.has(pid)) parsers.delete(pid);
      if (result === undefined) continue;
      readings.push({
        pid,
        systemStart: () => runtime.processStart(pid),
        result,
      });
      // An invalid text may come from another program that has got the process
      // id, so only a process that did not answer is still known to annotate.
      const isAnnotated = "snapshot" in result
        ? result.snapshot.annotated
        : result.failure === "timeout" && this.#annotated.has(pid);
      if (isAnnotated) annotated.add(pid);
    }
    this.#parsers = parsers;
    this.#annotated = annotated;
    return readings;
  }
}
