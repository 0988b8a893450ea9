/**
 * Keeps the newest counters and histograms of this process in a file, for the
 * case that it is killed.
 *
 * Touches the pipe directory, reads the clock.
 *
 * @module
 */

import { dangerOf } from "../directory/trust.ts";
import {
  checkpointPath,
  type OwnBase,
  ownNewPath,
} from "../directory/file_names.ts";
import { encodeHeader, encodeSlot, slotBytesFor } from "../ended/checkpoint.ts";
import { attempt } from "../runtime/attempt.ts";
import { runtime } from "../runtime/runtime.ts";

/** The least time between two checkpoints, in milliseconds. */
const INTERVAL_MS = 1_000;

/**
 * How many times as long as a checkpoint takes the time to the next one is at
 * least. Of two in a row the shorter one counts: one is long because it is the
 * first, or because the processor was somebody else's for a moment.
 */
const REST = 100;

/** The most time between two checkpoints while something changes, in milliseconds, however long they take. */
const MAX_INTERVAL_MS = 10_000;

/**
 * How long to rest after a checkpoint, in milliseconds.
 *
 * @param took How long it took.
 * @param before How long the one before took.
 */
export function restAfter(took: number, before: number): number {
  const rest = Math.max(INTERVAL_MS / 2, REST * Math.min(took, before));
  return Math.min(rest, MAX_INTERVAL_MS);
}

/** What to keep. */
export interface CheckpointOptions {
  /** The pipe directory. */
  readonly dir: string;
  /** The mode of the file. */
  readonly mode: number;
  /** The user of this process, if that is known. */
  readonly user: number | undefined;
  /** Who this process is. */
  readonly presence: OwnBase;
  /** A number that changes with the stats. */
  readonly stamp: () => number;
  /** Makes a snapshot of what is kept, with its number. */
  readonly snapshot: () => { seq: number; bytes: Uint8Array<ArrayBuffer> };
}

/** Writes checkpoints, one after the other. */
export class CheckpointWriter {
  readonly #options: CheckpointOptions;
  #fd: number | undefined;
  #inode: number | undefined;
  #slotBytes = 0;
  #slot = 0;
  #stamp: number | undefined;
  #due = -Infinity;
  /** How long the last one took, in milliseconds. */
  #took = 0;

  constructor(options: CheckpointOptions) {
    this.#options = options;
  }

  get #path(): string {
    const { dir, presence } = this.#options;
    return checkpointPath(dir, presence.base, presence.id);
  }

  /** Writes a checkpoint if something has changed since the last one, and that is long enough ago. */
  tick(): void {
    const start = performance.now();
    if (start < this.#due) return;
    const stamp = this.#options.stamp();
    if (stamp === this.#stamp && this.#isThere()) return;
    this.write();
    this.#stamp = stamp;
    const end = performance.now();
    const took = end - start;
    this.#due = end + restAfter(took, this.#took);
    this.#took = took;
  }

  /** Writes a checkpoint now. */
  write(): void {
    const snapshot = this.#options.snapshot();
    const placed = encodeSlot(snapshot, this.#slot, this.#slotBytes);
    if (placed === undefined || !this.#isThere()) {
      return this.#create(snapshot);
    }
    // In place: a new file that is renamed makes some file systems write all of
    // it to the disk each time.
    runtime.writeAt(this.#fd!, placed.bytes, placed.offset);
    this.#slot = 1 - this.#slot;
  }

  #isThere(): boolean {
    if (this.#inode === undefined) return false;
    return attempt(() => runtime.identify(this.#path)?.inode) === this.#inode;
  }

  #create(snapshot: { seq: number; bytes: Uint8Array<ArrayBuffer> }): void {
    const { dir, mode, user, presence } = this.#options;
    this.close();
    // Another user may have created the directory anew.
    const danger = dangerOf(dir, user);
    if (danger !== undefined) throw new Error(danger);
    const temporary = ownNewPath(dir, presence);
    const slotBytes = slotBytesFor(snapshot.bytes.length);
    const fd = runtime.createFile(temporary, mode);
    try {
      const { offset, bytes } = encodeSlot(snapshot, 0, slotBytes)!;
      runtime.writeAt(fd, encodeHeader(slotBytes), 0);
      runtime.writeAt(fd, bytes, offset);
      this.#inode = runtime.identifyOpen(fd).inode;
      runtime.rename(temporary, this.#path);
    } catch (error) {
      runtime.close(fd);
      attempt(() => runtime.remove(temporary));
      this.#inode = undefined;
      throw error;
    }
    this.#fd = fd;
    this.#slotBytes = slotBytes;
    this.#slot = 1;
  }

  /** Closes the file, which stays. */
  close(): void {
    if (this.#fd !== undefined) runtime.close(this.#fd);
    this.#fd = this.#inode = undefined;
    this.#slotBytes = 0;
  }
}
