/**
 * Keeps the books of a collector in a file, so that the next one goes on where
 * it has ended.
 *
 * Touches the file.
 *
 * @module
 */

import type { Census, LastValues } from "./census.ts";
import { untakenPath } from "../directory/file_names.ts";
import { userOf } from "../directory/trust.ts";
import type { NameTable } from "../format/snapshot.ts";
import { SnapshotParser } from "../format/snapshot_parser.ts";
import { SnapshotWriter } from "../format/snapshot_writer.ts";
import { attempt } from "../runtime/attempt.ts";
import { nap } from "../runtime/pause.ts";
import { runtime } from "../runtime/runtime.ts";

/** The version of the file. Another one is refused. */
const VERSION = 2;

/** How long the file may be. */
const MAX_BYTES = 2 ** 30;

/** What the file holds, in JSON. Each text is a snapshot. */
interface State {
  readonly version: number;
  readonly totals: readonly { owner: number; text: string }[];
  readonly ledgers: readonly { owner: number; text: string }[];
  readonly known: readonly {
    key: string;
    pid: number;
    owner: number;
    systemStart?: string;
    text: string;
  }[];
  readonly gone: readonly { key: string; owner: number; text: string }[];
  readonly left: readonly { key: string; owner: number; text: string }[];
}

/** How much of what one user's processes say is kept, in bytes. */
const MAX_USER_BYTES = 2 ** 24;

/** How long it takes at most to remove the lock of a process that has died, in milliseconds. */
const BURY_MS = 1_000;

/** Thrown where a state cannot be used. */
class StateError extends Error {}

function failure(path: string, why: string, cause: unknown): StateError {
  const message = `Cannot use the state file ${path}: ${why}`;
  return new StateError(message, { cause });
}

/**
 * Keeps other programs from using the same file, as long as this one lives.
 *
 * @throws {Error} If another one does, or there can be no file.
 */
export function lockState(path: string): void {
  const lock = `${path}.lock`;
  const own = `${lock}.${crypto.randomUUID()}`;
  const bytes = new TextEncoder().encode(`${runtime.pid}`);
  try {
    runtime.replaceFile(own, bytes, `${own}.new`);
    try {
      // In one step, and complete.
      while (!isLinked(own, lock)) bury(path, lock);
    } finally {
      runtime.remove(own);
    }
    // Where it stays, who comes next sees that this one has ended.
    runtime.onExit(() => attempt(() => runtime.remove(lock)), () => {});
  } catch (error) {
    if (error instanceof StateError) throw error;
    throw failure(path, (error as Error).message, error);
  }
}

/** Gives a file a second name, unless there is one. Returns whether it has it. */
function isLinked(path: string, name: string): boolean {
  try {
    runtime.link(path, name);
    return true;
  } catch {
    if (runtime.identify(name) !== undefined) return false;
    // Not every file system has second names.
    runtime.rename(path, name);
    return true;
  }
}

/**
 * Removes the lock of a process that has died. One process at a time, since the
 * next one might be the lock of another that was quicker.
 *
 * @throws {StateError} If it lives.
 */
function bury(path: string, lock: string): void {
  checkFree(path, lock);
  const spade = `${lock}.stale`;
  if (!runtime.createNew(spade)) {
    const { modified = 0 } = runtime.identify(spade) ?? {};
    // Or it has died, too.
    if (Math.abs(Date.now() - modified) > BURY_MS) runtime.remove(spade);
    nap(10);
    return;
  }
  try {
    checkFree(path, lock);
    runtime.remove(lock);
  } finally {
    runtime.remove(spade);
  }
}

/** @throws {StateError} If the process that has made the lock may use the state. */
function checkFree(path: string, lock: string): void {
  const pid = Number(new TextDecoder().decode(runtime.readFile(lock)));
  if (!(pid > 0) || pid === runtime.pid || !runtime.processExists(pid)) return;
  throw failure(
    path,
    `each service needs a file of its own, but process ${pid} uses it`,
    undefined,
  );
}

