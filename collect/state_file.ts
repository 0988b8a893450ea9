/**
 * Keeps the census of a collector in a file, with which the next collector goes
 * on.
 *
 * Touches the file.
 *
 * @module
 */

import type { Census, LastValues } from "./census.ts";
import { StateError, withStateFile } from "./state_error.ts";
import { untakenPath } from "../directory/file_names.ts";
import { userOf } from "../directory/trust.ts";
import type { NameTable, Snapshot } from "../format/snapshot.ts";
import { SnapshotParser } from "../format/snapshot_parser.ts";
import { SnapshotWriter } from "../format/snapshot_writer.ts";
import { attempt, succeeds } from "../runtime/attempt.ts";
import { crc32 } from "../runtime/crc32.ts";
import { runtime } from "../runtime/runtime.ts";

/** The version of the file's content. Files of other versions are refused. */
const VERSION = 3;

/** How long the file may be, in bytes. */
const MAX_BYTES = 2 ** 30;

/** The first line of the file, with the checksum of the rest. */
const HEAD = /^statvent state (\d+) ([0-9a-f]{8})\n/;

/** How long the first line may be. */
const MAX_HEAD_BYTES = 64;

/** What is saved of the last values of a process. Each text is a snapshot. */
interface SavedValues {
  readonly key: string;
  readonly owner: number;
  readonly mode?: number;
  readonly text: string;
}

/** The rest of the file, in JSON. */
interface State {
  readonly totals: readonly { owner: number; text: string }[];
  readonly ledgers: readonly { owner: number; text: string }[];
  /** The processes in {@linkcode Census.alive}. */
  readonly known: readonly (SavedValues & {
    base: string;
    pid?: number;
    systemStart?: string;
    hasSign?: boolean;
  })[];
  readonly gone: readonly (SavedValues & { mayReturn?: boolean })[];
  readonly left: readonly (SavedValues & { final: boolean })[];
}

/** How many bytes of snapshots are kept per user. */
const MAX_USER_BYTES = 2 ** 24;

/** @throws {StateError} If another user could have written the state. */
function checkOwner(path: string): void {
  const owner = runtime.identify(path)?.owner;
  if (owner === undefined || owner === 0) return;
  const user = userOf(untakenPath(path));
  if (owner === user) return;
  throw new StateError(
    path,
    `it must belong to the user of this process or to root, but belongs to user ${owner}`,
  );
}

/** @throws {StateError} If the directory of the state does not exist. */
export function checkDirectory(path: string): void {
  const dir = path.replace(/\/[^/]*$/, "") || "/";
  if (!runtime.mayRead(dir)) return;
  if (runtime.identifyTarget(dir)?.isDirectory === true) return;
  throw new StateError(path, `the directory ${dir} must exist`);
}

/** The path of the state that was saved before. */
function predecessorPath(path: string): string {
  return `${path}.bak`;
}

/**
 * Loads the state, if the file exists. A file that is damaged is put aside, and
 * its predecessor stands in for it.
 *
 * @param into A new census.
 * @param table The ids of names.
 * @param log Takes a line for each file that is damaged.
 * @throws {Error} If the file cannot be read, or is no regular file.
 */
export function loadState(
  path: string,
  into: Census,
  table: NameTable,
  log: (line: string) => void,
): void {
  checkDirectory(path);
  for (const file of [path, predecessorPath(path)]) {
    const state = withStateFile(path, () => {
      const bytes = readState(file);
      return bytes && attempt(() => decode(bytes, table));
    });
    if (state !== undefined) {
      take(state, into);
      return;
    }
    if (runtime.identify(file) === undefined) continue;
    const aside = `${file}.damaged`;
    withStateFile(path, () => runtime.rename(file, aside));
    log(
      `${file}: it is damaged, or of another version, so it was put aside as ${aside}`,
    );
  }
}

/** @throws {StateError} If it is no regular file, or of another user. */
function readState(path: string): Uint8Array | undefined {
  checkOwner(path);
  const bytes = runtime.readFile(path, MAX_BYTES);
  if (bytes === undefined && runtime.identify(path) !== undefined) {
    throw new StateError(path, "it must be a regular file");
  }
  return bytes;
}

/** What stands in a file, with its snapshots parsed. */
type Decoded = Pick<Census, "alive" | "gone" | "left" | "ledgers"> & {
  readonly totals: readonly { owner: number; snapshot: Snapshot }[];
};

