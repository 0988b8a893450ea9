/**
 * The operating system through Deno.
 *
 * @module
 */

import { attempt } from "./attempt.ts";
import {
  firstLine,
  livesInProc,
  posix,
  startThreadWith,
  takesSignals,
  unless,
} from "./posix.ts";
import { processReader } from "./proc.ts";
import type { FileId, Runtime } from "./system.ts";

/** Whether a permission is granted, without asking the user, as Deno would at a terminal. */
function isGranted(descriptor: Deno.PermissionDescriptor): boolean {
  return Deno.permissions.querySync(descriptor).state === "granted";
}

/** Whether a path can be read without a question to the user. */
const mayRead = (path: string) => isGranted({ name: "read", path });

/** The result of an action that reads `/proc`; `undefined` if that is not permitted. */
function inProc<T>(action: () => T): T | undefined {
  return mayRead("/proc") ? action() : undefined;
}

/** The result of an action that reads a file of the system; `undefined` if that is not permitted, or fails. */
function ofSystem<T>(path: string, action: () => T): T | undefined {
  // Also with this permission, Deno allows most of it with --allow-all only.
  return mayRead(path) ? attempt(action) : undefined;
}

// Deno's own functions take a quarter of the time of those of `node:fs`, which
// call them: `lstat` takes 3 instead of 12 µs.
function toFileId(info: Deno.FileInfo): FileId {
  return {
    inode: info.ino!,
    device: info.dev,
    isFifo: info.isFifo!,
    isDirectory: info.isDirectory,
    owner: info.uid!,
    mode: info.mode! & 0o7777,
    modified: info.mtime!.getTime(),
    links: info.nlink!,
    size: info.size,
  };
}

/** Whether a permission is granted, after asking the user at a terminal. */
async function permitted(
  descriptor: Deno.PermissionDescriptor,
): Promise<boolean> {
  return (await Deno.permissions.request(descriptor)).state === "granted";
}

/** Deno's side of a {@linkcode Runtime}. */
export const denoRuntime: Runtime = {
  ...posix,
  get pid() {
    return Deno.pid;
  },
  name: `deno ${globalThis.Deno?.version.deno}`,
  get mainScript() {
    // Only the main thread has one, whatever the type says.
    return Deno.mainModule ?? "";
  },
  env: (name) =>
    isGranted({ name: "env", variable: name }) ? Deno.env.get(name) : undefined,
  mayRead,
  processExists: (pid) =>
    inProc(() => livesInProc(pid)) ??
      (isGranted({ name: "run" }) ? takesSignals(pid) : undefined),
  self: {
    ...posix.self,
    readText: (path) => inProc(() => Deno.readTextFileSync(path))!,
    namesIn: (path) => inProc(() => posix.self.namesIn(path))!,
  },
  processes: processReader({
    bytes: (path) => ofSystem(path, () => Deno.readFileSync(path)),
    names: (path) => ofSystem(path, () => posix.list(path)),
    link: (path) => ofSystem(path, () => Deno.readLinkSync(path)),
    file: (path) => ofSystem(path, () => toFileId(Deno.statSync(path))),
  }),
  user: () =>
    isGranted({ name: "sys", kind: "uid" }) ? posix.user() : undefined,
  processStart: (pid) => inProc(() => posix.processStart(pid)),
  processOwner: (pid) =>
    inProc(() => {
      try {
        return Deno.statSync(`/proc/${pid}`).uid!;
      } catch {
        // The process has gone, or Deno requires --allow-all.
        return undefined;
      }
    }),
  // The function of `node:fs` looks at the parents of a directory that it creates.
  makeDir: (path, mode) => {
    const isThere = posix.identifyTarget(path) !== undefined;
    Deno.mkdirSync(path, { recursive: true });
    // `mkdir` would apply the mask of the process.
    if (!isThere) Deno.chmodSync(path, mode);
  },
  identify: (path) => {
    const info = unless(["ENOENT", "ENOTDIR"], () => Deno.lstatSync(path));
    return info && toFileId(info);
  },
  missingPermission: async (path) => {
    const acts: string[] = [];
    const flags: string[] = [];
    const ask = async (
      descriptor: Deno.PermissionDescriptor,
      act: string,
      flag: string,
    ) => {
      if (await permitted(descriptor)) return;
      acts.push(act);
      flags.push(flag);
    };
    await ask({ name: "read", path }, `read ${path}`, `--allow-read=${path}`);
    await ask(
      { name: "write", path },
      `write to ${path}`,
      `--allow-write=${path}`,
    );
    // Deno ignores the flag if the program is not on the PATH.
    await ask(
      { name: "run", command: "mkfifo" },
      "run mkfifo, which must be on the PATH",
      "--allow-run=mkfifo",
    );
    return acts.length === 0
      ? undefined
      : `it must be allowed to ${acts.join(" and to ")}; run with ${
        flags.join(" ")
      }`;
  },
  makeFifos: async (paths, mode) => {
    const { success, stderr } = await new Deno.Command("mkfifo", {
      args: ["-m", mode.toString(8), ...paths],
      stdin: "null",
      stdout: "null",
      stderr: "piped",
    }).output();
    if (!success) throw new Error(firstLine(new TextDecoder().decode(stderr)));
  },
  waitForReader: async (path) => {
    const file = await Deno.open(path, { write: true });
    return () => file.close();
  },
  endWait: (hold, path) => posix.endWait(mayRead("/proc") ? hold : 0, path),
  // Without an `env`, Deno copies the whole environment, which is a permission of
  // its own. The threads read none.
  startThread: (source, data, receive, fail) =>
    startThreadWith({ env: {} }, source, data, receive, fail),
  onExit: (end, survivable) => {
    // An error that ends the program fires one of the latter two events rather
    // than `unload`. The program goes on if a listener prevents the default.
    addEventListener("unload", end);
    addEventListener("error", survivable);
    addEventListener("unhandledrejection", survivable);
    return () => {
      removeEventListener("unload", end);
      removeEventListener("error", survivable);
      removeEventListener("unhandledrejection", survivable);
    };
  },
};
