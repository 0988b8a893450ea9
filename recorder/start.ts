/**
 * Starts the recorder's thread, one in a process.
 *
 * Touches the pipe directory, starts a thread.
 *
 * @module
 */

import {
  parseOwnName,
  shortLivedPath,
  startLockPath,
} from "../directory/file_names.ts";
import { instance } from "../directory/instance.ts";
import { isAlive } from "../directory/sign_of_life.ts";
import { dangerOf, userOf } from "../directory/trust.ts";
import { identity } from "../memory/identity.ts";
import { threads } from "../memory/threads.ts";
import { RecorderControl } from "./control.ts";
import { actAtEnd, actAtSignals } from "./program_end.ts";
import { closeAll, type OwnFiles, removePipes } from "./own_files.ts";
import { type Target, writeCheckpoint } from "./own_last_values.ts";
import {
  checkRoom,
  explain,
  failure,
  notCreatable,
  prepare,
} from "./prepare.ts";
import { keepSpare, useSpare } from "./spare_file.ts";
import type { RecorderReport, RecorderSettings } from "./worker.ts";
import { source } from "./worker_source.ts";
import { attempt } from "../runtime/attempt.ts";
import { sleep } from "../runtime/pause.ts";
import { runtime } from "../runtime/runtime.ts";
import {
  endingIndexes,
  notTooEarly,
  threadsGetSignals,
  watchListeners,
} from "../runtime/signals.ts";
import type { Thread } from "../runtime/system.ts";
import { warnOnce } from "../runtime/warn.ts";
import { ForeignRecorder, PipeRecorder } from "./pipe_recorder.ts";
import type { Recorder } from "./recorder.ts";

/** What to start. */
export interface StartOptions {
  /** The pipe directory. */
  readonly dir: string;
  /** The mode of the directory. */
  readonly dirMode: number;
  /** The mode of the pipes. */
  readonly mode: number;
  /** Whether to send annotations. */
  readonly annotations: boolean;
  /** What this program is called. */
  readonly name: string;
  /** Whether the thread writes checkpoints. */
  readonly checkpoint: boolean;
  /** Whether the main thread hands over at signals where threads get none. */
  readonly signals: boolean;
}

/** How long another thread may take to start the recorder, in milliseconds. */
const START_MS = 2_000;

/** How long the recorder's thread of this process has to answer, in milliseconds. */
const ANSWER_MS = 300;

/**
 * Starts the recorder of this process, unless another thread serves its pipe.
 *
 * @param forget Called when the recorder is stopped.
 * @throws {Error} If it cannot be started. The message says how to fix it.
 */
export async function start(
  options: StartOptions,
  forget: () => void,
): Promise<Recorder> {
  try {
    await prepare(options.dir, options.dirMode);
    return await startOnce(options, forget);
  } catch (error) {
    throw explain(error as Error);
  }
}

/** Starts the recorder, unless another thread serves the pipe. Threads wait for each other. */
async function startOnce(
  options: StartOptions,
  forget: () => void,
): Promise<Recorder> {
  const { dir } = options;
  const lock = startLockPath(dir, runtime.pid);
  const deadline = performance.now() + START_MS;
  try {
    while (!runtime.createNew(lock) && performance.now() < deadline) {
      if (isStale(lock)) attempt(() => runtime.remove(lock));
      else await sleep(10);
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
      ? await startThread(user, options, forget)
      : new ForeignRecorder(other);
  } finally {
    forgetExit();
    unlock();
  }
}

/** Whether a lock is so old that it is that of an earlier process with the same id, which has died. */
function isStale(lock: string): boolean {
  const modified = attempt(() => runtime.identify(lock)?.modified);
  return modified !== undefined && Date.now() - modified > START_MS;
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
  user: number | undefined,
  options: StartOptions,
  forget: () => void,
): Promise<Recorder> {
  const { dir } = options;
  checkRoom(dir);
  if (runtime.isMainThread) keepSpare(dir);
  const control = new RecorderControl();
  control.start();
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
  const target = { dir, mode: options.mode, user, identity: identity() };
  const keeps = options.annotations && options.checkpoint;
  const presence = { base: own.base, id: own.id };
  const keep = () => {
    if (keeps) writeCheckpoint(target, presence);
  };
  const recorder = new PipeRecorder(own, thread!, isDone, forget, keep);
  failed = ({ message }) => {
    warnOnce(
      `the recorder's thread failed (${message}), so the stats of this process can no longer be read`,
    );
    recorder.stop();
  };
  void listenLater(control, thread!);
  if (runtime.isMainThread) endWell(target, own, recorder, options);
  return recorder;
}

const readText = (path: string) => runtime.self.readText(path);

/** Ends the watch on the signals to which the program listens, if there is one. */
let stopWatching: (() => void) | undefined;

/** The indexes of the signals that end this process, once that is known. */
let signals: readonly number[] | undefined;

/** Lets the main thread hand over when the program ends. */
function endWell(
  target: Target,
  own: OwnFiles,
  recorder: PipeRecorder,
  options: StartOptions,
): void {
  // Only the main thread hands over: a thread that ends leaves its values to
  // the other threads.
  actAtEnd(target, own, recorder, options.annotations);
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
  if (notTooEarly(readText) !== undefined) return [];
  signals ??= await endingIndexes(readText);
  stopWatching?.();
  stopWatching = watchListeners(
    signals,
    (index, listens) => control.setListening(index, listens),
  );
  return stopWatching === undefined ? [] : signals;
}

/** Lets the recorder's thread listen to signals, where it was too early when it started. */
async function listenLater(
  control: RecorderControl,
  thread: Thread,
): Promise<void> {
  const time = runtime.isMainThread ? notTooEarly(readText) : undefined;
  if (time === undefined) return;
  await time;
  thread.post({ listen: await watchSignals(control) });
}

function settingsOf(
  own: OwnFiles,
  options: StartOptions,
  signals: readonly number[],
): RecorderSettings {
  const { dir, user, batch, control } = own;
  const { mode, dirMode, annotations, checkpoint, name } = options;
  return {
    dir,
    user,
    mode,
    dirMode,
    annotations,
    // A parked thread can be freed by the main thread only.
    mayPark: runtime.isMainThread,
    checkpoint,
    signals,
    identity: identity(),
    name,
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
