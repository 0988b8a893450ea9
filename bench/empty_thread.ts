/**
 * A thread that does nothing: the floor for whatever starts a thread.
 *
 * @module
 */

import { Worker } from "node:worker_threads";

const PROGRAM = `
  import { parentPort } from "node:worker_threads";
  parentPort.on("message", () => {}).postMessage("");`;

/** Starts a thread and waits until it runs. The thread does not keep the program alive. */
export async function startEmptyThread(): Promise<void> {
  const url = `data:text/javascript,${encodeURIComponent(PROGRAM)}`;
  const thread = new Worker(new URL(url));
  await new Promise((resolve) => thread.on("message", resolve));
  thread.unref();
}
