/**
 * The files with the last values of processes that have ended.
 *
 * Touches the pipe directory.
 *
 * @module
 */

import { isSealed } from "./seal.ts";
import {
  lastValuesPath,
  missedPath,
  newLastValuesPath,
  parseLastValuesName,
  untakenPath,
} from "../directory/file_names.ts";
import {
  LateError,
  type NameTable,
  type Snapshot,
} from "../format/snapshot.ts";
import { SnapshotParser } from "../format/snapshot_parser.ts";
import { ownKey } from "../model/process_key.ts";
import { attempt } from "../runtime/attempt.ts";
import { runtime } from "../runtime/runtime.ts";

/** How many files with last values there may be of one user. */
const MAX_FILES = 4_096;

/**
 * How long a file may be, in bytes: 20 MB are a hundred thousand counters with
 * names of 190 characters.
 */
const MAX_FILE_BYTES = 2 ** 27;

/** How often last values are written that have vanished before they had their name. */
const MAX_TRIES = 3;

/** How last values are written. */
export interface WriteLastValues {
  /** Whether to wait until the disk has them, which the end of a process does not. */
  readonly sync?: boolean;
  /** The user whose process it was, if this is root and it was another one's. */
  readonly owner?: number;
}

/**
 * Writes the last values of a process.
 *
 * @param id The identity of the process.
 * @param seq The number of the snapshot.
 * @param bytes The snapshot, with its checksum.
 * @param mode The mode of the file.
 * @returns The path of the file.
 * @throws If there is no space, or no permission.
 */
export function writeLastValues(
  dir: string,
  id: string,
  seq: number,
  bytes: Uint8Array,
  mode: number,
  { sync = false, owner }: WriteLastValues = {},
): string {
  for (let tries = 1;; tries++) {
    const temporary = newLastValuesPath(dir, id);
    try {
      runtime.writeNew(temporary, bytes, mode, sync);
      const isOthers = owner !== undefined &&
        runtime.identify(temporary)?.owner !== owner;
      if (isOthers) runtime.chown(temporary, owner);
      return giveName(temporary, lastValuesPath(dir, id, seq));
    } catch (error) {
      attempt(() => runtime.remove(temporary));
      // This process was stopped for so long that somebody took the file for
      // that of a dead one.
      const isGone = (error as { code?: string }).code === "ENOENT";
      if (!isGone || tries === MAX_TRIES) throw error;
    }
  }
}

/** Gives complete last values their name. Returns their path. */
function giveName(temporary: string, path: string): string {
  try {
    runtime.rename(temporary, path);
    return path;
  } catch {
    // Another user may have taken the name, but cannot have taken this one.
    const untaken = untakenPath(path);
    runtime.rename(temporary, untaken);
    return untaken;
  }
}

/**
 * Notes that the last values of a process are not kept, so that a figure says
 * so, also where the disk has no space for more than a byte.
 *
 * @param user The user of the process.
 */
export function noteMissed(dir: string, user: number): void {
  const path = missedPath(dir, user);
  runtime.append(path, new Uint8Array(1), 0o644);
  // Root notes it for a user, who must be able to do so too.
  const owner = runtime.identify(path)?.owner;
  if (owner === 0 && user !== 0) runtime.chown(path, user);
}

/**
 * Whether a user has so many files with last values that a process which ends
 * must not leave one more, but {@linkcode noteMissed}.
 *
 * @param names What is in the directory.
 */
export function hasTooMany(
  dir: string,
  names: readonly string[],
  user: number,
): boolean {
  const files = names.filter((name) => parseLastValuesName(name) !== undefined);
  if (files.length < MAX_FILES) return false;
  let count = 0;
  for (const name of files) {
    const file = attempt(() => runtime.identify(`${dir}/${name}`));
    if (file?.owner === user && ++count >= MAX_FILES) return true;
  }
  return false;
}

/** A file with last values, as the directory shows it. */
export interface EndedFile {
  readonly path: string;
  /** The identity of its process. */
  readonly id: string;
  /** The number of the snapshot. */
  readonly seq: number;
  /** The id of the user who owns it. */
  readonly owner: number;
  readonly mode: number;
  readonly size: number;
  /** When it was written, in milliseconds since 1970. */
  readonly modified: number;
  /** Tells the file from earlier files of its name. */
  readonly version: string;
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
  isLate: () => boolean = () => false,
): Generator<EndedFile> {
  for (const name of names) {
    const said = parseLastValuesName(name);
    if (said === undefined) continue;
    if (isLate()) return;
    const path = `${dir}/${name}`;
    const file = runtime.identify(path);
    // A file that another user has given a second name may be kept, and come
    // back when its process is no longer listed.
    if (file === undefined || file.links > 1) continue;
    const { owner, mode, size, inode, modified } = file;
    const version = `${inode} ${modified} ${size}`;
    yield { path, ...said, owner, mode, size, modified, version };
  }
}

/** Groups files by their processes, those with the highest numbers first. */
export function byProcess<T extends EndedFile>(
  files: readonly T[],
): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const file of files) {
    const key = ownKey(file.owner, file.id);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [file]);
    else group.push(file);
  }
  for (const group of groups.values()) {
    group.sort((a, b) => b.seq - a.seq || (a.path < b.path ? -1 : 1));
  }
  return groups;
}

/** A file that was parsed. */
export interface Parsed {
  readonly snapshot: Snapshot;
  readonly bytes: Uint8Array;
  /** Whether the process has ended in an orderly way. */
  readonly final: boolean;
  /** Whether they are all that the process has counted, provided that it is dead. */
  readonly last: boolean;
}

/**
 * Parses a file with last values.
 *
 * @returns What stands in it; `undefined` if that is damaged, or not what the
 * name says.
 * @throws {LateError} If `isLate` said so.
 * @throws If the file has gone, or cannot be read now.
 */
export function parseLastValues(
  { path, id, seq }: EndedFile,
  table: NameTable,
  isLate?: () => boolean,
): Parsed | undefined {
  const bytes = runtime.readFile(path, MAX_FILE_BYTES);
  if (bytes === undefined) {
    if (runtime.identify(path) !== undefined) return undefined;
    throw new GoneError(`${path} has gone`);
  }
  if (!isSealed(bytes)) return undefined;
  try {
    const snapshot = new SnapshotParser(table).parse(bytes, isLate);
    const { process } = snapshot;
    const isTrue = process?.id === id && snapshot.seq === seq;
    if (!isTrue) return undefined;
    const { final = false, last = false } = process;
    return { bytes, snapshot, final, last };
  } catch (error) {
    if (error instanceof LateError) throw error;
    return undefined;
  }
}

/** Thrown for a file that has gone since the directory was listed. */
export class GoneError extends Error {}
