/**
 * The conditions under which the recorder can start, each with the error that
 * names the cure if it does not hold.
 *
 * Touches the pipe directory, and asks Deno's user for permissions.
 *
 * @module
 */

import { ELSEWHERE } from "../directory/trust.ts";
import { attempt } from "../runtime/attempt.ts";
import { runtime } from "../runtime/runtime.ts";

/** How many files must be openable. The most that a runtime was seen to need is 14. */
const FILES = 20;

// Not a class of its own: runtimes print the name of a class, and callers are
// promised an `Error`.
const explained = new WeakSet<Error>();

/** The error that says why the recorder cannot start. */
export function failure(why: string, cause?: unknown): Error {
  const error = new Error(`Cannot start the recorder: ${why}`, { cause });
  explained.add(error);
  return error;
}

/**
 * Makes an error name the cure, unless it comes from {@linkcode failure} and
 * does so already.
 */
export function explain(error: Error): Error {
  return explained.has(error)
    ? error
    : failure(`${error.message}; ${cureOf(error.message)}`, error);
}

/** The error of a directory in which no pipe could be created. */
export function notCreatable(dir: string, why: string): Error {
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
  // `mkfifo -m` needs /proc on many systems.
  return runtime.mayRead("/proc/self") &&
      attempt(() => runtime.identify("/proc/self") === undefined)
    ? "mount /proc"
    : `change its mode or ${ELSEWHERE}`;
}

/**
 * Creates the pipe directory, if it is not there.
 *
 * @param mode The mode of a directory that is created.
 * @throws {Error} If a permission is missing or there can be no directory.
 */
export async function prepare(dir: string, mode: number): Promise<void> {
  const missing = await runtime.missingPermission(dir);
  if (missing !== undefined) throw failure(missing);
  try {
    runtime.makeDir(dir, mode);
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

/**
 * Checks how many more files may be open: Deno and Bun end the program if a
 * thread that starts can open none.
 *
 * @param dir A directory that can be opened.
 * @throws {Error} If there is hardly any room for more.
 */
export function checkRoom(dir: string): void {
  const files: number[] = [];
  try {
    while (files.length < FILES) files.push(runtime.openReader(dir));
  } catch (error) {
    const { message } = error as Error;
    throw failure(
      `${FILES} more files must be openable (${message}); ${cureOf(message)}`,
      error,
    );
  } finally {
    for (const fd of files) runtime.close(fd);
  }
}
