/**
 * One open file to spare: closed when the program ends, it makes room for a file
 * that the end needs where the limit of open files is reached.
 *
 * Keeps the pipe directory open.
 *
 * @module
 */

import { runtime } from "../runtime/runtime.ts";

let spare: number | undefined;

let isListening = false;

/** Opens the spare file, unless it is open. Where that fails, there is none. */
export function keepSpare(dir: string): void {
  if (!isListening) {
    isListening = true;
    // First of all listeners, since the others need the room.
    runtime.onExit(useSpare, useSpare);
  }
  try {
    spare ??= runtime.openReader(dir);
  } catch {
    // The limit is reached now. Whatever needs a file will report that.
  }
}

/** Closes the spare file, so that another file can be opened. */
export function useSpare(): void {
  if (spare === undefined) return;
  runtime.close(spare);
  spare = undefined;
}
