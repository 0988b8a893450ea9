/**
 * The recorder's thread.
 *
 * It runs from the text in `worker_source.ts`, which `deno task build` makes anew
 * when this module or one that it imports has changed.
 *
 * @module
 */

import { hasTooMany } from "../ended/last_values.ts";
import { takeIn } from "../ended/ledger_writer.ts";
import { SnapshotWriter } from "../format/snapshot_writer.ts";
import { nextSeq } from "../memory/identity.ts";
import { threads } from "../memory/threads.ts";
import type { Identity, ProcessInfo } from "../model/identity.ts";
import { CheckpointWriter } from "./checkpoint_writer.ts";
import { RecorderControl } from "./control.ts";
import { handOver } from "./own_last_values.ts";
import { Heartbeat } from "./heartbeat.ts";
import { closeAll, removePipes } from "./own_files.ts";
import { PipeServer } from "./pipe_server.ts";
import { Presence } from "./presence.ts";
import { sweep } from "./sweep.ts";
import { attempt } from "../runtime/attempt.ts";
import { nap } from "../runtime/pause.ts";
import { runtime } from "../runtime/runtime.ts";
import { ENDING_SIGNALS, onSignal, raise } from "../runtime/signals.ts";
import { warnOnce } from "../runtime/warn.ts";
import type { Slab } from "../slab/layout.ts";
import { ProcessStats } from "../slab/process_stats.ts";

/** What the thread is started with. */
export interface RecorderSettings {
  /** The pipe directory. */
  readonly dir: string;
  /** The user of this process, if that is known. */
  readonly user: number | undefined;
  /** The mode of the pipes. */
  readonly mode: number;
  /** The mode of the directory. */
  readonly dirMode: number;
  /** Whether to send annotations. */
  readonly annotations: boolean;
  /** Whether a thread may be parked while the pipe has no reader. */
  readonly mayPark: boolean;
  /** Whether to wake up once a second, to keep checkpoints and to look after the pipe. */
  readonly checkpoint: boolean;
  /** The indexes of the signals at which to hand over, unless the program listens to them. */
  readonly signals: readonly number[];
  /** What the process is. */
  readonly identity: Identity;
  /** The name of the program. */
  readonly name: string | undefined;
  /** What the environment wants in the name of the pipe. */
  readonly instance: string | undefined;
  /** What the paths of the pipes have in common. */
  readonly batch: string;
  /** The shared side of the {@linkcode RecorderControl}. */
  readonly control: Int32Array<SharedArrayBuffer>;
  /** The slabs that the starting thread knows. */
  readonly slabs: readonly Slab[];
}

/** What the thread is told: to serve again, or to which signals to listen as well. */
export type RecorderOrder = "resume" | { listen: readonly number[] };

/**
 * What the thread reports: that the pipe can be read, why it never can be, or
 * that the thread was stopped and has closed its files.
 */
export type RecorderReport =
  | { state: "ready"; base: string }
  | { state: "done" }
  | { state: "failed"; why: string; code?: string };

/** How often the thread wakes up, in milliseconds. */
const TICK_MS = 1_000;

/** How often the thread looks after ended processes, in milliseconds. */
const OTHERS_MS = 60_000;

/** How long the thread takes in what other processes have left, in milliseconds. */
const TAKE_IN_MS = 500;

/** How long this process may take to die of a signal, in milliseconds. */
const DYING_MS = 300;

// Most errors in this thread only mean "not yet", so their stacks are a waste.
Error.stackTraceLimit = 0;

const parent = runtime.joinParent(obey);
const settings = parent.data as RecorderSettings;
const { dir, mode, user, identity, annotations, batch } = settings;
const control = new RecorderControl(settings.control);
const heartbeat = new Heartbeat(control);
const process: ProcessInfo = {
  id: identity.id,
  start: identity.start,
  name: settings.name,
  runtime: runtime.name,
  stalled: 0,
};
const stats = new ProcessStats(nap);
stats.process = process;
const writer = new SnapshotWriter();
const meeting = threads();
meeting.identity = identity;
meeting.learn(settings.slabs);
meeting.ask();

const presence = new Presence({
  dir,
  id: identity.id,
  instance: settings.instance,
});

const server = new PipeServer({
  dir,
  user,
  mode,
  dirMode: settings.dirMode,
  mayPark: settings.mayPark,
  presence,
  batch,
  control,
  snapshot: () => {
    process.stalled = heartbeat.stalled();
    stats.refresh(meeting.known());
    return writer.write(stats, annotations, { seq: nextSeq(identity) });
  },
});

