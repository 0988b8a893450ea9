/**
 * The named pipes of one process: a handful, made once and used in turn.
 *
 * The pipe that waits for a reader has the public name and no other, so that a
 * reader of every file in the directory does not read it twice. When a reader
 * has come, the pipe gets a private name back, and the next one takes the public
 * name at once. A used pipe is free again when its reader has left it.
 *
 * Touches the pipe directory.
 *
 * @module
 */

import { ownFifoPath } from "../directory/file_names.ts";
import { dangerOf } from "../directory/trust.ts";
import { type RecorderControl, StoppedError } from "./control.ts";
import type { Presence } from "./presence.ts";
import { attempt, succeeds } from "../runtime/attempt.ts";
import { runtime } from "../runtime/runtime.ts";

/** How many pipes one start of `mkfifo` makes. One of the first becomes the sign of life. */
const BATCH = 7;

/**
 * How long after its snapshot a used pipe is first checked if no other is free,
 * in milliseconds. Each further check comes after eight times as long.
 */
const FIRST_CHECK_MS = 4;

/**
 * How long after its snapshot a pipe may get a late reader, in milliseconds: one
 * that looked up the public name just before another pipe took it.
 */
const LATE_MS = 50;

/**
 * How often used pipes are checked, in milliseconds, all in one go: a check that
 * finds no reader costs an exception, which takes 200 µs in a thread that has
 * just slept, and 30 µs from then on.
 */
const CHECK_MS = 100;

/** How long a reader may keep a pipe after its snapshot, in milliseconds, before the pipe is abandoned. */
const GIVE_UP_MS = 10_000;

/** A named pipe. */
export interface Fifo {
  /** The path by its private name, which it has while it is not published. */
  readonly path: string;
  /** Tells whether a path still leads to this pipe. */
  readonly inode: number;
  /** What tells its path from those of the other pipes of this process. */
  readonly number: number;
}

/** Whether a path is known to lead to a pipe. */
function isNamed(fifo: Fifo, path: string): boolean {
  try {
    return runtime.identify(path)?.inode === fifo.inode;
  } catch {
    // The directory cannot be entered now.
    return false;
  }
}

/** Where to make pipes, of what mode. */
export interface FifoPoolOptions {
  /** The pipe directory. */
  readonly dir: string;
  /** The mode of the pipes. */
  readonly mode: number;
  /** The user of this process, if that is known. */
  readonly user: number | undefined;
  /** Who this process is. */
  readonly presence: Presence;
  /** What the paths have in common: eight hexadecimal digits. */
  readonly batch: string;
  /** Stops the recorder. */
  readonly control: RecorderControl;
}

/** A pipe that had a reader, and may have a late one. */
interface UsedFifo {
  readonly fifo: Fifo;
  /** When its reader got a snapshot. */
  readonly since: number;
  /** How long it was not checked, in milliseconds. */
  pause: number;
  /** When it is due to be checked. */
  due: number;
  /** Serves a late reader through an open file. */
  readonly serve: (fd: number) => void;
}

/** The named pipes of this process. */
export class FifoPool {
  readonly #dir: string;
  readonly #presence: Presence;
  readonly #batch: string;
  readonly #mode: number;
  readonly #user: number | undefined;
  readonly #control: RecorderControl;
  #free: Fifo[] = [];
  /** Used pipes by their private paths. Some are free as well: only a late reader may still open them. */
  readonly #used: Map<string, UsedFifo> = new Map();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #made = 0;

  constructor(
    { dir, mode, user, presence, batch, control }: FifoPoolOptions,
  ) {
    this.#dir = dir;
    this.#presence = presence;
    this.#batch = batch;
    this.#mode = mode;
    this.#user = user;
    this.#control = control;
  }

  /** The public path. */
  get path(): string {
    return this.#presence.pipe;
  }

  #pathOf(number: number): string {
    return ownFifoPath(this.#dir, this.#presence, this.#batch, number);
  }

