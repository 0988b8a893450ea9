/**
 * Whom this process trusts with its files: its own user and root.
 *
 * Touches the file system.
 *
 * @module
 */

import { runtime } from "../runtime/runtime.ts";

/** What to do where a directory cannot be used. */
export const ELSEWHERE = "set config.pipeDir or STATVENT_PIPE_DIR";

/**
 * The user of this process, as the owner of a file that it makes and removes,
 * since Deno requires one more permission to tell it.
 *
 * @param probe A path for the file, which nobody can have taken.
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
 * Says why files would not be safe in a directory: another user could remove
 * them and put something else in their place, or the directory itself, or one
 * or a link on the way to it.
 *
 * @param dir An absolute path.
 * @param user The user of this process.
 */
export function dangerOf(
  dir: string,
  user: number | undefined,
): string | undefined {
  const parts = dir.split("/").filter((part) => part !== "");
  for (let n = 1; n <= parts.length; n++) {
    const path = `/${parts.slice(0, n).join("/")}`;
    // A group may be that of the user alone; of the directory itself that is
    // not assumed.
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
  let files;
  try {
    files = [runtime.identify(path), runtime.identifyTarget(path)];
  } catch {
    // Deno permits to look at the directory itself, and not at those above it.
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
