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
import type { NameTable } from "../format/snapshot.ts";
import { SnapshotParser } from "../format/snapshot_parser.ts";
import { SnapshotWriter } from "../format/snapshot_writer.ts";
import { runtime } from "../runtime/runtime.ts";

/** The version of the file's content. Files of other versions are refused. */
const VERSION = 2;

/** How long the file may be, in bytes. */
const MAX_BYTES = 2 ** 30;

/** The content of the file, in JSON. Each text is a snapshot. */
interface State {
  readonly version: number;
  readonly totals: readonly { owner: number; text: string }[];
  readonly ledgers: readonly { owner: number; text: string }[];
  /** The processes in {@linkcode Census.alive}. */
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

/**
 * Loads the state, if the file exists.
 *
 * @param into A new census.
 * @param table The ids of names.
 * @throws {Error} If the file cannot be read, or is something else.
 */
export function loadState(
  path: string,
  into: Census,
  table: NameTable,
): void {
  const bytes = withStateFile(path, () => {
    checkOwner(path);
    return runtime.readFile(path, MAX_BYTES);
  });
  if (bytes === undefined) {
    if (runtime.identify(path) === undefined) return;
    throw new StateError(path, "it must be a regular file");
  }
  try {
    decode(JSON.parse(new TextDecoder().decode(bytes)), into, table);
  } catch (error) {
    throw new StateError(
      path,
      "it must have been written by this version; remove it to begin anew",
      error,
    );
  }
}

function decode(state: State, into: Census, table: NameTable): void {
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
 * Saves the state.
 *
 * @throws {Error} If the file cannot be written. The old one is still there.
 */
export function saveState(path: string, census: Census): void {
  const state = encode(census);
  withStateFile(path, () => {
    const bytes = new TextEncoder().encode(JSON.stringify(state));
    // Always the same temporary name, so that kills leave one such file at
    // most. The state may hold values of pipes that only their user may read.
    runtime.replaceFile(path, bytes, `${path}.new`, 0o600);
  });
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
  const entries = (processes: ReadonlyMap<string, LastValues>) =>
    [...processes].filter(([, values]) => hasRoom(values))
      .map(([key, values]) => ({
        key,
        owner: values.owner,
        text: text(values),
      }));
  return {
    version: VERSION,
    totals: [...census.totals].map(([owner, totals]) => ({
      owner,
      text: decoder.decode(new SnapshotWriter().write(totals.source(), true)),
    })),
    ledgers: [...census.ledgers.values()].map((ledger) => ({
      owner: ledger.owner,
      text: text(ledger),
    })),
    // Processes take a user's room in this order.
    left: entries(census.left),
    known: [...census.alive].filter(([, values]) => hasRoom(values))
      .map(([key, values]) => {
        const { pid, owner, systemStart } = values;
        return { key, pid, owner, systemStart, text: text(values) };
      }),
    gone: entries(census.gone),
  };
}
