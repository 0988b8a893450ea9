/**
 * The door of the recorder: offers the stats of this process on a named pipe.
 *
 * Touches the pipe directory, starts a thread.
 *
 * @module
 */

import {
  alivePath,
  parseOwnName,
  pipePath,
  shortLivedPath,
  startLockPath,
} from "./directory/file_names.ts";
import { instance } from "./directory/instance.ts";
import { isAlive } from "./directory/sign_of_life.ts";
import { dangerOf, userOf } from "./directory/trust.ts";
import { identity } from "./memory/identity.ts";
import { threads } from "./memory/threads.ts";
import { show } from "./model/show.ts";
import { RecorderControl } from "./recorder/control.ts";
import { actAtEnd, actAtSignals, setServed } from "./recorder/last_act.ts";
import { closeAll, type OwnFiles, removePipes } from "./recorder/own_files.ts";
import {
  checkRoom,
  explain,
  failure,
  notCreatable,
  prepare,
} from "./recorder/prepare.ts";
import { keepSpare, useSpare } from "./recorder/spare_file.ts";
import type { RecorderReport, RecorderSettings } from "./recorder/worker.ts";
import { source } from "./recorder/worker_source.ts";
import { attempt } from "./runtime/attempt.ts";
import { sleep } from "./runtime/pause.ts";
import { runtime } from "./runtime/runtime.ts";
import {
  endingIndexes,
  threadsGetSignals,
  watchListeners,
} from "./runtime/signals.ts";
import type { Thread } from "./runtime/system.ts";
import { warnOnce } from "./runtime/warn.ts";
import { LAYOUT } from "./slab/layout.ts";
import { config } from "./stats/config.ts";
import { ownSlab } from "./stats/stats.ts";

/** How the recorder works. */
export interface RecorderOptions {
  /**
   * Whether the recorder's thread wakes up once a second, writes a checkpoint if
   * something has changed, and looks after the pipe. By default `true`. Without
   * that, a recorder that nobody reads uses no processor time, a process that is
   * killed loses what it has counted since the last read, and a pipe that
   * somebody deletes stays away until the next start.
   */
  readonly checkpoint?: boolean;
  /**
   * Whether to hand over at SIGTERM, SIGINT and SIGHUP on Node and Bun, where the
   * program does not listen to them itself. By default `false`: a program whose
   * main thread hangs would no longer be ended by them. Deno does that always,
   * from the recorder's thread, so that a program that hangs ends.
   */
  readonly signals?: boolean;
}

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

/** How long the recorder's thread of this process has to answer, in milliseconds. */
const ANSWER_MS = 300;

class PipeRecorder implements Recorder {
  readonly path: string;
  readonly #own: OwnFiles;
  readonly #thread: Thread;
  /** Resolves when the thread has closed all its files. */
  readonly #done: Promise<void>;
  readonly #forgetExit: () => void;
  #files: number[] = [];
  #stopped: Promise<void> | undefined;

