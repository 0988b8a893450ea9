/**
 * The deployer's side: offers the stats of this process on a named pipe.
 *
 * Touches the pipe directory and starts a thread.
 *
 * @module
 */

import { config } from "./config.ts";
import { pipePath, privatePrefix } from "./fifo_pool.ts";
import { RecorderControl } from "./recorder_control.ts";
import type { RecorderReport, RecorderSettings } from "./recorder_worker.ts";
import { source } from "./recorder_worker_source.ts";
import { runtime, type Thread } from "./runtime.ts";
import { ownSlab } from "./stats.ts";
import { threads } from "./threads.ts";

/** A running recorder. */
export interface Recorder extends AsyncDisposable {
  /** The pipe, such as `/tmp/stats-pipe/1234.stats`. */
  readonly path: string;
  /** Removes the pipe and ends the thread. The stats stay as they are. */
  stop(): Promise<void>;
}

/** How long a pipe of this process is listened to, to learn whether a thread serves it. */
const LISTEN_MS = 100;

/** What to do where a directory cannot be used. */
const ELSEWHERE = "set config.pipeDir or STATVENT_PIPE_DIR";

function failure(why: string, cause?: unknown): Error {
  return new Error(`Cannot start the recorder: ${why}`, { cause });
}

/** Throws an error that says what to do, if the recorder could not work here. */
async function prepare(dir: string): Promise<void> {
  const missing = await runtime.missingPermission(dir);
  if (missing !== undefined) {
    throw failure(`it may not use ${dir} or mkfifo, ${missing}`);
  }
  try {
    runtime.makeDir(dir);
  } catch (error) {
    const { code, message } = error as { code?: string; message: string };
    throw failure(
      code === "EEXIST" || code === "ENOTDIR"
        ? `${dir} must be a directory, but there is a file; remove it or ${ELSEWHERE}`
        : `${dir} must be a directory that can be created (${message}); create it or ${ELSEWHERE}`,
      error,
    );
  }
}

/** Whether another thread of this process serves the pipe already. */
async function isServed(path: string): Promise<boolean> {
  if (runtime.identify(path)?.isFifo !== true) return false;
  const fd = runtime.openReader(path);
  try {
    const deadline = performance.now() + LISTEN_MS;
    const byte = new Uint8Array(1);
    while (performance.now() < deadline) {
      if (runtime.read(fd, byte) !== 0) return true;
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    return false;
  } finally {
    runtime.close(fd);
  }
}

/** Removes all files of this process. */
function removeFiles(dir: string): void {
  const prefix = `${dir}/${privatePrefix(runtime.pid)}`;
  try {
    // First nobody finds the pipe any more, then who has found it is let go: a
    // reader that opens a pipe without a writer waits for ever.
    runtime.rename(pipePath(dir, runtime.pid), `${prefix}ended`);
  } catch {
    // There is none.
  }
  try {
    for (const name of runtime.list(dir)) {
      const path = `${dir}/${name}`;
      if (!path.startsWith(prefix)) continue;
      const fd = runtime.openWriter(path);
      if (fd !== undefined) runtime.close(fd);
      runtime.remove(path);
    }
  } catch {
    // The directory has gone, or may no longer be written: nothing to be done.
  }
}

class PipeRecorder implements Recorder {
  readonly path: string;
  readonly #dir: string;
  readonly #control: RecorderControl;
  readonly #thread: Thread;
  readonly #forgetExit: () => void;
  #stopped: Promise<void> | undefined;

  constructor(dir: string, control: RecorderControl, thread: Thread) {
    this.path = pipePath(dir, runtime.pid);
    this.#dir = dir;
    this.#control = control;
    this.#thread = thread;
    this.#forgetExit = runtime.onExit(
      () => this.#release(),
      () => {
        this.#release();
        // If the event loop turns once more, somebody has caught the error.
        setTimeout(() => this.#resume());
      },
    );
  }

  #release(): void {
    this.#control.stop();
    runtime.endWait(this.#control.hold, this.path);
    removeFiles(this.#dir);
  }

  #resume(): void {
    if (this.#stopped !== undefined) return;
    this.#control.start();
    this.#thread.post("resume");
  }

  stop(): Promise<void> {
    return this.#stopped ??= this.#stop();
  }

  async #stop(): Promise<void> {
    started.forget();
    this.#forgetExit();
    this.#release();
    await this.#thread.terminate();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }
}

/** The recorder of another thread of this process, which only that can stop. */
function foreignRecorder(path: string): Recorder {
  const stop = () => Promise.resolve();
  return { path, stop, [Symbol.asyncDispose]: stop };
}

async function start(): Promise<Recorder> {
  const { pipeDir: dir, pipeMode: mode, annotations } = config;
  await prepare(dir);
  const path = pipePath(dir, runtime.pid);
  if (await isServed(path)) return foreignRecorder(path);
  // What is left is from an earlier process with the same id.
  removeFiles(dir);

  const control = new RecorderControl();
  control.start();
  ownSlab();
  const settings: RecorderSettings = {
    dir,
    mode,
    annotations,
    // A thread that ends another one can free none that the other has parked.
    mayPark: runtime.isMainThread,
    control: control.shared,
    slabs: [...threads().slabs.values()],
  };
  let thread!: Thread;
  const report = await new Promise<RecorderReport>((resolve) => {
    thread = runtime.startThread(
      source,
      settings,
      (message) => resolve(message as RecorderReport),
      (error) => resolve({ state: "failed", why: error.message }),
    );
  });
  if (report.state === "failed") {
    control.stop();
    removeFiles(dir);
    await thread.terminate();
    throw failure(
      report.code === "ENOENT"
        ? "there must be a program mkfifo; install it, with coreutils"
        : `pipes must be creatable in ${dir} (${report.why}); change its mode or ${ELSEWHERE}`,
    );
  }
  thread.unref();
  return new PipeRecorder(dir, control, thread);
}

/** The recorder of this thread, shared by all copies of statvent in it. */
const started = {
  key: Symbol.for("statvent.recorder"),
  home: globalThis as { [key: symbol]: Promise<Recorder> | undefined },
  get(): Promise<Recorder> {
    return this.home[this.key] ??= start().catch((error) => {
      this.forget();
      throw error;
    });
  },
  forget(): void {
    delete this.home[this.key];
  },
};

/**
 * Offers the stats of this process on the named pipe
 * `<config.pipeDir>/<process id>.stats`, from a thread of its own: also while
 * this thread is in an endless loop.
 *
 * Until a reader opens the pipe this costs no processor time. It never keeps
 * the program from ending. Deno needs `--allow-read` and `--allow-write` for the
 * directory and `--allow-run=mkfifo`.
 *
 * @example Start, and stop at the end of a block
 * ```ts
 * import { config, incr, startRecorder } from "@statvent/statvent";
 * import { assertEquals } from "@std/assert";
 *
 * config.pipeDir = await Deno.makeTempDir();
 * incr("requests");
 * {
 *   await using recorder = await startRecorder();
 *   assertEquals(
 *     await Deno.readTextFile(recorder.path),
 *     "requests: 1\n# EOF: 12\n",
 *   );
 * }
 * await Deno.remove(config.pipeDir);
 * ```
 *
 * @returns A promise that resolves when `cat` would work. Called again, it is
 * the same recorder.
 * @throws {Error} By the promise, if a permission, `mkfifo` or the directory is
 * missing. The message says what to do. The program's stats are not affected.
 */
export function startRecorder(): Promise<Recorder> {
  return started.get();
}
