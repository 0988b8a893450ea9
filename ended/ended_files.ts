/**
 * The files that processes leave which end in an orderly way: their last
 * values, `.ended.<pid>.<start>`.
 *
 * Touches the pipe directory.
 *
 * @module
 */

import { privatePrefix } from "../directory/file_names.ts";
import {
  LateError,
  type NameTable,
  type Snapshot,
} from "../format/snapshot.ts";
import { SnapshotParser } from "../format/snapshot_parser.ts";
import { attempt } from "../runtime/attempt.ts";
import { runtime } from "../runtime/runtime.ts";

/** How long a process may take to end, in milliseconds, where nobody can tell whether it has. */
const ENDING_MS = 2_000;

/** Tells processes apart, also those that have had the same id. */
export function processKey(pid: number, start: number | string): string {
  return `${pid}@${
    typeof start === "number" ? Math.round(1000 * start) : start
  }`;
}

/** The same, of one user: nobody can end the processes of another, or be one of them. */
export function ownKey(owner: number, key: string): string {
  return `${key} of ${owner}`;
}

/** The key without its user. */
export function withoutOwner(own: string): string {
  return own.slice(0, own.lastIndexOf(" of "));
}

// With a last part where somebody else has taken the name.
const ENDING = /^\.ending\.([1-9]\d{0,9})\.(\d{1,16})(?:\.[0-9a-f-]{36})?$/;
const ENDED = /^\.ended\.([1-9]\d{0,9})\.(\d{1,16})(?:\.[0-9a-f-]{36})?$/;

/** The key of the process that a file is of; `undefined` if its name is another one. */
export function keyOf(name: string): string | undefined {
  const match = ENDED.exec(name);
  return match === null ? undefined : `${match[1]}@${match[2]}`;
}

/**
 * A file that is not complete, whose name nobody else can have taken. If this
 * process is killed, it is removed like its pipe.
 */
export function newFile(dir: string): string {
  return `${dir}/${privatePrefix(runtime.pid)}${crypto.randomUUID()}.new`;
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
  const word = isSure ? "ended" : "ending";
  const path = `${dir}/.${word}.${pid}.${Math.round(1000 * start)}`;
  const write = (path: string) => {
    runtime.replaceFile(path, snapshot, newFile(dir), mode);
    return path;
  };
  try {
    return write(path);
  } catch {
    // Somebody else may have taken the name, but not this one.
    return write(`${path}.${crypto.randomUUID()}`);
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
    const match = ENDING.exec(name);
    if (match === null || isLate()) return name;
    const path = `${dir}/${name}`;
    const lives = runtime.processExists(Number(match[1])) ??
      Date.now() - (runtime.identify(path)?.modified ?? 0) < ENDING_MS;
    if (lives) return name;
    // A name that nobody has, since a file of that name would be gone.
    const settled = `.ended.${match[1]}.${match[2]}.${crypto.randomUUID()}`;
    return attempt(() => {
      runtime.rename(path, `${dir}/${settled}`);
      return settled;
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

/** The same, from anywhere on: of too many, none is always the last one. */
export function* fromAnywhere<T>(list: readonly T[]): Generator<T> {
  const start = Math.floor(Math.random() * list.length);
  for (let i = 0; i < list.length; i++) yield list[(start + i) % list.length];
}
