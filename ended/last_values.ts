/**
 * The files that processes leave which end in an orderly way: their last
 * values, `.ended.<pid>.<start>`.
 *
 * Touches the pipe directory.
 *
 * @module
 */

import {
  endedPath,
  endingPath,
  newFilePath,
  processOfEnded,
  processOfEnding,
  untakenPath,
} from "../directory/file_names.ts";
import {
  LateError,
  type NameTable,
  type Snapshot,
} from "../format/snapshot.ts";
import { SnapshotParser } from "../format/snapshot_parser.ts";
import { ownKey, processKey } from "../model/process_key.ts";
import { attempt } from "../runtime/attempt.ts";
import { runtime } from "../runtime/runtime.ts";

/** How long a process may take to end, in milliseconds, where nobody can tell whether it has. */
const ENDING_MS = 2_000;

/** The key of the process whose last values have this name; `undefined` for another kind of file. */
export function keyOf(name: string): string | undefined {
  const process = processOfEnded(name);
  return process && processKey(process.pid, process.start);
}

/**
 * Writes the last values of a process.
 *
 * @param start When the process started, in seconds since 1970.
 * @param mode The mode of the file.
 * @param isSure Whether the process ends, or just if nobody catches an error.
 * @returns The file.
 */
export function writeEnded(
  dir: string,
  pid: number,
  start: number,
  snapshot: Uint8Array,
  mode = 0o644,
  isSure = true,
): string {
  const process = { pid, start: `${Math.round(1000 * start)}` };
  const path = isSure ? endedPath(dir, process) : endingPath(dir, process);
  const write = (path: string) => {
    runtime.replaceFile(path, snapshot, newFilePath(dir, runtime.pid), mode);
    return path;
  };
  try {
    return write(path);
  } catch {
    // Somebody else may have taken the name, but not this one.
    return write(untakenPath(path));
  }
}

/**
 * Gives the files of processes that may have been ending, and now have, their
 * final names.
 *
 * @param names What is in the directory.
 * @param isLate Whether to stop.
 * @returns The same, with these.
 */
export function settle(
  dir: string,
  names: string[],
  isLate: () => boolean,
): string[] {
  return names.map((name) => {
    const process = processOfEnding(name);
    if (process === undefined || isLate()) return name;
    const path = `${dir}/${name}`;
    const lives = runtime.processExists(process.pid) ??
      Date.now() - (runtime.identify(path)?.modified ?? 0) < ENDING_MS;
    if (lives) return name;
    // A name that nobody has, since a file of that name would be gone.
    const settled = untakenPath(endedPath(dir, process));
    return attempt(() => {
      runtime.rename(path, settled);
      return settled.slice(dir.length + 1);
    }) ?? name;
  });
}

/** A file that an ended process has left. */
export interface EndedFile {
  readonly name: string;
  readonly path: string;
  readonly key: string;
  readonly owner: number;
  readonly mode: number;
  readonly size: number;
  /** Tells the file from others that had its name. */
  readonly id: string;
}

/**
 * Looks at the files of ended processes.
 *
 * @param names What is in the directory.
 * @param isLate Whether to stop.
 */
export function* endedFiles(
  dir: string,
  names: readonly string[],
  isLate: () => boolean,
): Generator<EndedFile> {
  for (const name of names) {
    const key = keyOf(name);
    if (key === undefined) continue;
    if (isLate()) return;
    const path = `${dir}/${name}`;
    const file = runtime.identify(path);
    // What another user has made a second name of would count twice.
    if (file === undefined || file.links > 1) continue;
    const { owner, mode, size, inode, modified } = file;
    const id = `${inode} ${modified}`;
    yield { name, path, key, owner, mode, size, id };
  }
}

/**
 * One file of each process: the one with the plain name, if there are others of
 * when it was not sure that the process was ending.
 */
export function withoutTwins<T extends EndedFile>(files: readonly T[]): T[] {
  const byKey = new Map<string, T>();
  for (const file of files) {
    const key = ownKey(file.owner, file.key);
    const twin = byKey.get(key);
    const isFirst = twin === undefined ||
      file.name.length < twin.name.length ||
      (file.name.length === twin.name.length && file.name < twin.name);
    if (isFirst) byKey.set(key, file);
  }
  return [...byKey.values()];
}

/** What stands in a file. */
export interface Parsed {
  readonly snapshot: Snapshot;
  readonly bytes: Uint8Array;
}

/**
 * What stands in a file; `undefined` if it has gone, or is something else.
 *
 * @throws {LateError} If that takes too long.
 * @throws If the file cannot be read now, as where no more may be open: nobody
 * knows what is in it.
 */
export function parseFile(
  path: string,
  table: NameTable,
  isLate?: () => boolean,
): Parsed | undefined {
  const bytes = runtime.readFile(path);
  if (bytes === undefined) return undefined;
  try {
    return { bytes, snapshot: new SnapshotParser(table).parse(bytes, isLate) };
  } catch (error) {
    if (error instanceof LateError) throw error;
    return undefined;
  }
}
