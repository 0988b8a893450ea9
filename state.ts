/**
 * Keeps the books of a collector in a file, so that the next one goes on where
 * it has ended.
 *
 * Touches the file.
 *
 * @module
 */

import type { Accounts } from "./accounts.ts";
import { Exposition } from "./exposition.ts";
import { runtime } from "./runtime.ts";
import { type NameTable, SnapshotParser } from "./snapshot.ts";

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
}

function failure(path: string, why: string, cause: unknown): Error {
  return new Error(`Cannot use the state file ${path}: ${why}`, { cause });
}

/**
 * Keeps other programs from using the same file, as long as this one lives.
 *
 * @throws {Error} If another one does, or there can be no file.
 */
export function lockState(path: string): void {
  const lock = `${path}.lock`;
  let pid;
  try {
    pid = Number(new TextDecoder().decode(runtime.readFile(lock)));
    const isFree = pid === runtime.pid || !runtime.processExists(pid);
    if (pid === 0 || isFree) {
      const bytes = new TextEncoder().encode(`${runtime.pid}`);
      runtime.replaceFile(lock, bytes, `${lock}.new`);
      runtime.onExit(() => unlock(lock), () => {});
      return;
    }
  } catch (error) {
    throw failure(path, (error as Error).message, error);
  }
  throw failure(
    path,
    `each service needs a file of its own, but process ${pid} uses it`,
    undefined,
  );
}

function unlock(lock: string): void {
  try {
    runtime.remove(lock);
  } catch {
    // The file system is read-only. Who comes next sees that this one has ended.
  }
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
  into: Accounts,
  table: NameTable,
): void {
  let bytes;
  try {
    bytes = runtime.readFile(path, MAX_BYTES);
  } catch (error) {
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

function read(state: State, into: Accounts, table: NameTable): void {
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
    into.known.set(key, {
      pid,
      owner,
      systemStart,
      time: -Infinity,
      ...parse(text),
    });
  }
  for (const { key, owner, text } of state.gone) {
    into.gone.set(key, { owner, ...parse(text) });
  }
}

/**
 * Writes the state.
 *
 * @throws {Error} If the file cannot be written. The old one is still there.
 */
export function saveState(path: string, accounts: Accounts): void {
  const decoder = new TextDecoder();
  const state: State = {
    version: VERSION,
    totals: [...accounts.totals].map(([owner, totals]) => ({
      owner,
      text: decoder.decode(new Exposition().write(totals.source(), true)),
    })),
    ledgers: [...accounts.ledgers.values()].map(({ owner, bytes }) => ({
      owner,
      text: decoder.decode(bytes),
    })),
    known: [...accounts.known].map((
      [key, { pid, owner, systemStart, bytes }],
    ) => ({
      key,
      pid,
      owner,
      systemStart,
      text: decoder.decode(bytes),
    })),
    gone: [...accounts.gone].map(([key, { owner, bytes }]) => ({
      key,
      owner,
      text: decoder.decode(bytes),
    })),
  };
  try {
    const bytes = new TextEncoder().encode(JSON.stringify(state));
    // Always the same name, so that kills leave one such file at most.
    runtime.replaceFile(path, bytes, `${path}.new`);
  } catch (error) {
    throw failure(path, (error as Error).message, error);
  }
}
