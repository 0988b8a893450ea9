/**
 * The operating system through Node's own modules, for Node and Bun.
 *
 * @module
 */

import { chmodSync, mkdirSync } from "node:fs";
import { dirname } from "node:path";
import process from "node:process";
import { Worker, type WorkerOptions } from "node:worker_threads";
import { onNodeExit } from "./node_exit.ts";
import { errorCode, firstLine, posix, startThreadWith } from "./posix.ts";
import { warnOnce } from "./warn.ts";
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

/**
 * Keeps threads of statvent from running what the program's own threads run
 * first: a preload that starts the recorder would be run by the recorder's
 * thread again, for ever. `--input-type=module` would make the opener's text a
 * module, in which there is no `require`.
 */
function alone(): WorkerOptions {
  return { execArgv: [], env: { ...process.env, NODE_OPTIONS: "" } };
}

/** Why there is no opener, once it has failed. */
let failure: Error | undefined;

let opener: Worker | undefined;
// The callers that wait for the opener, in the order of their messages.
const waiting: ((answer: { fd?: number; error?: unknown }) => void)[] = [];

/** Notes that there is no opener, and that all who wait for it must poll. */
function failed(error: Error): void {
  failure = error;
  warnOnce(
    `the thread that waits for readers failed (${error.message}), so the recorder looks for them 50 times a second`,
  );
  for (const answer of waiting.splice(0)) answer({ error });
}

/**
 * Opens a pipe for writing, in the opener's thread.
 *
 * @throws By the promise, if the pipe cannot be opened or there is no opener.
 */
function park(path: string): Promise<number> {
  if (opener === undefined) {
    opener = new Worker(OPENER, {
      ...alone(),
      eval: true,
      trackUnmanagedFds: false,
    });
    opener.on("message", (answer) => waiting.shift()!(answer));
    opener.on("error", failed);
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

/**
 * Creates a directory with its parents. Node's own way to do that tries for
 * ever where the parent is there and yet can have no children, as in `/proc`.
 *
 * @param isLast Whether the mode is meant for this one, rather than for one in it.
 */
function makeDir(path: string, mode: number, isLast: boolean): void {
  for (let isSecond = false;; isSecond = true) {
    try {
      mkdirSync(path);
      break;
    } catch (error) {
      const code = errorCode(error);
      if (code === "EEXIST" && posix.identifyTarget(path)?.isDirectory) return;
      if (code !== "ENOENT" || isSecond) throw error;
      makeDir(dirname(path), mode, false);
    }
  }
  // `mkdir` applies the mask of the process, which may shut out even its owner.
  const isUsable = (posix.identify(path)!.mode & 0o700) === 0o700;
  if (isLast || !isUsable) chmodSync(path, mode);
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
  makeDir: (path, mode) => makeDir(path, mode, true),
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
    if (failure === undefined && mayPark && mayFree()) {
      try {
        const fd = await park(path);
        return () => posix.close(fd);
      } catch (error) {
        if (failure === undefined) throw error;
      }
    }
    return posix.pollForReader(path);
  },
  startThread: (source, data, receive, fail) =>
    startThreadWith(alone(), source, data, receive, fail),
  onExit: (end) => onNodeExit(end),
};
