/**
 * The door of the recorder: offers the stats of this process on a named pipe.
 *
 * Touches the pipe directory, starts a thread.
 *
 * @module
 */

import {
  pipePath,
  shortLivedPath,
  startLockPath,
} from "./directory/file_names.ts";
import { dangerOf, userOf } from "./directory/trust.ts";
import { processStart } from "./memory/process_start.ts";
import { threads } from "./memory/threads.ts";
import { RecorderControl } from "./recorder/control.ts";
import { handOverAtEnd } from "./recorder/hand_over.ts";
import { closeAll, removePipes } from "./recorder/leftovers.ts";
import {
  checkRoom,
  explain,
  failure,
  isServed,
  notCreatable,
  prepare,
} from "./recorder/prepare.ts";
import { keepSpare, useSpare } from "./recorder/spare_file.ts";
import type { RecorderReport, RecorderSettings } from "./recorder/worker.ts";
import { source } from "./recorder/worker_source.ts";
import { attempt } from "./runtime/attempt.ts";
import { sleep } from "./runtime/pause.ts";
import { runtime } from "./runtime/runtime.ts";
import type { Thread } from "./runtime/system.ts";
import { warnOnce } from "./runtime/warn.ts";
import { config } from "./stats/config.ts";
import { ownSlab } from "./stats/stats.ts";

/** A running recorder. */
export interface Recorder extends AsyncDisposable {
  /** The pipe, such as `/tmp/stats-pipe/1234.stats`. */
  readonly path: string;
  /** Removes the pipe and ends the thread. The stats stay as they are. */
  stop(): Promise<void>;
}

/** How long the thread may take to close its files, in milliseconds. */
const STOP_MS = 500;

/** How long another thread may take to start the recorder, in milliseconds. */
const START_MS = 2_000;

class PipeRecorder implements Recorder {
  readonly path: string;
  readonly #dir: string;
  readonly #user: number | undefined;
  readonly #control: RecorderControl;
  readonly #thread: Thread;
  /** Resolves when the thread has closed all its files. */
  readonly #done: Promise<void>;
  readonly #forgetExit: () => void;
  #files: number[] = [];
  #stopped: Promise<void> | undefined;

  constructor(
    dir: string,
    user: number | undefined,
    control: RecorderControl,
    thread: Thread,
    done: Promise<void>,
  ) {
    this.path = pipePath(dir, runtime.pid);
    this.#dir = dir;
    this.#user = user;
    this.#control = control;
    this.#thread = thread;
    this.#done = done;
    this.#forgetExit = runtime.onExit(
      () => this.#release(),
      () => {
        this.#release();
        // If the event loop runs again, the program has caught the error.
        setTimeout(() => this.#resume());
      },
    );
  }

