/**
 * The recorder's thread.
 *
 * `worker_source.ts` carries its bundle as a string, which `deno task build`
 * makes anew when this module or one that it imports has changed.
 *
 * @module
 */

import { SnapshotWriter } from "../format/snapshot_writer.ts";
import { threads } from "../memory/threads.ts";
import type { ProcessInfo } from "../model/identity.ts";
import { RecorderControl } from "./control.ts";
import { Heartbeat } from "./heartbeat.ts";
import { PipeServer } from "./pipe_server.ts";
import { runtime } from "../runtime/runtime.ts";
import type { Slab } from "../slab/layout.ts";
import { nap } from "../runtime/pause.ts";
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
  /** How the process identifies itself. */
  readonly process: Omit<ProcessInfo, "stalled">;
  /** The shared side of the {@linkcode RecorderControl}. */
  readonly control: Int32Array<SharedArrayBuffer>;
  /** The slabs that the starting thread knows. */
  readonly slabs: readonly Slab[];
}

/**
 * What the thread reports: that the pipe can be read, why it never can be, or
 * that the thread was stopped and has closed its files.
 */
export type RecorderReport =
  | { state: "ready" }
  | { state: "done" }
  | { state: "failed"; why: string; code?: string };

// Most errors in this thread only mean "not yet", so their stacks are a waste.
Error.stackTraceLimit = 0;

const parent = runtime.joinParent(serve);
const settings = parent.data as RecorderSettings;
const control = new RecorderControl(settings.control);
const heartbeat = new Heartbeat(control);
const process: ProcessInfo = { ...settings.process, stalled: 0 };
const stats = new ProcessStats(nap);
stats.process = process;
const writer = new SnapshotWriter();
const { slabs } = threads();
for (const slab of settings.slabs) slabs.set(slab.id, slab);

const server = new PipeServer({
  dir: settings.dir,
  user: settings.user,
  mode: settings.mode,
  dirMode: settings.dirMode,
  mayPark: settings.mayPark,
  control,
  snapshot: () => {
    process.stalled = heartbeat.stalled();
    stats.refresh(slabs.values());
    return writer.write(stats, settings.annotations);
  },
});

let isServing = false;

/** Serves until the recorder is stopped. A message calls it again when the recorder is resumed. */
async function serve(): Promise<void> {
  // The recorder may be resumed before it has noticed that it was stopped.
  if (isServing) return;
  isServing = true;
  try {
    do {
      await server.run(() => report({ state: "ready" }));
    } while (control.running);
    report({ state: "done" });
  } catch (error) {
    const { message, code } = error as { message: string; code?: string };
    report({ state: "failed", why: message, code });
  } finally {
    isServing = false;
  }
}

function report(report: RecorderReport): void {
  parent.post(report);
}

serve();