/** @throws {Error} If it is damaged, or of another version. */
function decode(bytes: Uint8Array, table: NameTable): Decoded {
  const decoder = new TextDecoder();
  const head = HEAD.exec(decoder.decode(bytes.subarray(0, MAX_HEAD_BYTES)));
  const content = bytes.subarray(head?.[0].length);
  if (head?.[1] !== `${VERSION}` || head[2] !== crc32(content)) {
    throw new Error("It is damaged");
  }
  const state: State = JSON.parse(decoder.decode(content));
  const encoder = new TextEncoder();
  const parse = (text: string) => {
    const bytes = encoder.encode(text);
    return { bytes, snapshot: new SnapshotParser(table).parse(bytes) };
  };
  const parsed = <T extends { text: string }>({ text, ...rest }: T) => ({
    ...rest,
    ...parse(text),
  });
  const byKey = <T extends SavedValues>(values: readonly T[]) =>
    new Map(values.map((saved) => {
      const { key, ...rest } = parsed(saved);
      return [key, rest] as const;
    }));
  return {
    totals: state.totals.map(parsed),
    ledgers: new Map(state.ledgers.map((saved) => {
      const ledger = parsed(saved);
      return [ledger.owner, { ...ledger, info: ledger.snapshot.ledger! }];
    })),
    alive: new Map(
      [...byKey(state.known)].map(([key, process]) => {
        const { pid, systemStart } = process;
        return [key, { ...process, pid, systemStart, time: -Infinity }];
      }),
    ),
    gone: byKey(state.gone),
    left: byKey(state.left),
  };
}

function take(state: Decoded, into: Census): void {
  for (const { owner, snapshot } of state.totals) {
    into.totalsOf(owner).add(snapshot);
  }
  for (const [owner, ledger] of state.ledgers) into.ledgers.set(owner, ledger);
  for (const [key, process] of state.alive) into.alive.set(key, process);
  for (const [key, values] of state.gone) into.gone.set(key, values);
  for (const [key, values] of state.left) into.left.set(key, values);
}

/**
 * Saves the state, and keeps the one that was saved before.
 *
 * @throws {Error} If the file cannot be written. The old one is still there.
 */
export function saveState(path: string, census: Census): void {
  const content = new TextEncoder().encode(JSON.stringify(encode(census)));
  const head = new TextEncoder().encode(
    `statvent state ${VERSION} ${crc32(content)}\n`,
  );
  const bytes = new Uint8Array(head.length + content.length);
  bytes.set(head);
  bytes.set(content, head.length);
  withStateFile(path, () => {
    // Always the same temporary name, so that kills leave one such file at
    // most. The state may hold values of pipes that only their user may read.
    const temporary = `${path}.new`;
    runtime.remove(temporary);
    try {
      runtime.writeNew(temporary, bytes, 0o600, true);
      keepPredecessor(path);
      runtime.rename(temporary, path);
    } catch (error) {
      attempt(() => runtime.remove(temporary));
      throw error;
    }
  });
}

/** Keeps the state that is about to be replaced, by a second name. */
function keepPredecessor(path: string): void {
  const file = runtime.identify(path);
  if (file === undefined || file.isDirectory) return;
  const second = `${path}.old`;
  runtime.remove(second);
  // Some file systems have no hard links.
  if (!succeeds(() => runtime.link(path, second))) {
    runtime.rename(path, second);
  }
  runtime.rename(second, predecessorPath(path));
}

function encode(census: Census): State {
  const decoder = new TextDecoder();
  const text = ({ bytes }: { bytes: Uint8Array }) => decoder.decode(bytes);
  const room = new Map<number, number>();
  const hasRoom = ({ owner, bytes }: LastValues) => {
    const left = (room.get(owner) ?? MAX_USER_BYTES) - bytes.length;
    room.set(owner, left);
    return left >= 0;
  };
  // Processes take a user's room in the order of the calls.
  const saved = <T extends LastValues, U>(
    processes: ReadonlyMap<string, T>,
    more: (values: T) => U,
  ) =>
    [...processes].filter(([, values]) => hasRoom(values))
      .map(([key, values]) => {
        const { owner, mode } = values;
        return { key, owner, mode, text: text(values), ...more(values) };
      });
  const left = saved(census.left, ({ final }) => ({ final }));
  const known = saved(
    census.alive,
    ({ base, pid, systemStart, hasSign }) => ({
      base,
      pid,
      systemStart,
      hasSign,
    }),
  );
  return {
    totals: [...census.totals].map(([owner, totals]) => ({
      owner,
      text: decoder.decode(new SnapshotWriter().write(totals.source(), true)),
    })),
    ledgers: [...census.ledgers.values()].map((ledger) => ({
      owner: ledger.owner,
      text: text(ledger),
    })),
    left,
    known,
    gone: saved(census.gone, ({ mayReturn }) => ({ mayReturn })),
  };
}
