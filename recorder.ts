/**
 * The door of the recorder: offers the stats of this process on a named pipe.
 *
 * Touches the pipe directory, starts a thread.
 *
 * @module
 */

import { show } from "./model/show.ts";
import { ForeignRecorder } from "./recorder/pipe_recorder.ts";
import type { Recorder } from "./recorder/recorder.ts";
import { start } from "./recorder/start.ts";
import { LAYOUT } from "./slab/layout.ts";
import { config } from "./stats/config.ts";
import { ownSlab } from "./stats/stats.ts";

export type { Recorder };

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

// A thread has one recorder. All copies of statvent in the thread with this layout
// of slabs find it under this property of `globalThis`; others cannot serve each
// other's stats.
const KEY = Symbol.for(`statvent.recorder.${LAYOUT}`);
const home = globalThis as { [key: symbol]: Promise<Recorder> | undefined };

/** Starts the recorder with the settings of this thread. */
async function begin(
  options: Required<RecorderOptions>,
): Promise<Recorder> {
  const { pipeDir, pipeDirMode, pipeMode, annotations, processName } = config;
  ownSlab();
  return await start({
    dir: pipeDir,
    dirMode: pipeDirMode,
    mode: pipeMode,
    annotations,
    name: processName,
    ...options,
  }, forget);
}

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
 * await Deno.remove(config.pipeDir, { recursive: true });
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
  return home[KEY] ??= begin(all).then((recorder) => {
    // The other thread may end before this one, which then starts its own.
    if (recorder instanceof ForeignRecorder) forget();
    return recorder;
  }, (error) => {
    forget();
    throw error;
  });
}
