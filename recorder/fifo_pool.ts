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

import { fifoPath, pipePath } from "../directory/file_names.ts";
import { dangerOf } from "../directory/trust.ts";
import { type RecorderControl, StoppedError } from "./control.ts";
import { attempt, succeeds } from "../runtime/attempt.ts";
import { runtime } from "../runtime/runtime.ts";

/** How many pipes are made at a time: one start of `mkfifo`. */
const BATCH = 6;

/**
 * How long after its snapshot a pipe is looked at if no other is free, in
 * milliseconds, and then after eight times as long.
 */
const FIRST_LOOK_MS = 4;

/**
 * How long after its snapshot a pipe may get one more reader, in milliseconds:
 * one that had found it by its public name and was held up.
 */
const LATE_MS = 50;

/**
 * How often used pipes are looked at, in milliseconds, all in one go: a look
 * that finds no reader costs an exception, which takes 200 µs where the thread
 * has slept before, and then 30.
 */
const LOOKS_MS = 100;

/** How long a reader may keep a pipe after its snapshot, before that is given up. */
const GIVE_UP_MS = 10_000;

/** A named pipe. */
export interface Fifo {
  /** Its private name, which it has while it is not published. */
  readonly path: string;
  /** Tells whether a name is still that of this pipe. */
  readonly inode: number;
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

/** A pipe that had a reader, and may have one more. */
interface UsedFifo {
  readonly fifo: Fifo;
  /** When its reader got a snapshot. */
  readonly since: number;
  /** How long it was not looked at. */
  pause: number;
  /** When it is to be looked at. */
  due: number;
  /** Serves a reader that came late. It gets a file to write to. */
  readonly serve: (fd: number) => void;
}

/** The named pipes of this process. */
export class FifoPool {
  /** The public name. */
  readonly path: string;
  readonly #dir: string;
  readonly #mode: number;
  readonly #user: number | undefined;
  readonly #control: RecorderControl;
  #free: Fifo[] = [];
  /** By their private names. Those that only a late reader may open are free. */
  readonly #used: Map<string, UsedFifo> = new Map();
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor({ dir, mode, user, control }: FifoPoolOptions) {
    this.path = pipePath(dir, runtime.pid);
    this.#dir = dir;
    this.#mode = mode;
    this.#user = user;
    this.#control = control;
  }

  /** Makes a batch of pipes. */
  async #make(): Promise<void> {
    const paths = Array.from(
      { length: BATCH },
      () => fifoPath(this.#dir, runtime.pid),
    );
    await this.#control.whileRunningAsync(async () => {
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
    for (const path of paths) {
      const inode = runtime.identify(path)?.inode;
      if (inode !== undefined) this.#free.push({ path, inode });
    }
    if (this.#free.length === 0) throw new Error("New pipes vanish at once");
  }

  /**
   * Gives the public name to the next pipe.
   *
   * @param previous The pipe that has the public name until now, if there is
   * one. It gets its private name back, unless somebody has taken the public
   * one from it.
   */
  async publishNext(previous?: Fifo): Promise<Fifo> {
    for (;;) {
      if (this.#free.length === 0) this.#lookAtUsed();
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
        // What fails may pass: until then it stays free, unless it has gone.
        const isThere = runtime.identify(next.path)?.inode === next.inode;
        if (isThere || error instanceof StoppedError) throw error;
        this.#forget(next);
        continue;
      }
      this.#forget(next);
      return next;
    }
  }

  /** Knows no more of a pipe. */
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
  takeBack(fifo: Fifo, serve: (fd: number) => void): void {
    const since = performance.now();
    this.#used.set(fifo.path, {
      fifo,
      since,
      pause: FIRST_LOOK_MS,
      due: since + FIRST_LOOK_MS,
      serve,
    });
    this.#lookLater();
  }

  #lookLater(): void {
    if (this.#used.size === 0) return;
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.#lookAtUsed();
      this.#lookLater();
    }, LOOKS_MS);
  }

  #lookAtUsed(): void {
    const now = performance.now();
    for (const used of this.#used.values()) {
      if (used.due <= now) this.#look(used, now);
    }
  }

  #look(used: UsedFifo, now: number): void {
    const { fifo, since, serve } = used;
    // Then its reader was seen to have left it, and another one is late.
    const isFree = this.#free.includes(fifo);
    used.pause = Math.min(8 * used.pause, 250);
    used.due = now + used.pause;
    let fd;
    try {
      fd = this.openWriter(fifo);
    } catch {
      // No more files may be open, which passes.
      return;
    }
    if (fd === undefined) {
      if (!isFree) this.#free.push(fifo);
      // One that is published before it is looked at again finds its reader.
      if (now - since > LATE_MS) this.#used.delete(fifo.path);
      return;
    }
    if (isFree) {
      this.#takeOut(fifo);
      serve(fd);
    } else runtime.close(fd);
    if (
      now - since > GIVE_UP_MS && succeeds(() => runtime.remove(fifo.path))
    ) this.#used.delete(fifo.path);
  }
}
