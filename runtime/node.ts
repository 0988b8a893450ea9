/**
 * The operating system through Node's own modules, for Node and Bun.
 *
 * @module
 */

import process from "node:process";
import { Worker } from "node:worker_threads";
import { firstLine, posix } from "./posix.ts";
import type { Runtime } from "./system.ts";

/**
 * A thread that opens pipes, one at a time, and is parked while it waits. An
 * asynchronous `open` would occupy one of libuv's four threads instead. A
 * recorder that parked itself could neither replace a lost pipe nor receive
 * messages.
 */
const OPENER = `
const { openSync, constants } = require("node:fs");
const { parentPort } = require("node:worker_threads");
parentPort.on("message", (path) => {
  try {
    parentPort.postMessage({ fd: openSync(path, constants.O_WRONLY) });
  } catch (error) {
    parentPort.postMessage({ error });
  }
});`;

let opener: Worker | undefined;
// The callers that wait for the opener, in the order of their messages.
const waiting: ((answer: { fd?: number; error?: unknown }) => void)[] = [];

/** Opens a pipe for writing, in the opener's thread. */
function park(path: string): Promise<number> {
  if (opener === undefined) {
    opener = new Worker(OPENER, { eval: true, trackUnmanagedFds: false });
    opener.on("message", (answer) => waiting.shift()!(answer));
  }
  return new Promise((resolve, reject) => {
    waiting.push(({ fd, error }) => {
      if (fd === undefined) reject(error);
      else resolve(fd);
    });
    opener!.postMessage(path);
  });
}

/** Whether a parked thread can be freed even if the pipe loses its names. */
function mayFree(): boolean {
  return process.platform !== "linux" ||
    posix.identify("/proc/self/fd") !== undefined;
}

// The listeners for the end of the program, which come after the program's own,
// since these may still count.
const exits = new Set<() => void>();

function stayLast(event: string | symbol, listener: () => void): void {
  if (event !== "exit" || exits.has(listener)) return;
  queueMicrotask(() => {
    for (const end of exits) {
      process.off("exit", end);
      process.on("exit", end);
    }
  });
}

/** Node's and Bun's side of a {@linkcode Runtime}. */
export const nodeRuntime: Runtime = {
  ...posix,
  get pid() {
    return process.pid;
  },
  name: process.versions.bun === undefined
    ? `node ${process.versions.node}`
    : `bun ${process.versions.bun}`,
  get mainScript() {
    return process.argv[1] ?? "";
  },
  env: (name) => process.env[name],
  missingPermission: () => Promise.resolve(undefined),
  makeFifos: (paths, mode) =>
    new Promise((resolve, reject) => {
      // Loaded at the first use only, since Deno loads this file too.
      process.getBuiltinModule("node:child_process").execFile(
        "mkfifo",
        ["-m", mode.toString(8), ...paths],
        (error, _, stderr) => {
          if (error === null) resolve();
          else reject(stderr ? new Error(firstLine(stderr)) : error);
        },
      );
    }),
  waitForReader: async (path, mayPark) => {
    if (!mayPark || !mayFree()) return posix.pollForReader(path);
    const fd = await park(path);
    return () => posix.close(fd);
  },
  onExit: (end) => {
    if (exits.size === 0) process.on("newListener", stayLast);
    exits.add(end);
    process.on("exit", end);
    return () => {
      exits.delete(end);
      process.off("exit", end);
      if (exits.size === 0) process.off("newListener", stayLast);
    };
  },
};
