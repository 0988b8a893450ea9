/**
 * The pipe directory that this thread uses: the one that was set, the one in the
 * environment, or the default.
 *
 * Reads the environment, where that is permitted, at the first use.
 *
 * @module
 */

import { show } from "../model/show.ts";
import { runtime } from "../runtime/runtime.ts";

/** The pipe directory where neither a setting nor the environment names one. */
export const DEFAULT_PIPE_DIR = "/tmp/stats-pipe";

const VARIABLE = "STATVENT_PIPE_DIR";

let current: string | undefined;

/**
 * The pipe directory of this thread, without a slash at its end.
 *
 * @throws {TypeError} If the value in the environment is not an absolute path.
 */
export function pipeDir(): string {
  if (current === undefined) {
    const value = runtime.env(VARIABLE);
    if (value) setPipeDir(value, ` from ${VARIABLE}`);
    else current = DEFAULT_PIPE_DIR;
  }
  return current!;
}

/**
 * Sets the pipe directory of this thread.
 *
 * @param origin Where the value comes from, for the error's message.
 * @throws {TypeError} If the value is not an absolute path.
 */
export function setPipeDir(value: string, origin = ""): void {
  if (typeof value !== "string" || !/^\/[^\0]*$/.test(value)) {
    throw new TypeError(
      `Cannot set pipeDir: it must be an absolute path, got ${
        show(value)
      }${origin}`,
    );
  }
  current = value.replace(/(?<=.)\/+$/, "");
}
