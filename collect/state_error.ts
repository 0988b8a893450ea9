/**
 * The error of a state file that cannot be used.
 *
 * Pure: no clock, no I/O. Imports nothing.
 *
 * @module
 */

/** Thrown if a state file cannot be used. */
export class StateError extends Error {
  /**
   * Makes the error.
   *
   * @param path The state file.
   * @param why What must hold, or what the system says.
   */
  constructor(path: string, why: string, cause?: unknown) {
    super(`Cannot use the state file ${path}: ${why}`, { cause });
  }
}

/** Does something with a state file, and names the file in errors of the system. */
export function withStateFile<T>(path: string, action: () => T): T {
  try {
    return action();
  } catch (error) {
    if (error instanceof StateError) throw error;
    throw new StateError(path, (error as Error).message, error);
  }
}
