/**
 * The start and the end that all programs of the demo share.
 *
 * @module
 */

import { startRecorder } from "@statvent/statvent";

/**
 * Ends this program when the demo is gone. The demo holds the other end of the
 * standard input, which closes even if the demo is killed.
 */
export async function endWithDemo(): Promise<void> {
  for await (const _ of Deno.stdin.readable);
  // A regular exit, so that the recorder removes its pipe.
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
