/**
 * Reads the checkpoints of processes that do not answer.
 *
 * Touches the pipe directory.
 *
 * @module
 */

import type { Sign } from "./liveness.ts";
import { checkpointPath } from "../directory/file_names.ts";
import { readCheckpoint } from "../ended/booking.ts";
import type { NameTable, Snapshot } from "../format/snapshot.ts";
import { attempt } from "../runtime/attempt.ts";
import { runtime } from "../runtime/runtime.ts";

/** How many bytes of checkpoints are read for one user at a time. */
const MAX_USER_BYTES = 2 ** 28;

/** The checkpoint of a process. */
export interface ReadCheckpoint {
  readonly snapshot: Snapshot;
  /** The bytes of the snapshot. */
  readonly bytes: Uint8Array;
  /** When it was written, in milliseconds since 1970. */
  readonly modified: number;
}

/** A file that was read, which may be damaged. */
interface KnownFile {
  readonly version: string;
  readonly table: NameTable;
  readonly checkpoint: ReadCheckpoint | undefined;
}

/** The checkpoint of a process; `undefined` if there is none that is whole. */
interface Found {
  readonly checkpoint: ReadCheckpoint | undefined;
  /** Whether there is a file that could not be read, or that is damaged. */
  readonly isLost: boolean;
}

/** Reads checkpoints, and parses those that have changed. */
export class Checkpoints {
  #known: Map<string, KnownFile> = new Map();
  #kept: Map<string, KnownFile> = new Map();
  readonly #bytes: Map<number, number> = new Map();

  /** Begins a new reading: what is not read in it is forgotten. */
  begin(): void {
    this.#known = this.#kept;
    this.#kept = new Map();
    this.#bytes.clear();
  }

  /**
   * Reads the checkpoint of a process.
   *
   * @param table The ids of names.
   */
  read(dir: string, sign: Sign, table: NameTable): Found {
    const path = checkpointPath(dir, sign.base, sign.id);
    const file = attempt(() => runtime.identify(path));
    if (file === undefined || file.owner !== sign.owner) {
      return { checkpoint: undefined, isLost: false };
    }
    const { inode, modified, size, owner } = file;
    const bytes = (this.#bytes.get(owner) ?? 0) + size;
    if (bytes > MAX_USER_BYTES) return { checkpoint: undefined, isLost: true };
    this.#bytes.set(owner, bytes);
    const version = `${inode} ${modified} ${size}`;
    let known = this.#known.get(path);
    if (known?.version !== version || known.table !== table) {
      const read = attempt(() => readCheckpoint(dir, sign, table));
      // The file may be long: only its newest snapshot is kept.
      const checkpoint = read &&
        { ...read, bytes: read.bytes.slice(), modified };
      known = { version, table, checkpoint };
    }
    this.#kept.set(path, known);
    const { checkpoint } = known;
    return { checkpoint, isLost: checkpoint === undefined };
  }
}
