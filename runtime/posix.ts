/**
 * The part of the operating system that Deno, Node and Bun offer alike, through
 * `node:` modules.
 *
 * @module
 */

import {
  chmodSync,
  closeSync,
  constants,
  fchmodSync,
  fstatSync,
  fsyncSync,
  lchownSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  readSync,
  renameSync,
  rmSync,
  type Stats,
  statSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { open } from "node:fs/promises";
import process from "node:process";
import {
  BroadcastChannel,
  isMainThread,
  parentPort,
  receiveMessageOnPort,
  Worker,
  workerData,
  type WorkerOptions,
} from "node:worker_threads";
import { attempt } from "./attempt.ts";
import { sleep } from "./pause.ts";
import { fieldsOf, processReader } from "./proc.ts";
import type { FileId, Runtime, Thread } from "./system.ts";

/** The code of a system error, such as `ENOENT`. */
export function errorCode(error: unknown): string | undefined {
  return (error as { code?: string } | undefined)?.code;
}

/** The first line of the output of a program. */
export function firstLine(text: string): string {
  return text.split("\n", 1)[0];
}

/** The result of `action`, or `undefined` if it fails with one of these codes. */
export function unless<T>(
  codes: readonly string[],
  action: () => T,
): T | undefined {
  try {
    return action();
  } catch (error) {
    if (codes.includes(errorCode(error) ?? "")) return undefined;
    throw error;
  }
}

/** The fields of a process in `/proc`, beginning with its state; `undefined` if there is no such process. */
function procStat(
  pid: number | "self",
): ReturnType<typeof fieldsOf> | undefined {
  const stat = unless(
    ["ENOENT", "ESRCH"],
    () => readFileSync(`/proc/${pid}/stat`, "latin1"),
  );
  return stat === undefined ? undefined : fieldsOf(stat);
}

// The numbers of fields in `man proc`.
const STATE = 3;
const START_TIME = 22;

function toFileId(stat: Stats): FileId {
  return {
    inode: stat.ino,
    device: stat.dev,
    isFifo: stat.isFIFO(),
    isDirectory: stat.isDirectory(),
    owner: stat.uid,
    mode: stat.mode & 0o7777,
    modified: stat.mtimeMs,
    links: stat.nlink,
    size: stat.size,
  };
}

/** Whether a process is alive according to `/proc`, or `undefined` if that cannot be read. */
export function livesInProc(pid: number): boolean | undefined {
  try {
    const state = procStat(pid)?.(STATE);
    // `/proc` may be mounted so that it hides the processes of other users.
    if (state === undefined) {
      return takesSignals(pid) ?? (procStat("self") ? false : undefined);
    }
    // A zombie is dead, although its parent has not asked for its exit code.
    return state !== "Z" && state !== "X";
  } catch {
    // Deno allows this with --allow-all only.
    return undefined;
  }
}

/** Whether a process can be sent a signal, or `undefined` if trying that is not permitted. */
export function takesSignals(pid: number): boolean | undefined {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return { ESRCH: false, EPERM: true }[errorCode(error) ?? ""];
  }
}

/** How often a pipe is polled, in milliseconds, where no thread waits for its reader. */
const POLL_MS = 20;

// Opens a pipe as neither its reader nor its writer. Linux only; Node has no
// constant for it.
const O_PATH = 0o10000000;

/**
 * Starts a thread that runs the text of a module.
 *
 * @param options What this runtime needs besides.
 */
export function startThreadWith(
  options: WorkerOptions,
  source: string,
  data: unknown,
  receive: (message: unknown) => void,
  fail: (error: Error) => void,
): Thread {
  const url = new URL(`data:text/javascript,${encodeURIComponent(source)}`);
  const worker = new Worker(url, {
    ...options,
    workerData: data,
    // Node would warn about files that one thread opens and another one closes.
    trackUnmanagedFds: false,
    // Few objects outlive a snapshot. Saves 2.4 MB after 100 reads.
    resourceLimits: { maxYoungGenerationSizeMb: 1 },
  });
  worker.on("message", receive);
  worker.on("error", fail);
  return {
    post: (message) => worker.postMessage(message),
    unref: () => worker.unref(),
    terminate: async () => void await worker.terminate(),
  };
}

