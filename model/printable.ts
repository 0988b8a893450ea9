/**
 * Text in which nothing acts on what shows it.
 *
 * Pure: no clock, no I/O. Imports nothing.
 *
 * @module
 */

/**
 * Characters that a terminal obeys, that change the direction of text or that
 * break a line.
 */
const UNPRINTABLE = /[\p{Cc}\p{Bidi_Control}\u2028\u2029]/gu;

/** A character as JSON escapes it: `\n`, `\u001b`. */
function escape(character: string): string {
  const quoted = JSON.stringify(character).slice(1, -1);
  return quoted.length > 1
    ? quoted
    : `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
}

/**
 * Escapes control characters and those that change the direction of text, as
 * JSON does. Leaves JSON with the same meaning, unless it has line breaks
 * between its values.
 *
 * @param text A line for a person to read, or JSON.
 * @returns The text, for a terminal, a log or a page.
 */
export function printable(text: string): string {
  return text.replace(UNPRINTABLE, escape);
}
