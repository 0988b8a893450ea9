/**
 * The operating system through Node's own modules, for Node and Bun.
 *
 * @module
 */

import process from "node:process";
import type { Runtime } from "./runtime.ts";
import { close, firstLine, openWriterAndWait, posix } from "./runtime_posix.ts";

/** Lets the event loop turn once. */
const turn = () => new Promise((resolve) => setTimeout(resolve));

/** Node's and Bun's side of a {@linkcode Runtime}. */
export const nodeRuntime: Runtime = {
  ...posix,
  get pid() {
    return process.pid;
  },
  env: (name) => process.env[name],
  missingPermission: () => Promise.resolve(undefined),
  makeFifos: (paths, mode) =>
    new Promise((resolve, reject) => {
      // Loaded when it is needed, since Deno loads this file too.
      process.getBuiltinModule("node:child_process").execFile(
        "mkfifo",
        ["-m", mode.toString(8), ...paths],
        (error, _, stderr) => {
          if (error === null) resolve();
          else reject(stderr ? new Error(firstLine(stderr)) : error);
        },
      );
    }),
  waitForReader: async (path, isBusy) => {
    let fd: number | undefined;
    await turn();
    while (fd === undefined && isBusy()) {
      await new Promise((resolve) => setTimeout(resolve, 2));
      fd = posix.openWriter(path);
    }
    // An asynchronous `open` would hold one of libuv's four threads for good.
    fd ??= openWriterAndWait(path);
    // Lets in what other threads have sent meanwhile.
    await turn();
    return () => close(fd);
  },
  onExit: (end) => {
    process.on("exit", end);
    return () => process.off("exit", end);
  },
};
