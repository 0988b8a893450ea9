/**
 * One open file that can be spared, so that the end of a program, which opens
 * some, has room for one where no more may be open.
 *
 * Holds the pipe directory open.
 *
 * @module
 */

import { runtime } from "../runtime/runtime.ts";

let spare: number | undefined;

let isListening = false;

/** Opens the file, unless it is open. Where that fails there is none. */
export function keepSpare(dir: string): void {
  if (!isListening) {
    isListening = true;
    // Before all others, which this file is for.
    runtime.onExit(useSpare, useSpare);
  }
  try {
    spare ??= runtime.openReader(dir);
  } catch {
    // What needs one more file will say so.
  }
}

/** Closes the file, so that another one can be opened. */
export function useSpare(): void {
  if (spare === undefined) return;
  runtime.close(spare);
  spare = undefined;
}
