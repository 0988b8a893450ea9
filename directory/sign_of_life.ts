/**
 * Signs of life: named pipes that a process holds open, as its reader and its
 * writer, until the kernel closes them at its death.
 *
 * Every process that can see the directory can ask, whatever its user and its
 * namespace of process ids. A process that is stopped or hangs lives.
 *
 * Touches the pipe directory.
 *
 * @module
 */

import { attempt } from "../runtime/attempt.ts";
import { runtime } from "../runtime/runtime.ts";

/**
 * Whether the process that made a sign of life is still there.
 *
 * Another process that asks at the same moment may make a dead one seem alive:
 * whoever acts on the answer acts on deaths only, which are always true.
 *
 * @param path The named pipe.
 * @returns `undefined` if there is no such pipe, or it may not be opened.
 */
export function isAlive(path: string): boolean | undefined {
  try {
    if (runtime.identify(path)?.isFifo !== true) return undefined;
    // Nobody but its process keeps the other side open.
    const fd = runtime.openWriter(path);
    if (fd === undefined) {
      return runtime.identify(path) === undefined ? undefined : false;
    }
    runtime.close(fd);
    return true;
  } catch {
    return attempt(() => hasWriter(path));
  }
}

/**
 * Whether a named pipe has a writer, as far as somebody who may only read it can
 * tell at this moment.
 *
 * @throws If it may not be opened.
 */
export function hasWriter(path: string): boolean {
  const fd = runtime.openReader(path);
  try {
    return runtime.read(fd, new Uint8Array(1)) !== 0;
  } finally {
    runtime.close(fd);
  }
}
