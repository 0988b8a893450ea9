/**
 * The rules for names of stats.
 *
 * Pure: no clock, no I/O.
 *
 * @module
 */

import { show } from "./show.ts";

/** The start of every annotation, and of no stat's name. */
export const ANNOTATION = "# ";

/** The counter of calls that were refused because there were too many names. */
export const REFUSED = "statvent.refused";

/** The longest name, in UTF-16 code units. */
export const MAX_NAME_LENGTH = 65_536;

// Unicode's mandatory line breaks: some readers split lines at each of them.
const LINE_BREAK = /[\n\v\f\r\x85\u2028\u2029]/;

// The line breaks that JSON does not escape.
const RAW_LINE_BREAKS = /[\x85\u2028\u2029]/g;

/** Writes JSON without a line break. */
export function jsonLine(value: unknown): string {
  return JSON.stringify(value).replace(
    RAW_LINE_BREAKS,
    (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

/**
 * Says why `name` cannot name a stat, or `undefined` if it can. Other writers may
 * leave a name empty, so readers must take that.
 */
export function whyNoName(name: unknown): string | undefined {
  if (typeof name !== "string") return `must be a string, got ${show(name)}`;
  if (name.length > MAX_NAME_LENGTH) {
    return `must have at most ${MAX_NAME_LENGTH} characters, got ${name.length}`;
  }
  if (LINE_BREAK.test(name)) {
    return `must not contain a line break, got ${show(name)}`;
  }
  if (name.startsWith(ANNOTATION)) {
    return `must not begin with "# ", got ${show(name)}`;
  }
  if (!name.isWellFormed()) {
    return `must be well-formed Unicode, got ${show(name)}`;
  }
}

/**
 * Checks that `name` can name a stat.
 *
 * @example A line break
 * ```ts
 * import { checkName } from "@statvent/statvent/format";
 * import { assertThrows } from "@std/assert";
 *
 * assertThrows(() => checkName("a\nb"), TypeError, "line break");
 * ```
 *
 * @param name Any text of 1 to 65 536 characters without a line break that does
 * not begin with `# `.
 * @throws {TypeError} If it is empty, or cannot stand at the beginning of a line.
 */
export function checkName(name: string): void {
  const why = name === "" ? `must not be empty, got ""` : whyNoName(name);
  if (why !== undefined) {
    throw new TypeError(`Cannot name a stat: the name ${why}`);
  }
}

const PLACEHOLDER = /[ ._:/-]\{0\}|^\{0\}[ ._:/-]?|\{0\}/g;

/**
 * The name of a recorded stat without `{0}` and the separator before it, or
 * behind a leading one. Protocols that know distributions use it; the others
 * name each number with {@linkcode formatName}.
 *
 * @param name A name, with `{0}` in it or without.
 * @returns The rest, which may be empty.
 */
export function withoutPlaceholder(name: string): string {
  return name.replace(PLACEHOLDER, "");
}

/**
 * Replaces `{0}` in the name of a distribution by a label.
 *
 * @example The median's name
 * ```ts
 * import { formatName } from "@statvent/statvent/format";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(formatName("latency.{0}", "median"), "latency.median");
 * ```
 *
 * @param name A name with `{0}` in it, once or more often.
 * @param label What replaces it.
 * @returns The name with the label.
 */
export function formatName(name: string, label: string): string {
  return name.replaceAll("{0}", () => label);
}
