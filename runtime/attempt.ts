/**
 * Tells failures that do no harm from those that matter.
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

/**
 * Whether an error says that the operating system, or Deno, has refused an
 * action, rather than that the program is wrong.
 */
export function isSystemError(error: unknown): boolean {
  const { code, name } = error as { code?: unknown; name?: unknown };
  // Deno's error of a missing permission has no code.
  return typeof code === "string" || name === "NotCapable";
}
