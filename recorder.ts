/**
 * The deployer's side: offers the stats of this process on a named pipe.
 *
 * Touches the pipe directory and starts a thread.
 *
 * @module
 */

import {
  pidOfPrivate,
  pipePath,
  shortLivedPath,
  startLockPath,
} from "./directory/file_names.ts";
import { dangerOf, ELSEWHERE, userOf } from "./directory/trust.ts";
import { threads } from "./memory/threads.ts";
import { RecorderControl } from "./recorder/control.ts";
import { processStart } from "./memory/process_start.ts";
import { handOverAtEnd } from "./recorder/hand_over.ts";
import { keepSpare, useSpare } from "./recorder/spare_file.ts";
import type { RecorderReport, RecorderSettings } from "./recorder/worker.ts";
import { source } from "./recorder/worker_source.ts";
import { attempt } from "./runtime/attempt.ts";
import { runtime } from "./runtime/runtime.ts";
import type { Thread } from "./runtime/system.ts";
import { config } from "./stats/config.ts";
import { ownSlab } from "./stats/stats.ts";

/** A running recorder. */
export interface Recorder extends AsyncDisposable {
  /** The pipe, such as `/tmp/stats-pipe/1234.stats`. */
  readonly path: string;
  /** Removes the pipe and ends the thread. The stats stay as they are. */
  stop(): Promise<void>;
}

/** How long a pipe of this process is listened to, to learn whether a thread serves it, in milliseconds. */
const LISTEN_MS = 500;

/** The same for a writer that says nothing, which may be what a thread has left that has ended. */
const SILENCE_MS = 1_000;

/** How long the thread may take to close its files, in milliseconds. */
const STOP_MS = 500;

/** How long another thread may take to start the recorder, in milliseconds. */
const START_MS = 2_000;

/** How long the end may take because of what others have made, in milliseconds. */
const REMOVE_MS = 250;

/** How many files must be openable. The most that a runtime was seen to need is 14. */
const FILES = 20;

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
    runtime.makeDir(dir, config.pipeDirMode);
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
    const byte = new Uint8Array(1);
    const start = performance.now();
    for (let patience = LISTEN_MS; performance.now() - start < patience;) {
      const count = runtime.read(fd, byte);
      if (count) return true;
      if (count === undefined) patience = SILENCE_MS;
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    return false;
  } finally {
    runtime.close(fd);
  }
}

/**
 * Throws if hardly any more files may be open: Deno and Bun end the program if
 * there are none for a thread that starts.
 */
function checkRoom(dir: string): void {
  const files: number[] = [];
  try {
    while (files.length < FILES) files.push(runtime.openReader(dir));
  } catch (error) {
    throw failure(
      `${FILES} more files must be openable (${(error as Error).message}); ${
        cureOf((error as Error).message)
      }`,
      error,
    );
  } finally {
    for (const fd of files) runtime.close(fd);
  }
}

/**
 * Removes all pipes of this process, so that nobody waits at one of them: who
 * opens a pipe that has no other side waits for ever.
 *
 * @param user The user of this process, if that is known.
 * @param hold What the recorder holds of the pipe whose reader it waits for.
 * @returns Open files that keep all of them going, to be closed later.
 */
function removePipes(
  dir: string,
  user: number | undefined,
  hold: number,
): number[] {
  const until = performance.now() + REMOVE_MS;
  const lock = startLockPath(dir, runtime.pid);
  const files: (number | undefined)[] = [];
  // From here on nobody finds the pipe any more.
  attempt(() =>
    runtime.rename(
      pipePath(dir, runtime.pid),
      shortLivedPath(dir, runtime.pid),
    )
  );
  const names = attempt(() => runtime.list(dir)) ?? [];
  // First, since this is what keeps the program from ending where no thread can
  // be ended that waits, and there may be room for one open file only. The pipe
  // may have lost its names before.
  if (hold > 0) {
    files.push(attempt(() => runtime.openBoth(`/proc/self/fd/${hold}`)));
  }
  for (const name of names) {
    const path = `${dir}/${name}`;
    if (pidOfPrivate(name) !== runtime.pid || path === lock) continue;
    // Others may have made very many.
    if (performance.now() > until) break;
    const file = attempt(() => runtime.identify(path));
    // Nothing that another user has put there is opened, nor what a link leads to.
    if (user !== undefined && file?.owner !== user) continue;
    if (file?.isFifo) files.push(attempt(() => runtime.openBoth(path)));
    attempt(() => runtime.remove(path));
  }
  return files.filter((fd) => fd !== undefined);
}

