/**
 * The files with the last values of processes that have ended in an orderly way.
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

/** How long a process may take to end, in milliseconds, where the system does not tell whether it has. */
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
 * @param isSure Whether the process ends for sure, rather than unless an error
 * is caught.
 * @returns The path of the file.
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
    // Another user may have taken the name, but cannot have taken this one.
    return write(untakenPath(path));
  }
}

/**
 * Gives files that were written before the end of their process was certain
 * their final names, if the process has ended.
 *
 * @param names What is in the directory.
 * @param isLate Whether to stop.
 * @returns What is in the directory then.
 */
export function settle(
  dir: string,
  names: readonly string[],
  isLate: () => boolean,
): string[] {
  return names.map((name) => {
    const process = processOfEnding(name);
    if (process === undefined || isLate()) return name;
    const path = `${dir}/${name}`;
    const lives = runtime.processExists(process.pid) ??
      Date.now() - (runtime.identify(path)?.modified ?? 0) < ENDING_MS;
    if (lives) return name;
    // A new name, since `rename` would replace a file of the plain name.
    const settled = untakenPath(endedPath(dir, process));
    return attempt(() => {
      runtime.rename(path, settled);
      return settled.slice(dir.length + 1);
    }) ?? name;
  });
}

/** A file with last values, as the directory shows it. */
export interface EndedFile {
  readonly name: string;
  readonly path: string;
  /** The key of its process. */
  readonly key: string;
  /** The id of the user who owns it. */
  readonly owner: number;
  readonly mode: number;
  readonly size: number;
  /** Tells the file from earlier files of its name. */
  readonly id: string;
}

/**
 * Lists the files with last values.
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
    // A file that another user has given a second name would count twice.
    if (file === undefined || file.links > 1) continue;
    const { owner, mode, size, inode, modified } = file;
    const id = `${inode} ${modified}`;
    yield { name, path, key, owner, mode, size, id };
  }
}

/**
 * Keeps one file per process, preferring the final one over those written when
 * the end was not certain.
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

/** A file that was parsed. */
export interface Parsed {
  readonly snapshot: Snapshot;
  readonly bytes: Uint8Array;
}

/**
 * Parses a file.
 *
 * @returns The snapshot in it; `undefined` if the file has gone or is malformed.
 * @throws {LateError} If `isLate` said so.
 * @throws If the file cannot be read now, such as for want of open files.
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