/** @throws {StateError} If another user could have written the state. */
function checkOwner(path: string): void {
  const owner = runtime.identify(path)?.owner;
  if (owner === undefined || owner === 0) return;
  const user = userOf(untakenPath(path));
  if (owner === user) return;
  throw failure(
    path,
    `it must belong to the user of this process or to root, but belongs to user ${owner}`,
    undefined,
  );
}

/**
 * Reads the state, if there is one.
 *
 * @param into New books.
 * @param table What gives names their ids.
 * @throws {Error} If the file cannot be read, or is something else.
 */
export function loadState(
  path: string,
  into: Census,
  table: NameTable,
): void {
  let bytes;
  try {
    checkOwner(path);
    bytes = runtime.readFile(path, MAX_BYTES);
  } catch (error) {
    if (error instanceof StateError) throw error;
    throw failure(path, (error as Error).message, error);
  }
  if (bytes === undefined) {
    if (runtime.identify(path) === undefined) return;
    throw failure(path, "it must be a regular file", undefined);
  }
  try {
    read(JSON.parse(new TextDecoder().decode(bytes)), into, table);
  } catch (error) {
    throw failure(
      path,
      "it must have been written by this version; remove it to begin anew",
      error,
    );
  }
}

function read(state: State, into: Census, table: NameTable): void {
  if (state.version !== VERSION) throw new Error("Another version");
  const encoder = new TextEncoder();
  const parse = (text: string) => {
    const bytes = encoder.encode(text);
    return { bytes, snapshot: new SnapshotParser(table).parse(bytes) };
  };
  for (const { owner, text } of state.totals) {
    into.totalsOf(owner).add(parse(text).snapshot);
  }
  for (const { owner, text } of state.ledgers) {
    const { snapshot, bytes } = parse(text);
    const { ledger: info } = snapshot;
    if (info === undefined) throw new Error("No ledger");
    into.ledgers.set(owner, { owner, info, snapshot, bytes });
  }
  for (const { key, pid, owner, systemStart, text } of state.known) {
    into.alive.set(key, {
      pid,
      owner,
      systemStart,
      time: -Infinity,
      ...parse(text),
    });
  }
  for (const which of ["gone", "left"] as const) {
    for (const { key, owner, text } of state[which]) {
      into[which].set(key, { owner, ...parse(text) });
    }
  }
}

/**
 * Writes the state.
 *
 * @throws {Error} If the file cannot be written. The old one is still there.
 */
export function saveState(path: string, census: Census): void {
  const decoder = new TextDecoder();
  const text = ({ bytes }: { bytes: Uint8Array }) => decoder.decode(bytes);
  const room = new Map<number, number>();
  const hasRoom = ({ owner, bytes }: LastValues) => {
    const left = (room.get(owner) ?? MAX_USER_BYTES) - bytes.length;
    room.set(owner, left);
    return left >= 0;
  };
  const write = (which: ReadonlyMap<string, LastValues>) =>
    [...which].filter(([, values]) => hasRoom(values)).map((
      [key, values],
    ) => ({ key, owner: values.owner, text: text(values) }));
  const state: State = {
    version: VERSION,
    totals: [...census.totals].map(([owner, totals]) => ({
      owner,
      text: decoder.decode(new SnapshotWriter().write(totals.source(), true)),
    })),
    ledgers: [...census.ledgers.values()].map((ledger) => ({
      owner: ledger.owner,
      text: text(ledger),
    })),
    left: write(census.left),
    known: [...census.alive].filter(([, values]) => hasRoom(values)).map((
      [key, values],
    ) => {
      const { pid, owner, systemStart } = values;
      return { key, pid, owner, systemStart, text: text(values) };
    }),
    gone: write(census.gone),
  };
  try {
    const bytes = new TextEncoder().encode(JSON.stringify(state));
    // Always the same name, so that kills leave one such file at most. Pipes
    // that only their user may read are in it, too.
    runtime.replaceFile(path, bytes, `${path}.new`, 0o600);
  } catch (error) {
    throw failure(path, (error as Error).message, error);
  }
}
