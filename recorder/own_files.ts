/**
 * Removes what this process has in the pipe directory, so that no reader waits
 * at one of its pipes: to open a pipe that has no other side takes for ever.
 *
 * Touches the pipe directory.
 *
 * @module
 */

import {
  alivePath,
  checkpointPath,
  ownFifoPath,
  parseOwnName,
  pipePath,
} from "../directory/file_names.ts";
import { attempt } from "../runtime/attempt.ts";
import { runtime } from "../runtime/runtime.ts";
import type { RecorderControl } from "./control.ts";

/** How long the directory is searched where another process has planted files, in milliseconds. */
const SEARCH_MS = 250;

/** Where the files are, and whose they are. */
export interface OwnFiles {
  /** The pipe directory. */
  readonly dir: string;
  /** The user of this process, if that is known. */
  readonly user: number | undefined;
  /** The identity of this process. */
  readonly id: string;
  /** What the paths of the pipes have in common. */
  readonly batch: string;
  readonly control: RecorderControl;
  /** The name of the pipe without `.stats`, once the recorder has told it. */
  base: string | undefined;
}

/** The pipes that may be there but for the public one. Lists the directory only if it must. */
function privatePipes({ dir, id, batch, control, base }: OwnFiles): string[] {
  if (base !== undefined && !control.hasUnnoted) {
    return control.noted.map((number) =>
      ownFifoPath(dir, { base, id }, batch, number)
    );
  }
  const until = performance.now() + SEARCH_MS;
  const names = attempt(() => runtime.list(dir)) ?? [];
  return names.filter((name) => {
    if (performance.now() > until) return false;
    const own = parseOwnName(name);
    return own?.id === id && /\.(fifo|new)$/.test(own.rest);
  }).map((name) => `${dir}/${name}`);
}

/** The base that the recorder has chosen but not told yet. */
function baseIn({ dir, id }: OwnFiles): string | undefined {
  const names = attempt(() => runtime.list(dir)) ?? [];
  return names.map(parseOwnName).find((own) =>
    own?.id === id && own.rest === "alive"
  )?.base;
}

/** Opens a pipe so that its readers do not wait, then removes it. */
function removePipe(
  path: string,
  user: number | undefined,
): number | undefined {
  const file = attempt(() => runtime.identify(path));
  // Files that another user has planted are not opened, nor are symbolic links followed.
  if (file === undefined || (user !== undefined && file.owner !== user)) return;
  const fd = file.isFifo ? attempt(() => runtime.openBoth(path)) : undefined;
  attempt(() => runtime.remove(path));
  return fd;
}

/**
 * Removes all pipes of this process.
 *
 * @returns Open files that keep readers of these pipes from waiting, to be
 * closed later by {@linkcode closeAll}.
 */
export function removePipes(own: OwnFiles): number[] {
  const { dir, user, id, batch, control } = own;
  const base = own.base ?? baseIn(own);
  const files: (number | undefined)[] = [];
  const isOwn = base !== undefined;
  // From here on no reader finds the pipe.
  const withdrawn = isOwn ? ownFifoPath(dir, { base, id }, batch, 0) : "";
  const isWithdrawn = isOwn &&
    attempt(() => {
        runtime.rename(pipePath(dir, base), withdrawn);
        return true;
      }) === true;
  // The held pipe comes first: it keeps the program from ending on a runtime
  // that cannot end a thread that waits, and there may be room for one open file
  // only. It is opened by its hold, since it may have lost its names before.
  const { hold } = control;
  if (hold > 0 && runtime.mayRead("/proc")) {
    files.push(attempt(() => runtime.openBoth(`/proc/self/fd/${hold}`)));
  }
  if (isWithdrawn) files.push(removePipe(withdrawn, user));
  for (const path of privatePipes(own)) files.push(removePipe(path, user));
  return files.filter((fd) => fd !== undefined);
}

/** Whether there is a checkpoint of this process. */
export function hasCheckpoint({ dir, id, base }: OwnFiles): boolean {
  return base !== undefined &&
    attempt(() => runtime.identify(checkpointPath(dir, base, id))) !==
      undefined;
}

/** Removes what tells that this process lives, and what it would leave if it were killed. */
export function removeSigns({ dir, id, base }: OwnFiles): void {
  if (base === undefined) return;
  attempt(() => runtime.remove(checkpointPath(dir, base, id)));
  attempt(() => runtime.remove(alivePath(dir, base, id)));
}

/** Closes all of these files. */
export function closeAll(files: readonly number[]): void {
  for (const fd of files) runtime.close(fd);
}
