/**
 * What the programs of the demo have in common.
 *
 * @module
 */

import { startRecorder } from "@statvent/statvent";

/**
 * Ends this program when the demo has gone, in whatever way: it holds the other
 * end of the standard input.
 */
export async function endWithDemo(): Promise<void> {
  for await (const _ of Deno.stdin.readable);
  // An orderly end, which takes the pipe away.
  Deno.exit(0);
}

/** Starts the recorder and tells the demo where the pipe is. */
export async function startProgram(): Promise<void> {
  endWithDemo();
  try {
    console.log((await startRecorder()).path);
  } catch (error) {
    console.error((error as Error).message);
    Deno.exit(1);
  }
}

/** Waits. */
export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
