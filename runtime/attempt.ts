/**
 * What may fail without harm.
 *
 * Pure: no clock, no I/O. Imports nothing.
 *
 * @module
 */

/** The result of an action, or `undefined` if it fails. */
export function attempt<T>(action: () => T): T | undefined {
  try {
    return action();
  } catch {
    return undefined;
  }
}