  /** Stops the thread from creating files, then removes all pipes. */
  #release(): void {
    this.#control.stop();
    useSpare();
    this.#files.push(...removePipes(this.#dir, this.#user, this.#control.hold));
  }

  #closeFiles(): void {
    closeAll(this.#files.splice(0));
  }

  #resume(): void {
    if (this.#stopped !== undefined) return;
    this.#closeFiles();
    keepSpare(this.#dir);
    this.#control.start();
    this.#thread.post("resume");
  }

  stop(): Promise<void> {
    return this.#stopped ??= this.#stop();
  }

  async #stop(): Promise<void> {
    forget();
    this.#forgetExit();
    this.#release();
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
class ForeignRecorder implements Recorder {
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

async function start(): Promise<Recorder> {
  const { pipeDir, pipeDirMode } = config;
  try {
    await prepare(pipeDir, pipeDirMode);
    return await startOnce(pipeDir);
  } catch (error) {
    throw explain(error as Error);
  }
}

/** Starts the recorder, unless another thread serves the pipe. Threads wait for each other. */
async function startOnce(dir: string): Promise<Recorder> {
  const path = pipePath(dir, runtime.pid);
  const lock = startLockPath(dir, runtime.pid);
  // A lock that stays for longer is that of an earlier process with the same
  // id, which has died.
  const deadline = performance.now() + START_MS;
  try {
    while (!runtime.createNew(lock) && performance.now() < deadline) {
      await sleep(10);
    }
  } catch (error) {
    throw notCreatable(dir, (error as Error).message);
  }
  const unlock = () => attempt(() => runtime.remove(lock));
  const user = attempt(() => userOf(shortLivedPath(dir, runtime.pid)));
  const danger = dangerOf(dir, user);
  if (danger !== undefined) {
    unlock();
    throw failure(danger);
  }
  const forgetExit = runtime.onExit(unlock, () => {});
  try {
    return await isServed(path)
      ? new ForeignRecorder(path)
      : await startThread(dir, user);
  } finally {
    forgetExit();
    unlock();
  }
}

async function startThread(
  dir: string,
  user: number | undefined,
): Promise<Recorder> {
  // These pipes are of an earlier process with the same id.
  closeAll(removePipes(dir, user, 0));
  checkRoom(dir);
  if (runtime.isMainThread) keepSpare(dir);
  const control = new RecorderControl();
  control.start();
  ownSlab();
  // Only the main thread hands over: a thread that ends leaves its values to
  // the other threads.
  const handNothingOver = runtime.isMainThread && config.annotations
    ? handOverAtEnd({ dir, mode: config.pipeMode, user })
    : () => {};
  const settings = settingsOf(dir, user, control);
  const giveUp = () => {
    control.stop();
    useSpare();
    closeAll(removePipes(dir, user, control.hold));
  };
  const forgetExit = runtime.onExit(giveUp, () => {});
  let thread: Thread | undefined;
  // Once the recorder runs, an error of its thread ends it.
  let failed: (error: Error) => void = () => {};
  let done!: () => void;
  const isDone = new Promise<void>((resolve) => done = resolve);
  try {
    const report = await new Promise<RecorderReport>((resolve, reject) => {
      thread = runtime.startThread(source, settings, (message) => {
        const report = message as RecorderReport;
        if (report.state === "done") done();
        else resolve(report);
      }, (error) => {
        reject(error);
        failed(error);
      });
    }).catch((error: Error) => {
      throw failure(
        `its thread must start (${error.message}); let more run (ulimit -u), or give it memory`,
        error,
      );
    });
    checkReport(report, dir);
  } catch (error) {
    giveUp();
    handNothingOver();
    await thread?.terminate();
    throw error;
  } finally {
    forgetExit();
  }
  thread!.unref();
  const recorder = new PipeRecorder(dir, user, control, thread!, isDone);
  failed = ({ message }) => {
    warnOnce(
      `the recorder's thread failed (${message}), so the stats of this process can no longer be read`,
    );
    recorder.stop();
  };
  return recorder;
}

function settingsOf(
  dir: string,
  user: number | undefined,
  control: RecorderControl,
): RecorderSettings {
  return {
    dir,
    user,
    mode: config.pipeMode,
    dirMode: config.pipeDirMode,
    annotations: config.annotations,
    // A parked thread can be freed by the main thread only.
    mayPark: runtime.isMainThread,
    process: {
      start: processStart(),
      name: config.processName,
      runtime: runtime.name,
    },
    control: control.shared,
    slabs: [...threads().slabs.values()],
  };
}

function checkReport(report: RecorderReport, dir: string): void {
  if (report.state !== "failed") return;
  throw report.code === "ENOENT"
    ? failure("there must be a program mkfifo; install it, with coreutils")
    : notCreatable(dir, report.why);
}

// A thread has one recorder. All copies of statvent in the thread find it under
// this property of `globalThis`.
const KEY = Symbol.for("statvent.recorder");
const home = globalThis as { [key: symbol]: Promise<Recorder> | undefined };

/** Lets the next call of {@linkcode startRecorder} start a recorder of its own. */
function forget(): void {
  delete home[KEY];
}

/**
 * Offers the stats of this process on the named pipe
 * `<config.pipeDir>/<process id>.stats`, from a thread of its own, so that they
 * can be read even while this thread is in an endless loop.
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
 *   const text = await Deno.readTextFile(recorder.path);
 *   assertEquals(text.split("\n")[0], "requests: 1");
 * }
 * await Deno.remove(config.pipeDir);
 * ```
 *
 * @returns A promise that resolves when the pipe can be read. Further calls in a
 * thread give the same recorder.
 * @throws {Error} By the promise, if a permission or `mkfifo` is missing, or the
 * directory is unusable. The message says how to fix it. The program's stats are
 * not affected.
 */
export function startRecorder(): Promise<Recorder> {
  return home[KEY] ??= start().then((recorder) => {
    // The other thread may end before this one, which then starts its own.
    if (recorder instanceof ForeignRecorder) forget();
    return recorder;
  }, (error) => {
    forget();
    throw error;
  });
}