class PipeRecorder implements Recorder {
  readonly path: string;
  readonly #dir: string;
  readonly #user: number | undefined;
  readonly #control: RecorderControl;
  readonly #thread: Thread;
  /** Resolves when the thread has nothing open any more. */
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
        // If the event loop turns once more, somebody has caught the error.
        setTimeout(() => this.#resume());
      },
    );
  }

  /** Leaves no pipe behind. */
  #release(): void {
    this.#control.stop();
    useSpare();
    this.#files.push(...removePipes(this.#dir, this.#user, this.#control.hold));
  }

  #closeFiles(): void {
    for (const fd of this.#files.splice(0)) runtime.close(fd);
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
    started.forget();
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

/** The recorder of another thread of this process, which only that can stop. */
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
  const { pipeDir: dir } = config;
  await prepare(dir);
  const path = pipePath(dir, runtime.pid);
  const lock = startLockPath(dir, runtime.pid);
  // One thread at a time. A lock that stays is that of an earlier process with
  // the same id, which has died in the meantime.
  const deadline = performance.now() + START_MS;
  try {
    while (!runtime.createNew(lock) && performance.now() < deadline) {
      await new Promise((resolve) => setTimeout(resolve, 10));
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

function notCreatable(dir: string, why: string): Error {
  return failure(
    `pipes must be creatable in ${dir} (${why}); ${cureOf(why)}`,
  );
}

/** What to do, by what the system or `mkfifo` says. */
function cureOf(why: string): string {
  if (/too many open files|EMFILE|ENFILE/i.test(why)) {
    return "let more be open (ulimit -n, fs.file-max)";
  }
  if (/no space left|quota/i.test(why)) return `make room or ${ELSEWHERE}`;
  if (/read-only/i.test(why)) return `make it writable or ${ELSEWHERE}`;
  // `mkfifo -m` cannot do without it on many systems.
  return attempt(() => runtime.identify("/proc/self") === undefined)
    ? "mount /proc"
    : `change its mode or ${ELSEWHERE}`;
}

async function startThread(
  dir: string,
  user: number | undefined,
): Promise<Recorder> {
  const { pipeMode: mode, pipeDirMode: dirMode, annotations } = config;
  const closeAll = (files: number[]) => files.forEach(runtime.close);
  // What is left is from an earlier process with the same id.
  closeAll(removePipes(dir, user, 0));
  checkRoom(dir);
  if (runtime.isMainThread) keepSpare(dir);
  const control = new RecorderControl();
  control.start();
  ownSlab();
  // A thread that ends leaves its values to the others.
  const handNothingOver = runtime.isMainThread && annotations
    ? handOverAtEnd({ dir, mode, user })
    : () => {};
  const settings: RecorderSettings = {
    dir,
    user,
    mode,
    dirMode,
    annotations,
    // A thread that ends another one can free none that the other has parked.
    mayPark: runtime.isMainThread,
    process: {
      start: processStart(),
      name: config.processName,
      runtime: runtime.name,
    },
    control: control.shared,
    slabs: [...threads().slabs.values()],
  };
  const giveUp = () => {
    control.stop();
    useSpare();
    closeAll(removePipes(dir, user, control.hold));
  };
  const forgetExit = runtime.onExit(giveUp, () => {});
  let thread: Thread | undefined;
  let done!: () => void;
  const isDone = new Promise<void>((resolve) => done = resolve);
  try {
    const report = await new Promise<RecorderReport>((resolve, reject) => {
      thread = runtime.startThread(source, settings, (message) => {
        const report = message as RecorderReport;
        if (report.state === "done") done();
        else resolve(report);
      }, reject);
    }).catch((error: Error) => {
      throw failure(
        `its thread must start (${error.message}); let more run (ulimit -u), or give it memory`,
        error,
      );
    });
    if (report.state === "failed") {
      throw report.code === "ENOENT"
        ? failure("there must be a program mkfifo; install it, with coreutils")
        : notCreatable(dir, report.why);
    }
  } catch (error) {
    giveUp();
    handNothingOver();
    await thread?.terminate();
    throw error;
  } finally {
    forgetExit();
  }
  thread!.unref();
  return new PipeRecorder(dir, user, control, thread!, isDone);
}

/** The recorder of this thread, shared by all copies of statvent in it. */
const started = {
  key: Symbol.for("statvent.recorder"),
  home: globalThis as { [key: symbol]: Promise<Recorder> | undefined },
  get(): Promise<Recorder> {
    return this.home[this.key] ??= start().then((recorder) => {
      // The other thread may end before this one, which then starts its own.
      if (recorder instanceof ForeignRecorder) this.forget();
      return recorder;
    }, (error: Error) => {
      this.forget();
      // What the system says, where it lacks files, threads or memory.
      throw error.message.startsWith("Cannot ")
        ? error
        : failure(`${error.message}; ${cureOf(error.message)}`, error);
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
 *   const text = await Deno.readTextFile(recorder.path);
 *   assertEquals(text.split("\n")[0], "requests: 1");
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
