/**
 * The named pipes of one process: a handful, made once and used in turn.
 *
 * The one that waits for a reader has the public name, and no other: who reads
 * every file of the directory must not read it twice. When a reader has come,
 * the pipe gets a private name back, and the next one takes the public name at
 * once. A used pipe comes back when its reader has left it.
 *
 * Touches the pipe directory.
 *
 * @module
 */

import type { RecorderControl } from "./recorder_control.ts";
import { runtime } from "./runtime.ts";
import { dangerOf } from "./trust.ts";

/** How many pipes are made at a time: one start of `mkfifo`. */
const BATCH = 3;

/**
 * How long a pipe that nobody reads is kept back, in milliseconds. A reader
 * that has looked the public name up but has not opened the pipe yet, when the
 * next pipe takes that name, comes within this time, and is then seen.
 */
const QUARANTINE_MS = 30;

/**
 * When a used pipe is looked at first, in milliseconds, and then after eight
 * times as long: each look that finds no reader costs an exception.
 */
const FIRST_LOOK_MS = 4;

/** How long a reader may keep a pipe after its snapshot, before that is given up. */
const GIVE_UP_MS = 10_000;

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** The public name of a process's pipe. */
export function pipePath(dir: string, pid: number): string {
  return `${dir}/${pid}.stats`;
}

/** What the names of a process's other files in the directory begin with. */
export function privatePrefix(pid: number): string {
  return `.${pid}.`;
}

/** A named pipe. */
export interface Fifo {
  /** Its private name, which it has while it is not published. */
  readonly path: string;
  /** Tells whether a name is still that of this pipe. */
  readonly inode: number;
}

/** Does something that may fail for a while, as where a file system is read-only. Returns whether it has not. */
function attempt(action: () => void): boolean {
  try {
    action();
    return true;
  } catch {
    return false;
  }
}

/** Whether a path is a name of a pipe, as far as can be seen. */
function isNamed(fifo: Fifo, path: string): boolean {
  try {
    return runtime.identify(path)?.inode === fifo.inode;
  } catch {
    // The directory may not be entered for a while.
    return false;
  }
}

/** What pipes to make. */
export interface FifoPoolOptions {
  /** The pipe directory. */
  readonly dir: string;
  /** The mode of the pipes. */
  readonly mode: number;
  /** The user of this process, if that is known. */
  readonly user: number | undefined;
  /** Says when to stop. */
  readonly control: RecorderControl;
}

/** The named pipes of this process. */
export class FifoPool {
  /** The public name. */
  readonly path: string;
  readonly #dir: string;
  readonly #mode: number;
  readonly #user: number | undefined;
  readonly #control: RecorderControl;
  #free: string[] = [];

  constructor({ dir, mode, user, control }: FifoPoolOptions) {
    this.path = pipePath(dir, runtime.pid);
    this.#dir = dir;
    this.#mode = mode;
    this.#user = user;
    this.#control = control;
  }

  /** Makes a batch of pipes. */
  async #make(): Promise<void> {
    const prefix = `${this.#dir}/${privatePrefix(runtime.pid)}`;
    // Names that nobody else can have taken.
    const paths = Array.from(
      { length: BATCH },
      () => `${prefix}${crypto.randomUUID().slice(0, 13)}.fifo`,
    );
    await this.#control.whileRunning(async () => {
      // The directory may have been made anew, by somebody else.
      const danger = dangerOf(this.#dir, this.#user);
      if (danger !== undefined) throw new Error(danger);
      try {
        await runtime.makeFifos(paths, this.#mode);
      } catch (error) {
        // Some may be there, and take the room of others.
        for (const path of paths) attempt(() => runtime.remove(path));
        throw error;
      }
    });
    this.#free.push(...paths);
  }

  /**
   * Gives the public name to a pipe that has no reader.
   *
   * @param previous The pipe that has the public name until now, if there is
   * one. It gets its private name back, unless somebody has taken the public
   * one from it.
   */
  async publishNext(previous?: Fifo): Promise<Fifo> {
    for (;;) {
      if (this.#free.length === 0) await this.#make();
      const [path] = this.#free;
      // What fails may pass: until then it stays free.
      const file = runtime.identify(path);
      if (file?.isFifo === true) {
        const fd = runtime.openWriter(path);
        if (fd === undefined) {
          this.#control.whileRunning(() => {
            if (previous !== undefined && this.isPublished(previous)) {
              this.#takeName(previous);
            }
            runtime.rename(path, this.path);
          });
          this.#free.shift();
          return { path, inode: file.inode };
        }
        // Somebody reads a private name, which brings nothing.
        runtime.close(fd);
        runtime.remove(path);
      }
      this.#free.shift();
    }
  }

  /** Gives the published pipe its private name back. */
  #takeName(fifo: Fifo): void {
    const { path } = fifo;
    if (attempt(() => runtime.link(this.path, path))) return;
    // Where there is no space for one more name, there is no public one for a
    // moment.
    if (!isNamed(fifo, path)) runtime.rename(this.path, path);
  }

  /** Whether a pipe has the public name. */
  isPublished(fifo: Fifo): boolean {
    return isNamed(fifo, this.path);
  }

  /** Opens a pipe that was published, to write; `undefined` if it has no reader. */
  openWriter(fifo: Fifo): number | undefined {
    return isNamed(fifo, fifo.path) ? runtime.openWriter(fifo.path) : undefined;
  }

  /**
   * Takes a used pipe back when its reader has left it.
   *
   * @param serve Serves a reader that came late. It gets a file to write to.
   */
  async takeBack(fifo: Fifo, serve: (fd: number) => void): Promise<void> {
    const start = performance.now();
    let left = false;
    for (let pause = FIRST_LOOK_MS;; pause = Math.min(8 * pause, 250)) {
      await sleep(pause);
      const age = performance.now() - start;
      let fd;
      try {
        fd = this.openWriter(fifo);
      } catch {
        // No more files may be open, which passes.
        continue;
      }
      if (fd === undefined) {
        left = true;
        if (age < QUARANTINE_MS) continue;
        this.#free.push(fifo.path);
        return;
      } else if (left) {
        left = false;
        serve(fd);
      } else {
        runtime.close(fd);
      }
      if (age > GIVE_UP_MS && attempt(() => runtime.remove(fifo.path))) return;
    }
  }
}
