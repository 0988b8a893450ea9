/**
 * A running recorder, as the thread that has started it sees it.
 *
 * Touches the pipe directory when it ends. Keeps the sign of life open.
 *
 * @module
 */

import { alivePath, pipePath } from "../directory/file_names.ts";
import { attempt } from "../runtime/attempt.ts";
import { runtime } from "../runtime/runtime.ts";
import type { Thread } from "../runtime/system.ts";
import { setServed } from "./program_end.ts";
import type { Recorder } from "./recorder.ts";
import { closeAll, type OwnFiles, removePipes } from "./own_files.ts";
import { keepSpare, useSpare } from "./spare_file.ts";

/** How long the thread may take to close its files, in milliseconds. */
const STOP_MS = 500;

/** The sign of life, which this thread keeps open until it ends, also without a recorder. */
let sign: number | undefined;

/** Keeps the sign of life open in this thread. */
function holdSign({ dir, base, id }: OwnFiles): void {
  const fd = attempt(() => runtime.openBoth(alivePath(dir, base!, id)));
  if (fd === undefined) return;
  if (sign !== undefined) runtime.close(sign);
  sign = fd;
}

/** The recorder whose thread this thread has started. */
export class PipeRecorder implements Recorder {
  readonly path: string;
  readonly #own: OwnFiles;
  readonly #thread: Thread;
  /** Resolves when the thread has closed all its files. */
  readonly #done: Promise<void>;
  readonly #forgetExit: () => void;
  readonly #forget: () => void;
  readonly #keep: () => void;
  #files: number[] = [];
  #stopped: Promise<void> | undefined;

  /**
   * @param forget Called when the recorder is stopped.
   * @param keep Writes a checkpoint, if there are any.
   */
  constructor(
    own: OwnFiles,
    thread: Thread,
    done: Promise<void>,
    forget: () => void,
    keep: () => void,
  ) {
    this.#forget = forget;
    this.#keep = keep;
    this.path = pipePath(own.dir, own.base!);
    this.#own = own;
    this.#thread = thread;
    this.#done = done;
    holdSign(own);
    // The end of the main thread is that of the process.
    this.#forgetExit = runtime.isMainThread
      ? () => setServed(undefined)
      : runtime.onExit(() => this.release(), () => {
        this.release();
        // If the event loop runs again, the thread has caught the error.
        setTimeout(() => this.resume());
      });
  }

  /** Stops the thread from creating files, then removes all pipes. */
  release(): void {
    this.#own.control.stop();
    useSpare();
    this.#files.push(...removePipes(this.#own));
  }

  #closeFiles(): void {
    closeAll(this.#files.splice(0));
  }

  /** Lets the thread serve again. */
  resume(): void {
    if (this.#stopped !== undefined) return;
    this.#closeFiles();
    keepSpare(this.#own.dir);
    this.#own.control.start();
    this.#thread.post("resume");
  }

  stop(): Promise<void> {
    return this.#stopped ??= this.#stop();
  }

  async #stop(): Promise<void> {
    this.#forget();
    this.#forgetExit();
    // The recorder's thread, which may have made the sign anew, closes it now.
    holdSign(this.#own);
    this.release();
    // Nobody writes the next one, and the process may be killed later.
    attempt(this.#keep);
    let timer;
    const late = new Promise((resolve) => timer = setTimeout(resolve, STOP_MS));
    await Promise.race([this.#done, late]);
    clearTimeout(timer);
    await this.#thread.terminate();
    this.#closeFiles();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }
}

/** The recorder of another thread of this process, which only that thread can stop. */
export class ForeignRecorder implements Recorder {
  readonly path: string;

  constructor(path: string) {
    this.path = path;
  }

  stop(): Promise<void> {
    return Promise.resolve();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }
}
