/**
 * Keys that tell processes apart, including processes that had the same id at
 * different times.
 *
 * Pure: no clock, no I/O. Imports nothing.
 *
 * @module
 */

/**
 * The key of a process.
 *
 * @param base The name of its pipe without `.stats`, mostly its process id.
 * @param start When it started: a number in seconds since 1970, or a text that
 * stands for it.
 */
export function processKey(
  base: number | string,
  start: number | string,
): string {
  return `${base}@${
    typeof start === "number" ? Math.round(1000 * start) : start
  }`;
}

/** The key, qualified by user, so that no user can end or impersonate another's process. */
export function ownKey(owner: number, key: string): string {
  return `${key} of ${owner}`;
}

/** The key without its user. */
export function withoutOwner(own: string): string {
  return own.slice(0, own.lastIndexOf(" of "));
}
