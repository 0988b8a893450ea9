/**
 * Books processes that were killed: makes of what is known of one the file that
 * counts for every reader.
 *
 * Touches the pipe directory.
 *
 * @module
 */

import { decodeCheckpoint } from "./checkpoint.ts";
import {
  type EndedFile,
  endedFiles,
  noteMissed,
  parseLastValues,
  writeLastValues,
} from "./last_values.ts";
import { seal } from "./seal.ts";
import { type DeadProcess, removeDead } from "./remove_dead.ts";
import {
  alivePath,
  checkpointPath,
  parseOwnName,
  shortLivedPath,
} from "../directory/file_names.ts";
import { isAlive } from "../directory/sign_of_life.ts";
import { NameTable, type Snapshot } from "../format/snapshot.ts";
import { SnapshotParser } from "../format/snapshot_parser.ts";
import { SnapshotWriter } from "../format/snapshot_writer.ts";
import { attempt, succeeds } from "../runtime/attempt.ts";
import { crc32 } from "../runtime/crc32.ts";
import { runtime } from "../runtime/runtime.ts";

/** How many bytes a checkpoint may have: two slots for snapshots of 16 MiB, with room to grow. */
const MAX_CHECKPOINT_BYTES = 2 ** 27;

/** A snapshot of a process, as somebody has read it. */
export interface KnownValues {
  /** The number of the snapshot. */
  readonly seq: number;
  /** The snapshot, as it came from the pipe. */
  readonly bytes: Uint8Array;
}

/**
 * Reads the checkpoint of a process.
 *
 * @param table What gives names their ids.
 * @returns The newest snapshot in it; `undefined` if there is none that is
 * whole, or it belongs to somebody else.
 * @throws If it cannot be read now.
 */
export function readCheckpoint(
  dir: string,
  { id, base, owner }: DeadProcess,
  table: NameTable = new NameTable(),
): (KnownValues & { readonly snapshot: Snapshot }) | undefined {
  const path = checkpointPath(dir, base, id);
  if (runtime.identify(path)?.owner !== owner) return undefined;
  const file = runtime.readFile(path, MAX_CHECKPOINT_BYTES);
  const slot = file && decodeCheckpoint(file as Uint8Array<ArrayBuffer>);
  if (slot === undefined) return undefined;
  try {
    const snapshot = new SnapshotParser(table).parse(slot.bytes);
    const isTrue = snapshot.process?.id === id && snapshot.seq === slot.seq;
    return isTrue ? { ...slot, snapshot } : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Writes for a killed process the file `.ended.<id>.<seq>` of the newest values
 * that anybody here knows: those of its checkpoint, or those that the caller has
 * read. Files with lower numbers are removed.
 *
 * @param known What the caller has read from the pipe of the process.
 * @param mode The mode of the file: that of its pipe.
 * @returns The number of the snapshot that is booked now; `undefined` if nothing
 * is known of the process.
 * @throws If this process may not write, or there is no space.
 */
export function book(
  dir: string,
  dead: DeadProcess,
  known?: KnownValues,
  mode = 0o644,
): number | undefined {
  const { id, owner } = dead;
  const checkpoint = readCheckpoint(dir, dead);
  const newest = (known?.seq ?? 0) > (checkpoint?.seq ?? 0)
    ? known
    : checkpoint;
  const files = filesOf(dir, dead);
  const table = new NameTable();
  let seq = files.find((file) => parseLastValues(file, table))?.seq;
  if (newest !== undefined && newest.seq > (seq ?? 0)) {
    seq = newest.seq;
    writeLastValues(dir, id, seq, seal(newest.bytes), mode, {
      sync: true,
      owner,
    });
  }
  for (const file of files) {
    if (file.seq < (seq ?? 0)) attempt(() => runtime.remove(file.path));
  }
  return seq;
}

/** The files with last values of a process, the highest number first. */
function filesOf(dir: string, { id, owner }: DeadProcess): EndedFile[] {
  return [...endedFiles(dir, runtime.list(dir))]
    .filter((file) => file.id === id && file.owner === owner)
    .sort((a, b) => b.seq - a.seq);
}

/**
 * Writes for a killed process of which nothing is known a file without values,
 * so that it is counted as killed. Its number is 0, which anybody raises who
 * knows of any values.
 *
 * @throws If this process may not write, or there is no space.
 */
export function bookUnknown(
  dir: string,
  dead: DeadProcess,
  mode: number,
): void {
  const { id, base, owner } = dead;
  // Whoever has booked it meanwhile writes first and removes its sign last.
  if (isAlive(alivePath(dir, base, id)) !== false) return;
  if (filesOf(dir, dead).length > 0) return;
  const source = {
    names: [],
    values: new Float64Array(0),
    marks: new Uint8Array(0),
    times: new Map(),
    recorded: new Map(),
    descriptions: new Map(),
    process: { id, start: 0, stalled: 0 },
  };
  const bytes = new SnapshotWriter().write(source, true, { seq: 0, crc32 });
  writeLastValues(dir, id, 0, bytes, mode & 0o666, { owner });
}

/**
 * Removes the checkpoint of a dead process if it is damaged, and notes that the
 * values in it are missed.
 *
 * @returns Whether there is none any more that may be whole.
 * @throws If the checkpoint cannot be read now, or this process may not write.
 */
export function discardDamaged(dir: string, dead: DeadProcess): boolean {
  const { id, base, owner } = dead;
  if (readCheckpoint(dir, dead) !== undefined) return false;
  const path = checkpointPath(dir, base, id);
  if (runtime.identify(path)?.owner !== owner) return true;
  const away = shortLivedPath(dir, runtime.pid);
  // Of all that find it damaged, one succeeds, so that it is counted once.
  if (!succeeds(() => runtime.rename(path, away))) return true;
  try {
    noteMissed(dir, owner);
  } catch (error) {
    attempt(() => runtime.rename(away, path));
    throw error;
  }
  attempt(() => runtime.remove(away));
  return true;
}

/**
 * Books the processes of a user whose signs of life are dead, and removes what
 * they have left. What cannot be booked stays until it can.
 *
 * @param names What is in the directory.
 */
export function bookDead(
  dir: string,
  names: readonly string[],
  user: number,
): void {
  for (const name of names) {
    const own = parseOwnName(name);
    if (own?.rest !== "alive") continue;
    const path = `${dir}/${name}`;
    const file = attempt(() => runtime.identify(path));
    if (file?.owner !== user || isAlive(path) !== false) continue;
    const dead: DeadProcess = { id: own.id, base: own.base, owner: user };
    attempt(() => {
      const seq = book(dir, dead, undefined, file.mode);
      discardDamaged(dir, dead);
      if (seq === undefined) bookUnknown(dir, dead, file.mode);
      removeDead(dir, [dead]);
    });
  }
}
