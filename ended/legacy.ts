/**
 * The files of recorders that have no identity yet.
 *
 * Touches the pipe directory.
 *
 * @module
 */

import {
  endedPath,
  endingPath,
  newFilePath,
  processOfEnding,
  untakenPath,
} from "../directory/file_names.ts";
import { attempt } from "../runtime/attempt.ts";
import { runtime } from "../runtime/runtime.ts";

const ENDING_MS = 2_000;

/** Writes the last values of a process. */
export function writeEnded(
  dir: string,
  pid: number,
  start: number,
  snapshot: Uint8Array,
  mode = 0o644,
  isSure = true,
): string {
  const process = { pid, start: `${Math.round(1000 * start)}` };
  const path = isSure ? endedPath(dir, process) : endingPath(dir, process);
  const write = (path: string) => {
    runtime.replaceFile(path, snapshot, newFilePath(dir, runtime.pid), mode);
    return path;
  };
  try {
    return write(path);
  } catch {
    return write(untakenPath(path));
  }
}

/** Gives files of processes that have ended their final names. */
export function settle(dir: string, names: readonly string[]): string[] {
  return names.map((name) => {
    const process = processOfEnding(name);
    if (process === undefined) return name;
    const path = `${dir}/${name}`;
    const lives = runtime.processExists(process.pid) ??
      Date.now() - (runtime.identify(path)?.modified ?? 0) < ENDING_MS;
    if (lives) return name;
    const settled = untakenPath(endedPath(dir, process));
    return attempt(() => {
      runtime.rename(path, settled);
      return settled.slice(dir.length + 1);
    }) ?? name;
  });
}