  constructor(own: OwnFiles, thread: Thread, done: Promise<void>) {
    this.path = pipePath(own.dir, own.base!);
    this.#own = own;
    this.#thread = thread;
    this.#done = done;
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
    forget();
    this.#forgetExit();
    this.release();
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

/** The options, with the defaults of those that were left out. */
function complete(options: RecorderOptions): Required<RecorderOptions> {
  for (const [key, value] of Object.entries(options)) {
    if (key !== "checkpoint" && key !== "signals") {
      throw new TypeError(
        `Cannot start the recorder: an option must be "checkpoint" or "signals", got ${
          show(key)
        }`,
      );
    }
    if (value !== undefined && typeof value !== "boolean") {
      throw new TypeError(
        `Cannot start the recorder: ${key} must be a boolean, got ${
          show(value)
        }`,
      );
    }
  }
  const { checkpoint = true, signals = false } = options;
  return { checkpoint, signals };
}

async function start(options: Required<RecorderOptions>): Promise<Recorder> {
  const { pipeDir, pipeDirMode } = config;
  try {
    await prepare(pipeDir, pipeDirMode);
    return await startOnce(pipeDir, options);
  } catch (error) {
    throw explain(error as Error);
  }
}

/** Starts the recorder, unless another thread serves the pipe. Threads wait for each other. */
async function startOnce(
  dir: string,
  options: Required<RecorderOptions>,
): Promise<Recorder> {
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
    const other = await findOther(dir);
    return other === undefined
      ? await startThread(dir, user, options)
      : new ForeignRecorder(other);
  } finally {
    forgetExit();
    unlock();
  }
}

/** The pipe that another thread of this process serves in the directory. */
async function findOther(dir: string): Promise<string | undefined> {
  // Without the sign of life of a process with this process id there is none.
  const mayServe = runtime.list(dir).some((name) => {
    const own = parseOwnName(name);
    return own?.pid === runtime.pid && own.rest === "alive" &&
      isAlive(`${dir}/${name}`) === true;
  });
  if (!mayServe) return undefined;
  // The sign may be that of a process in another container: then nobody answers.
  const path = (await threads().findRecorder(ANSWER_MS))?.path;
  return path?.startsWith(`${dir}/`) ? path : undefined;
}

async function startThread(
  dir: string,
  user: number | undefined,
  options: Required<RecorderOptions>,
): Promise<Recorder> {
  checkRoom(dir);
  if (runtime.isMainThread) keepSpare(dir);
  const control = new RecorderControl();
  control.start();
  ownSlab();
  const own: OwnFiles = {
    dir,
    user,
    id: identity().id,
    batch: crypto.randomUUID().slice(0, 8),
    control,
    base: undefined,
  };
  const settings = settingsOf(own, options, await watchSignals(control));
  const giveUp = () => {
    control.stop();
    useSpare();
    closeAll(removePipes(own));
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
    own.base = baseIn(report, dir);
  } catch (error) {
    giveUp();
    await thread?.terminate();
    throw error;
  } finally {
    forgetExit();
  }
  thread!.unref();
  const recorder = new PipeRecorder(own, thread!, isDone);
  failed = ({ message }) => {
    warnOnce(
      `the recorder's thread failed (${message}), so the stats of this process can no longer be read`,
    );
    recorder.stop();
  };
  if (runtime.isMainThread) endWell(own, recorder, options);
  return recorder;
}

/** Ends the watch on the signals to which the program listens, if there is one. */
let stopWatching: (() => void) | undefined;

/** The indexes of the signals that end this process, once that is known. */
let signals: readonly number[] | undefined;

/** The sign of life, which the main thread keeps open until the process dies, also without a recorder. */
let sign: number | undefined;

/** Lets the main thread hand over when the program ends. */
function endWell(
  own: OwnFiles,
  recorder: PipeRecorder,
  options: Required<RecorderOptions>,
): void {
  const { dir, user, id } = own;
  const base = own.base!;
  const before = sign;
  sign = attempt(() => runtime.openBoth(alivePath(dir, base, id)));
  if (before !== undefined) runtime.close(before);
  // Only the main thread hands over: a thread that ends leaves its values to
  // the other threads.
  const mode = config.pipeMode;
  const target = { dir, mode, user, identity: identity() };
  actAtEnd(target, own, recorder, config.annotations);
  if (options.signals && !threadsGetSignals) void actAtSignals();
}

/**
 * Lets the recorder's thread know to which signals the program listens.
 *
 * @returns The indexes of those to which the thread may listen.
 */
async function watchSignals(
  control: RecorderControl,
): Promise<readonly number[]> {
  // In another thread it is not known to what the main thread listens.
  if (!threadsGetSignals || !runtime.isMainThread) return [];
  signals ??= await endingIndexes((path) => runtime.self.readText(path));
  stopWatching?.();
  stopWatching = watchListeners(
    signals,
    (index, listens) => control.setListening(index, listens),
  );
  return stopWatching === undefined ? [] : signals;
}

function settingsOf(
  own: OwnFiles,
  options: Required<RecorderOptions>,
  signals: readonly number[],
): RecorderSettings {
  const { dir, user, batch, control } = own;
  return {
    dir,
    user,
    mode: config.pipeMode,
    dirMode: config.pipeDirMode,
    annotations: config.annotations,
    // A parked thread can be freed by the main thread only.
    mayPark: runtime.isMainThread,
    checkpoint: options.checkpoint,
    signals,
    identity: identity(),
    name: config.processName,
    instance: instance(),
    batch,
    control: control.shared,
    slabs: threads().known(),
  };
}

/** The base that the recorder's thread has chosen. */
function baseIn(report: RecorderReport, dir: string): string {
  if (report.state === "ready") return report.base;
  const { why, code } = report as { why: string; code?: string };
  throw code === "ENOENT"
    ? failure("there must be a program mkfifo; install it, with coreutils")
    : notCreatable(dir, why);
}

// A thread has one recorder. All copies of statvent in the thread with this layout
// of slabs find it under this property of `globalThis`; others cannot serve each
// other's stats.
const KEY = Symbol.for(`statvent.recorder.${LAYOUT}`);
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
 * Until a reader opens the pipe, its thread wakes up once a second to write a
 * checkpoint, so that little is lost if the process is killed. It never keeps the
 * program from ending. Deno needs `--allow-read` and `--allow-write` for the
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
 * @param options How the recorder works. Only those of the first call in a thread count.
 * @returns A promise that resolves when the pipe can be read. Further calls in a
 * thread give the same recorder.
 * @throws {Error} By the promise, if a permission or `mkfifo` is missing, or the
 * directory is unusable. The message says how to fix it. The program's stats are
 * not affected.
 */
export function startRecorder(
  options: RecorderOptions = {},
): Promise<Recorder> {
  let all;
  try {
    all = complete(options);
  } catch (error) {
    return Promise.reject(error);
  }
  return home[KEY] ??= start(all).then((recorder) => {
    // The other thread may end before this one, which then starts its own.
    if (recorder instanceof ForeignRecorder) forget();
    return recorder;
  }, (error) => {
    forget();
    throw error;
  });
}
