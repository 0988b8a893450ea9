/**
 * The named pipes of one process: a handful, made once and used in turn.
 *
 * A reader that has come keeps its pipe for itself: the next one takes the
 * public name at once, by hard link and rename. A used pipe comes back when its
 * reader has left it.
 *
 * Touches the pipe directory.
 *
 * @module
 */

import type { RecorderControl } from "./recorder_control.ts";
import { runtime } from "./runtime.ts";

/** How many pipes are made at a time: one start of `mkfifo`. */
const BATCH = 3;

/**
 * How long a pipe that nobody reads is kept back, in milliseconds. A reader
 * that has looked the public name up but has not opened the pipe yet, when the
 * next pipe takes that name, comes within this time, and is then seen.
 */
const QUARANTINE_MS = 30;

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

/** The named pipes of this process. */
export class FifoPool {
  readonly #dir: string;
  readonly #mode: number;
  readonly #control: RecorderControl;
  #made = 0;
  #free: string[] = [];

  constructor(dir: string, mode: number, control: RecorderControl) {
    this.#dir = dir;
    this.#mode = mode;
    this.#control = control;
  }

  /** The public name. */
  get path(): string {
    return pipePath(this.#dir, runtime.pid);
  }

  #privatePath(name: string): string {
    return `${this.#dir}/${privatePrefix(runtime.pid)}${name}`;
  }

  /** Makes a batch of pipes. */
  async #make(): Promise<void> {
    const paths = Array.from(
      { length: BATCH },
      () => this.#privatePath(`${this.#made++}.fifo`),
    );
    await this.#control.whileRunning(() =>
      runtime.makeFifos(paths, this.#mode)
    );
    this.#free.push(...paths);
  }

  /** Takes a pipe that has no reader and gives it the public name. */
  async publishNext(): Promise<string> {
    for (;;) {
      if (this.#free.length === 0) await this.#make();
      const fifo = this.#free.shift()!;
      if (runtime.identify(fifo)?.isFifo !== true) continue;
      this.publish(fifo);
      return fifo;
    }
  }

  /** Gives a pipe the public name, in one step. */
  publish(fifo: string): void {
    this.#control.whileRunning(() => {
      const next = this.#privatePath("next");
      runtime.remove(next);
      runtime.link(fifo, next);
      runtime.rename(next, this.path);
      // Does nothing where both names were those of the same pipe already.
      runtime.remove(next);
    });
  }

  /** Whether a pipe has the public name, and still has its own. */
  isPublished(fifo: string): boolean {
    const own = runtime.identify(fifo);
    return own !== undefined &&
      own.inode === runtime.identify(this.path)?.inode;
  }

  /**
   * Takes a used pipe back when its reader has left it.
   *
   * @param serve Serves a reader that came late. It gets a file to write to.
   */
  async takeBack(fifo: string, serve: (fd: number) => void): Promise<void> {
    const start = performance.now();
    let left = false;
    for (let pause = 1;; pause = Math.min(2 * pause, 250)) {
      await sleep(pause);
      const age = performance.now() - start;
      const fd = runtime.openWriter(fifo);
      if (fd === undefined) {
        left = true;
        if (age < QUARANTINE_MS) continue;
        this.#free.push(fifo);
        return;
      } else if (left) {
        left = false;
        serve(fd);
      } else {
        runtime.close(fd);
      }
      if (age > GIVE_UP_MS) return runtime.remove(fifo);
    }
  }
}
