/**
 * Reads the last values of ended processes, each file once.
 *
 * Touches the pipe directory.
 *
 * @module
 */

import {
  type EndedFile,
  endedFiles,
  type Parsed,
  parseFile,
  withoutTwins,
} from "./last_values.ts";
import type { ReadingTime } from "./reading_time.ts";
import type { NameTable } from "../format/snapshot.ts";
import { fromRandomStart } from "../model/from_random_start.ts";
import { attempt } from "../runtime/attempt.ts";

/** How many bytes of the files of one user are kept until a ledger takes them in. */
const MAX_USER_BYTES = 2 ** 24;

/** A file that was read. */
export interface ReadFile extends EndedFile {
  /** What stands in it; `undefined` if it is malformed. */
  readonly parsed: Parsed | undefined;
}

/** Files by their names, at most `MAX_USER_BYTES` of each user. */
class KeptFiles {
  readonly byName: Map<string, ReadFile> = new Map();
  readonly #bytes: Map<number, number> = new Map();

  /** Keeps a file, if there is room. */
  add(file: ReadFile): void {
    const bytes = (this.#bytes.get(file.owner) ?? 0) +
      (file.parsed?.bytes.length ?? 0);
    if (bytes > MAX_USER_BYTES) return;
    this.#bytes.set(file.owner, bytes);
    this.byName.set(file.name, file);
  }
}

/** Reads the last values of ended processes. */
export class LastValuesReader {
  #files: ReadonlyMap<string, ReadFile> = new Map();

  /**
   * Reads the files that were not read before.
   *
   * @param names What is in the directory.
   * @param table What gives names their ids.
   * @returns One file for each process.
   */
  read(
    dir: string,
    names: readonly string[],
    table: NameTable,
    time: ReadingTime,
  ): ReadFile[] {
    const kept = new KeptFiles();
    for (
      const file of endedFiles(dir, this.#inOrder(names), () => time.spend())
    ) {
      const known = this.#files.get(file.name);
      if (known?.id === file.id) kept.add(known);
      else {
        time.spend(file.size);
        // A file that cannot be read now is read the next time.
        attempt(() => {
          const parsed = parseFile(file.path, table, () => time.isLate);
          kept.add({ ...file, parsed });
        });
      }
    }
    if (time.isLate) this.#keepUnseen(names, kept);
    this.#files = kept.byName;
    return withoutTwins([...kept.byName.values()]);
  }

  /** Known files first, so that the room of a user is always taken by these. */
  #inOrder(names: readonly string[]): string[] {
    const known = names.filter((name) => this.#files.has(name));
    const others = names.filter((name) => !this.#files.has(name));
    return [...known, ...fromRandomStart(others)];
  }

  /** Keeps known files that there was no time to look at. */
  #keepUnseen(names: readonly string[], kept: KeptFiles): void {
    for (const name of names) {
      const known = this.#files.get(name);
      if (known !== undefined && !kept.byName.has(name)) kept.add(known);
    }
  }
}
