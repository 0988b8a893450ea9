/**
 * Serves snapshots to every reader that opens the named pipe of this process.
 *
 * Touches the pipe directory. Uses no processor time until a reader comes or
 * somebody calls `look`, but for some seconds after each reader.
 *
 * @module
 */

import { StoppedError } from "./control.ts";
import { type Fifo, FifoPool, type FifoPoolOptions } from "./fifo_pool.ts";
import { nap, sleep } from "../runtime/pause.ts";
import { runtime } from "../runtime/runtime.ts";

/** How many bytes are written at a time: PIPE_BUF, which are written whole or not at all. */
const PIECE_BYTES = 4096;

/** How many bytes most pipes hold. */
const PIPE_BYTES = 16 * PIECE_BYTES;

/** How long the thread blocks until a reader makes room, in milliseconds, before it serves other readers. */
const PATIENCE_MS = 10;

/** How long a reader may stop reading, in milliseconds, before it is abandoned. */
const STALL_MS = 5_000;

/** How many readers may be slow at the same time. Each takes the memory of a snapshot. */
const MAX_SLOW = 64;

/** How often the pipe is looked at after a reader has come, and how long a failure is not tried again, in milliseconds. */
const POLL_MS = 500;

/** For how long after the last reader the pipe is looked at, in milliseconds. */
const WATCH_MS = 3_000;

/**
 * How many threads may wait for ever for readers of lost pipes. Deno has 32 such
 * threads, and can end the wait with --allow-all only.
 */
const MAX_STUCK = 4;

/** How long after its loss the pipe is replaced, in milliseconds, so that `rm -r` has finished. */
const HEAL_MS = 100;

/**
 * How long the thread is blocked at a time so that a reader makes room, in
 * milliseconds. A timer of the event loop would take a millisecond or more.
 */
const NAP_MS = 0.05;

/** Writes until there is no room for `PATIENCE_MS`. Returns how far it came. */
function writePatiently(fd: number, bytes: Uint8Array): number {
  let offset = 0;
  let deadline = performance.now() + PATIENCE_MS;
  while (offset < bytes.length) {
    // To see that a pipe is full costs an exception.
    if (offset > 0 && offset % PIPE_BYTES === 0) nap(NAP_MS);
    if (runtime.write(fd, bytes.subarray(offset, offset + PIECE_BYTES))) {
      offset += PIECE_BYTES;
      deadline = performance.now() + PATIENCE_MS;
    } else if (performance.now() > deadline) return offset;
    else nap(NAP_MS);
  }
  return offset;
}

/** What to serve on which pipes. */
export interface PipeServerOptions extends FifoPoolOptions {
  /** The mode of the directory, if it must be created anew. */
  readonly dirMode: number;
  /** Makes a snapshot, in a buffer that the next call may reuse. */
  readonly snapshot: () => Uint8Array<ArrayBuffer>;
  /** Whether a thread may be parked while the pipe has no reader. */
  readonly mayPark: boolean;
}

