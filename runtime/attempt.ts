/**
 * Actions that may fail without harm.
 *
 * Pure: no clock, no I/O. Imports nothing.
 *
 * @module
 */

/** Returns the result of an action, or `undefined` if it throws. */
export function attempt<T>(action: () => T): T | undefined {
  try {
    return action();
  } catch {
    return undefined;
  }
}

/** Returns whether an action succeeds, rather than throwing. */
export function succeeds(action: () => void): boolean {
  try {
    action();
    return true;
  } catch {
    return false;
  }
}