const checkpoint = new CheckpointWriter({
  dir,
  mode,
  user,
  presence,
  stamp: () => {
    stats.refresh(meeting.known());
    return stats.stamp();
  },
  snapshot: () => {
    stats.refresh(meeting.known());
    const seq = nextSeq(identity);
    const options = { windows: false, seq };
    return { seq, bytes: writer.write(stats, true, options) };
  },
});

/** Writes a checkpoint. Where that is not possible, such as on a full disk, the next one may be. */
function keep(write: () => void): void {
  if (annotations) attempt(() => control.whileRunning(write));
}

/** Says once that this process has given up the rights it had when it started the recorder. */
function checkUser(): void {
  const now = runtime.user();
  if (now === undefined || user === undefined || now === user) return;
  warnOnce(
    `this process became user ${now} after user ${user} had started the recorder, so its stats may no longer be readable; call startRecorder() after that`,
  );
}

function tick(): void {
  if (!control.running) return;
  server.look();
  checkUser();
  keep(() => checkpoint.tick());
}

/** Cleans up after ended processes of this user, and takes in what they have left. */
async function serveOthers(): Promise<void> {
  if (user === undefined) return;
  const isOver = () => !control.running;
  try {
    const sweeping = control.whileRunning(() => sweep({ dir, user, isOver }));
    // Heard below. It may fail while the others are still being taken in.
    sweeping.catch(() => {});
    // The end of the process waits for both, so that it leaves no file that is
    // incomplete.
    control.whileRunning(() => {
      const until = performance.now() + TAKE_IN_MS;
      takeIn(dir, user, until, { isOver, mayWait: true });
      // What is left cannot be taken in now.
      control.isFull = hasTooMany(dir, runtime.list(dir), user);
    });
    await sweeping;
  } catch {
    // The directory has gone, or is full. The next recorder tries again.
  }
}

/** Hands over, and lets the signal end the process as if nobody had listened. */
function endBy(index: number, stopListening: () => void): void {
  // Readers count by it as long as the process lives.
  keep(() => checkpoint.write());
  if (control.isListening(index)) return;
  control.halt();
  const { base, id } = presence;
  const files = removePipes({ dir, user, id, base, batch, control });
  // A listener in another thread, or one that was added by a reference to
  // Deno's own function, is not known here: the process may live. As late as can
  // be, since its other threads count until it dies.
  const path = annotations
    ? handOver({ dir, mode, user, identity }, false, control.isFull).path
    : undefined;
  stopListening();
  raise(ENDING_SIGNALS[index]);
  setTimeout(() => {
    control.resume();
    // Before the last values go, since the process may only be slow to die.
    keep(() => checkpoint.write());
    if (path !== undefined) attempt(() => runtime.remove(path));
    closeAll(files);
    serve();
  }, DYING_MS);
}

function listenTo(index: number): void {
  const stop = onSignal(ENDING_SIGNALS[index], () => endBy(index, stop));
}

let isServing = false;
let hasBegun = false;

/** Begins what the thread does beside serving. */
function begin(): void {
  meeting.serving = { path: presence.pipe };
  // Before the report: a program that knows it is served must lose nothing.
  if (!hasBegun) {
    settings.signals.forEach(listenTo);
    if (settings.checkpoint) keep(() => checkpoint.tick());
  }
  report({ state: "ready", base: presence.base });
  if (hasBegun) return;
  hasBegun = true;
  if (settings.checkpoint) setInterval(tick, TICK_MS);
  setTimeout(serveOthers);
  if (settings.checkpoint) setInterval(serveOthers, OTHERS_MS);
}

/** Serves until the recorder is stopped. A message calls it again when the recorder is resumed. */
async function serve(): Promise<void> {
  // The recorder may be resumed before it has noticed that it was stopped.
  if (isServing) return;
  isServing = true;
  try {
    do {
      await server.run(begin);
    } while (control.running);
    meeting.serving = undefined;
    checkpoint.close();
    // Not every runtime closes what a thread leaves open.
    presence.release();
    report({ state: "done" });
  } catch (error) {
    const { message, code } = error as { message: string; code?: string };
    presence.release();
    report({ state: "failed", why: message, code });
  } finally {
    isServing = false;
  }
}

function obey(message: unknown): void {
  const order = message as RecorderOrder;
  if (order === "resume") serve();
  else order.listen.forEach(listenTo);
}

function report(report: RecorderReport): void {
  parent.post(report);
}

serve();