/** Serves the named pipe of this process until it is stopped. */
export class PipeServer {
  readonly #options: PipeServerOptions;
  #pool: FifoPool;
  #slow = 0;
  #stuck = 0;
  /** When the pipe got the public name. */
  #published = 0;
  /** Checks whether the pipe still has the public name. */
  #check: () => void = () => {};
  #isShowing = false;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(options: PipeServerOptions) {
    this.#options = options;
    this.#pool = new FifoPool(options);
  }

  /**
   * Serves until `control` stops it.
   *
   * @param ready Called when the pipe can be read.
   * @throws If the first pipe cannot be made. Later failures are retried.
   */
  async run(ready: () => void): Promise<void> {
    try {
      await this.#pool.showLife();
      let fifo = await this.#pool.publishNext();
      let arrival = this.#wait(fifo);
      ready();
      for (;;) {
        const { hold } = this.#options.control;
        const close = await Promise.race([arrival, this.#lost(fifo)]);
        if (!this.#options.control.running) return close?.();
        const next = await this.#publishNext(fifo);
        const earlier = arrival;
        // Waits before it serves, so that this thread is the writer of the
        // next pipe when its reader comes.
        arrival = this.#wait(next);
        if (close !== undefined) this.#serve(fifo, close);
        else {
          // A pipe without its name gets no more readers. A reader that has
          // opened it just before gets nothing, but does not wait for ever.
          if (!runtime.endWait(hold, fifo.path)) this.#stuck++;
          this.#pool.drop(fifo);
          earlier.then((close) => close());
        }
        fifo = next;
      }
    } catch (error) {
      if (!(error instanceof StoppedError)) throw error;
    } finally {
      clearTimeout(this.#timer);
      // The server may run again.
      this.#timer = undefined;
    }
  }

  /**
   * Waits for a reader of the pipe that has just got the public name.
   *
   * @returns How to close the pipe again. Never settles if the name is lost
   * before the wait begins, which `#lost` notices.
   */
  async #wait(fifo: Fifo): Promise<() => void> {
    const { control, mayPark } = this.#options;
    const { path } = this.#pool;
    for (;;) {
      let hold = 0;
      try {
        hold = control.hold = runtime.hold(path);
        return await (this.#stuck < MAX_STUCK
          ? runtime.waitForReader(path, mayPark)
          : runtime.pollForReader(path));
      } catch {
        // To stop takes the pipe away before the wait may have begun.
        if (!control.running) return () => {};
        if (!this.#pool.isPublished(fifo)) return new Promise(() => {});
      } finally {
        if (control.hold === hold) control.hold = 0;
        if (hold > 0) runtime.close(hold);
      }
      // The limit of open files is reached for now.
      await sleep(POLL_MS);
    }
  }

  /** Publishes the next pipe, trying until it succeeds. */
  async #publishNext(previous: Fifo): Promise<Fifo> {
    const { dir, dirMode, control } = this.#options;
    for (let pause = 0;; pause = POLL_MS) {
      try {
        return await this.#pool.publishNext(previous);
      } catch (error) {
        if (error instanceof StoppedError) throw error;
      }
      await sleep(pause);
      try {
        control.whileRunning(() => runtime.makeDir(dir, dirMode));
      } catch (error) {
        if (error instanceof StoppedError) throw error;
      }
    }
  }

  /** Looks whether pipe and sign of life have their names, and replaces them if they do not. */
  look(): void {
    this.#check();
    if (this.#options.presence.isShown || this.#isShowing) return;
    this.#isShowing = true;
    const show = async () => {
      await sleep(HEAL_MS);
      await this.#pool.showLife();
    };
    // If that fails, the next look tries again.
    show().catch(() => {}).finally(() => this.#isShowing = false);
  }

  /** Resolves when the pipe has lost the public name. */
  #lost(fifo: Fifo): Promise<undefined> {
    return new Promise((resolve) => {
      this.#published = performance.now();
      this.#check = () => {
        if (this.#pool.isPublished(fifo)) return;
        setTimeout(() => {
          if (!this.#pool.isPublished(fifo)) resolve(undefined);
        }, HEAL_MS);
      };
      // One timer serves many reads: setting and clearing one takes 50 µs.
      this.#timer ??= setTimeout(() => this.#poll(), POLL_MS);
    });
  }

  #poll(): void {
    const quiet = performance.now() - this.#published;
    this.#timer = quiet > WATCH_MS
      ? undefined
      : setTimeout(() => this.#poll(), POLL_MS);
    this.look();
  }

  /** Serves the reader that has opened a pipe, which stays open until `close`. */
  #serve(fifo: Fifo, close: () => void): void {
    let fd;
    try {
      fd = this.#pool.openWriter(fifo);
    } catch {
      // The limit of open files is reached. This reader gets nothing.
    }
    close();
    const takeBack = () =>
      this.#pool.takeBack(fifo, (fd) => void this.#write(fd));
    if (fd === undefined) takeBack();
    else this.#write(fd).then(takeBack);
  }

  /** Writes a snapshot, then closes the file. */
  async #write(fd: number): Promise<void> {
    try {
      const snapshot = this.#options.snapshot();
      const offset = writePatiently(fd, snapshot);
      if (offset < snapshot.length && this.#slow < MAX_SLOW) {
        this.#slow++;
        try {
          await this.#writeSlowly(fd, snapshot.slice(offset));
        } finally {
          this.#slow--;
        }
      }
    } catch {
      // The reader has gone, which it may at any time, or memory is short.
    } finally {
      runtime.close(fd);
    }
  }

  async #writeSlowly(fd: number, bytes: Uint8Array): Promise<void> {
    let offset = 0;
    for (
      let pause = 1, since = performance.now();
      offset < bytes.length && performance.now() - since < STALL_MS;
      pause = Math.min(2 * pause, 32)
    ) {
      await sleep(pause);
      while (
        offset < bytes.length &&
        runtime.write(fd, bytes.subarray(offset, offset + PIECE_BYTES))
      ) {
        offset += PIECE_BYTES;
        since = performance.now();
        pause = 1;
      }
    }
  }
}
