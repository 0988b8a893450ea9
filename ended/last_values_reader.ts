/**
 * Reads the last values of ended processes, each file once.
 *
 * Touches the pipe directory.
 *
 * @module
 */

import {
  byProcess,
  type EndedFile,
  endedFiles,
  type Parsed,
  parseLastValues,
} from "./last_values.ts";
import type { ReadingTime } from "./reading_time.ts";
import type { NameTable } from "../format/snapshot.ts";
import { fromRandomStart } from "../model/from_random_start.ts";
import { attempt } from "../runtime/attempt.ts";

/** How many bytes of the files of one user are kept until a ledger takes them in. */
const MAX_USER_BYTES = 2 ** 27;

/** How long a file takes to parse, in milliseconds, that counts as slow. */
const SLOW_MS = 20;

/** How long after a slow file another one may be late, in milliseconds. */
const WAIT_MS = 2_000;

/** A file that was read. */
export interface ReadFile extends EndedFile {
  /** What stands in it; `undefined` if that is damaged. */
  readonly parsed: Parsed | undefined;
}

/** Files by their paths, at most `MAX_USER_BYTES` of each user. */
class KeptFiles {
  readonly byPath: Map<string, ReadFile> = new Map();
  readonly #bytes: Map<number, number> = new Map();

  /** Keeps a file, if there is room. */
  add(file: ReadFile): void {
    const bytes = (this.#bytes.get(file.owner) ?? 0) +
      (file.parsed?.bytes.length ?? 0);
    if (bytes > MAX_USER_BYTES) return;
    this.#bytes.set(file.owner, bytes);
    this.byPath.set(file.path, file);
  }
}

/** Reads the last values of ended processes. */
export class LastValuesReader {
  #files: ReadonlyMap<string, ReadFile> = new Map();
  #table: NameTable | undefined;
  /** When a file was last slow to parse. */
  #waited = -Infinity;

  /**
   * Reads the files that were not read before.
   *
   * @param names What is in the directory.
   * @param table What gives names their ids.
   * @returns All files, those of each process in the order of their numbers, the
   * highest one first.
   */
  read(
    dir: string,
    names: readonly string[],
    table: NameTable,
    time: ReadingTime,
  ): ReadFile[][] {
    if (table !== this.#table) this.#files = new Map();
    this.#table = table;
    const kept = new KeptFiles();
    for (
      const file of endedFiles(
        dir,
        this.#inOrder(dir, names),
        () => time.spend(),
      )
    ) {
      const known = this.#files.get(file.path);
      if (known?.version === file.version) kept.add(known);
      else {
        time.spend(file.size);
        // A file that cannot be read now is read the next time.
        attempt(() =>
          kept.add({ ...file, parsed: this.#parse(file, table, time) })
        );
      }
    }
    if (time.isLate) this.#keepUnseen(dir, names, kept);
    this.#files = kept.byPath;
    return [...byProcess([...kept.byPath.values()]).values()];
  }

  /**
   * Parses a file: now and then to its end whatever the time, or a long one would
   * never be read.
   *
   * @throws {LateError} If there is no time left, and that was so lately.
   */
  #parse(
    file: EndedFile,
    table: NameTable,
    time: ReadingTime,
  ): Parsed | undefined {
    const start = performance.now();
    const mayBeLate = start - this.#waited < WAIT_MS;
    const parsed = parseLastValues(file, table, () => mayBeLate && time.isLate);
    if (performance.now() - start > SLOW_MS) this.#waited = start;
    return parsed;
  }

  /** Known files first, so that the room of a user is always taken by these. */
  #inOrder(dir: string, names: readonly string[]): string[] {
    const isKnown = (name: string) => this.#files.has(`${dir}/${name}`);
    const others = names.filter((name) => !isKnown(name));
    return [...names.filter(isKnown), ...fromRandomStart(others)];
  }

  /** Keeps known files that there was no time to look at. */
  #keepUnseen(dir: string, names: readonly string[], kept: KeptFiles): void {
    for (const name of names) {
      const known = this.#files.get(`${dir}/${name}`);
      if (known !== undefined && !kept.byPath.has(known.path)) kept.add(known);
    }
  }
}