  /** Makes a batch of pipes. */
  async #make(): Promise<void> {
    const numbers = Array.from({ length: BATCH }, () => ++this.#made);
    const paths = numbers.map((number) => this.#pathOf(number));
    await this.#control.whileRunningAsync(async () => {
      // Another user may have created the directory anew.
      const danger = dangerOf(this.#dir, this.#user);
      if (danger !== undefined) throw new Error(danger);
      for (const number of numbers) this.#control.note(number);
      try {
        await runtime.makeFifos(paths, this.#mode);
      } catch (error) {
        // Some may have been made, and take up room.
        for (const path of paths) attempt(() => runtime.remove(path));
        for (const number of numbers) this.#control.unnote(number);
        throw error;
      }
    });
    for (const number of numbers) {
      const path = this.#pathOf(number);
      const inode = runtime.identify(path)?.inode;
      if (inode === undefined) this.#control.unnote(number);
      else this.#free.push({ path, inode, number });
    }
    if (this.#free.length === 0) throw new Error("New pipes vanish at once");
  }

  /** Shows that this process lives, unless its sign of life is there. */
  async showLife(): Promise<void> {
    const presence = this.#presence;
    while (!presence.isShown) {
      if (this.#free.length === 0) this.#checkUsed();
      if (this.#free.length === 0) await this.#make();
      const [sign] = this.#free;
      const { base } = presence;
      if (isNamed(sign, sign.path)) {
        this.#control.whileRunning(() => presence.show(sign.path));
      }
      this.drop(sign);
      if (presence.base !== base) this.#moveAside();
    }
  }

  /** Renames the free pipes after the base of this process has changed. */
  #moveAside(): void {
    this.#free = this.#free.map((fifo) => {
      const path = this.#pathOf(fifo.number);
      attempt(() => runtime.rename(fifo.path, path));
      return { ...fifo, path };
    });
  }

  /** Drops a pipe that is no more. */
  drop(fifo: Fifo): void {
    this.#forget(fifo);
    this.#control.unnote(fifo.number);
  }

  /**
   * Gives the public name to the next pipe.
   *
   * @param previous The pipe that has had the public name until now. It gets its
   * private name back, unless it has lost the public one.
   */
  async publishNext(previous?: Fifo): Promise<Fifo> {
    for (;;) {
      if (this.#free.length === 0) this.#checkUsed();
      if (this.#free.length === 0) await this.#make();
      const [next] = this.#free;
      try {
        this.#control.whileRunning(() => {
          if (previous !== undefined && this.isPublished(previous)) {
            this.#takeName(previous);
          }
          runtime.rename(next.path, this.path);
        });
      } catch (error) {
        // The failure may be temporary: the pipe stays free, unless it has gone.
        const isThere = runtime.identify(next.path)?.inode === next.inode;
        if (isThere || error instanceof StoppedError) throw error;
        this.drop(next);
        continue;
      }
      this.#forget(next);
      return next;
    }
  }

  /** Drops a pipe from the pool. */
  #forget(fifo: Fifo): void {
    this.#takeOut(fifo);
    this.#used.delete(fifo.path);
  }

  #takeOut(fifo: Fifo): void {
    this.#free = this.#free.filter((free) => free !== fifo);
  }

  /** Gives the published pipe its private name back. */
  #takeName(fifo: Fifo): void {
    const { path } = fifo;
    if (succeeds(() => runtime.link(this.path, path))) return;
    // On a full file system there is no room for a second name, so the public
    // name is missing for a moment.
    if (!isNamed(fifo, path)) runtime.rename(this.path, path);
  }

  /** Whether a pipe has the public name. */
  isPublished(fifo: Fifo): boolean {
    return isNamed(fifo, this.path);
  }

  /** Opens a pipe that was published for writing; `undefined` if it has no reader. */
  openWriter(fifo: Fifo): number | undefined {
    return isNamed(fifo, fifo.path) ? runtime.openWriter(fifo.path) : undefined;
  }

  /**
   * Takes a used pipe back as soon as its reader has left it.
   *
   * @param serve Serves a late reader through an open file.
   */
  takeBack(fifo: Fifo, serve: (fd: number) => void): void {
    const since = performance.now();
    this.#used.set(fifo.path, {
      fifo,
      since,
      pause: FIRST_CHECK_MS,
      due: since + FIRST_CHECK_MS,
      serve,
    });
    this.#checkLater();
  }

  #checkLater(): void {
    if (this.#used.size === 0) return;
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.#checkUsed();
      this.#checkLater();
    }, CHECK_MS);
  }

  #checkUsed(): void {
    const now = performance.now();
    for (const used of this.#used.values()) {
      if (used.due <= now) this.#check(used, now);
    }
  }

  #check(used: UsedFifo, now: number): void {
    const { fifo, since, serve } = used;
    // If so, its reader has left it, and any reader that it has now is late.
    const isFree = this.#free.includes(fifo);
    used.pause = Math.min(8 * used.pause, 250);
    used.due = now + used.pause;
    let fd;
    try {
      fd = this.openWriter(fifo);
    } catch {
      // The limit of open files is reached for now.
      return;
    }
    if (fd === undefined) {
      if (!isFree) this.#free.push(fifo);
      // A pipe that is published before its next check finds a late reader anyway.
      if (now - since > LATE_MS) this.#used.delete(fifo.path);
      return;
    }
    if (isFree) {
      this.#takeOut(fifo);
      serve(fd);
    } else runtime.close(fd);
    if (
      now - since > GIVE_UP_MS && succeeds(() => runtime.remove(fifo.path))
    ) this.drop(fifo);
  }
}
