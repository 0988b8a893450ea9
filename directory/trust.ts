/**
 * Which users this process trusts with its files: its own user and root.
 *
 * Touches the file system.
 *
 * @module
 */

import { runtime } from "../runtime/runtime.ts";

/** The cure where a directory cannot be used, for the end of an error. */
export const ELSEWHERE = "set config.pipeDir or STATVENT_PIPE_DIR";

/**
 * The user of this process, as the owner of a file that it makes and removes,
 * since Deno requires one more permission to tell it.
 *
 * @param probe A path for the file, which no other user can have taken.
 * @returns The user's id; `undefined` if the file has gone meanwhile.
 * @throws If there can be no file.
 */
export function userOf(probe: string): number | undefined {
  if (!runtime.createNew(probe)) return undefined;
  try {
    return runtime.identify(probe)?.owner;
  } finally {
    runtime.remove(probe);
  }
}

/**
 * Says why files would not be safe in a directory, if they would not: another
 * user could replace them, the directory, or a directory or link on the way to
 * it.
 *
 * @param dir An absolute path.
 * @param user The user of this process, if that is known.
 */
export function dangerOf(
  dir: string,
  user: number | undefined,
): string | undefined {
  const parts = dir.split("/").filter((part) => part !== "");
  for (let n = 1; n <= parts.length; n++) {
    const path = `/${parts.slice(0, n).join("/")}`;
    // The directories above may be writable to a group, which is taken for the
    // user's own; the directory itself may not.
    const others = n === parts.length ? 0o022 : 0o002;
    const danger = dangerOfOne(path, user, others);
    if (danger !== undefined) return danger;
  }
}

function dangerOfOne(
  path: string,
  user: number | undefined,
  others: number,
): string | undefined {
  // Deno's permissions may cover the directory itself, but not those above it.
  if (!runtime.mayRead(path)) return undefined;
  let files;
  try {
    files = [runtime.identify(path), runtime.identifyTarget(path)];
  } catch {
    return undefined;
  }
  for (const file of files) {
    if (file === undefined || file.owner === user || file.owner === 0) continue;
    return `${path} must belong to the user of this process or to root, but belongs to user ${file.owner}; ${ELSEWHERE}`;
  }
  const { mode = 0 } = files[1] ?? {};
  if ((mode & others) === 0 || (mode & 0o1000) !== 0) return undefined;
  return `${path} must have the sticky bit if others may write to it, but has the mode 0o${
    mode.toString(8)
  }; chmod +t it or ${ELSEWHERE}`;
}