/** The part of a {@linkcode Runtime} that all runtimes share. */
export const posix = {
  processExists: (pid) => livesInProc(pid) ?? takesSignals(pid),
  self: {
    readText: (path) => readFileSync(path, "utf8"),
    namesIn: (path) => readdirSync(path),
    cpuSeconds: () => {
      const { user, system } = process.cpuUsage();
      return (user + system) / 1e6;
    },
    residentBytes: () => process.memoryUsage().rss,
    startSeconds: () => performance.timeOrigin / 1000,
  },
  processes: processReader({
    bytes: (path) => attempt(() => readFileSync(path)),
    names: (path) => attempt(() => readdirSync(path)),
    link: (path) => attempt(() => readlinkSync(path)),
    file: (path) => attempt(() => toFileId(statSync(path))),
  }),
  processStart: (pid) => {
    try {
      return procStat(pid)?.(START_TIME);
    } catch {
      // Deno allows this with --allow-all only.
      return undefined;
    }
  },
  makeDir: (path, mode) => {
    const first = mkdirSync(path, { recursive: true });
    // `mkdir` would apply the mask of the process.
    if (first !== undefined) chmodSync(path, mode);
  },
  mayRead: () => true,
  list: (dir) => readdirSync(dir),
  identify: (path) => {
    const stat = unless(["ENOENT", "ENOTDIR"], () => lstatSync(path));
    return stat && toFileId(stat);
  },
  identifyTarget: (path) => {
    const codes = ["ENOENT", "ENOTDIR", "ELOOP"];
    const stat = unless(codes, () => statSync(path));
    return stat && toFileId(stat);
  },
  identifyOpen: (fd) => toFileId(fstatSync(fd)),
  processOwner: (pid) => {
    try {
      return statSync(`/proc/${pid}`).uid;
    } catch {
      // The process has gone, or Deno does not allow this.
      return undefined;
    }
  },
  readFile: (path, maxBytes = 2 ** 24) => {
    const flags = constants.O_RDONLY | constants.O_NONBLOCK |
      constants.O_NOFOLLOW;
    for (;;) {
      const file = unless(["ENOENT", "ENOTDIR"], () => lstatSync(path));
      if (file?.isFile() !== true) return undefined;
      const fd = unless(["ENOENT", "ELOOP"], () => openSync(path, flags));
      if (fd === undefined) return undefined;
      try {
        // The inode differs if another file has taken the name in between, or if
        // Deno has followed a link, as it does without --allow-all.
        const { ino, size } = fstatSync(fd);
        if (ino === file.ino) {
          return size > maxBytes ? undefined : readFileSync(fd);
        }
      } finally {
        closeSync(fd);
      }
    }
  },
  replaceFile: (path, bytes, temporary, mode) => {
    try {
      rmSync(temporary, { force: true });
      writeFileSync(temporary, bytes, { flag: "wx", mode });
      // The mask of the process may forbid even the owner to read it.
      if (mode !== undefined) chmodSync(temporary, mode);
      renameSync(temporary, path);
    } catch (error) {
      rmSync(temporary, { force: true });
      throw error;
    }
  },
  writeNew: (path, bytes, mode, sync) => {
    const fd = openSync(path, "wx", 0o600);
    try {
      writeFileSync(fd, bytes);
      fchmodSync(fd, mode);
      if (sync) fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
  },
  syncAll: async (paths) => {
    for (const path of paths) {
      try {
        const file = await open(path, constants.O_RDONLY);
        await file.sync().finally(() => file.close());
      } catch {
        // Somebody has taken it into a ledger, which the disk has.
      }
    }
  },
  append: (path, bytes, mode) => {
    const { O_APPEND, O_CREAT, O_NOFOLLOW, O_NONBLOCK, O_WRONLY } = constants;
    // Another user may have planted a link, or a pipe that nobody reads.
    const flags = O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_WRONLY;
    const fd = openSync(path, flags, mode);
    try {
      writeFileSync(fd, bytes);
      fchmodSync(fd, mode);
    } finally {
      closeSync(fd);
    }
  },
  chown: (path, user) => lchownSync(path, user, -1),
  link: linkSync,
  rename: renameSync,
  remove: (path) => rmSync(path, { force: true }),
  createFile: (path, mode) => {
    const fd = openSync(path, "wx", mode);
    // The mask of the process may forbid even the owner to read it.
    fchmodSync(fd, mode);
    return fd;
  },
  writeAt: (fd, bytes, offset) => {
    for (let done = 0; done < bytes.length;) {
      done += writeSync(fd, bytes, done, bytes.length - done, offset + done);
    }
  },
  user: () => process.geteuid?.(),
  openReader: (path) =>
    openSync(path, constants.O_RDONLY | constants.O_NONBLOCK),
  openWriter: (path) =>
    unless(
      ["ENXIO", "ENOENT"],
      () => openSync(path, constants.O_WRONLY | constants.O_NONBLOCK),
    ),
  openBoth: (path) => openSync(path, constants.O_RDWR | constants.O_NONBLOCK),
  createNew: (path) => {
    const fd = unless(["EEXIST"], () => openSync(path, "wx"));
    if (fd !== undefined) closeSync(fd);
    return fd !== undefined;
  },
  read: (fd, into) => unless(["EAGAIN"], () => readSync(fd, into)),
  // The system writes up to PIPE_BUF bytes whole or not at all. For more, Deno
  // does not say how much was written before `EAGAIN`.
  write: (fd, bytes) =>
    unless(["EAGAIN"], () => writeSync(fd, bytes)) !== undefined,
  close: closeSync,
  hold: (path) => process.platform === "linux" ? openSync(path, O_PATH) : 0,
  endWait: (hold, path) => {
    const flags = constants.O_RDONLY | constants.O_NONBLOCK;
    const held = hold > 0 ? [`/proc/self/fd/${hold}`] : [];
    for (const name of [...held, path]) {
      try {
        closeSync(openSync(name, flags));
        return true;
      } catch {
        // There is no hold, Deno does not allow its use, or the path has gone.
      }
    }
    return false;
  },
  pollForReader: async (path) => {
    while (posix.identify(path) !== undefined) {
      const fd = posix.openWriter(path);
      if (fd !== undefined) return () => closeSync(fd);
      await sleep(POLL_MS);
    }
    throw new Error(`${path} has gone`);
  },
  isMainThread,
  joinChannel: (name, receive) => {
    const channel = new BroadcastChannel(name);
    channel.onmessage = (event) => receive((event as { data: unknown }).data);
    channel.unref();
    return {
      post: (message) => channel.postMessage(message),
      catchUp: () => {
        // Deno takes no channel here, and Bun finds nothing.
        attempt(() => {
          for (let next; (next = receiveMessageOnPort(channel as never));) {
            receive(next.message);
          }
        });
      },
    };
  },
  startThread: (source, data, receive, fail) =>
    startThreadWith({}, source, data, receive, fail),
  joinParent: (receive) => {
    parentPort!.on("message", receive);
    return {
      data: workerData,
      post: (message) => parentPort!.postMessage(message),
    };
  },
} satisfies Partial<Runtime>;
