/**
 * Matches names with `*` and `?`.
 *
 * Pure: no clock, no I/O. Imports nothing.
 *
 * @module
 */

/**
 * Whether a text matches a pattern as a whole: `*` stands for any text, `?` for
 * any one character, everything else for itself. Takes time in proportion to
 * the product of the lengths at most, whatever the pattern.
 *
 * @param pattern The pattern.
 * @param text The text.
 */
export function matchesGlob(pattern: string, text: string): boolean {
  let at = 0;
  let next = 0;
  // Where the last `*` stands, and the end of what it stands for.
  let star = -1;
  let starEnd = 0;
  while (next < text.length) {
    if (pattern[at] === "*") {
      star = at++;
      starEnd = next;
    } else if (pattern[at] === "?") {
      at++;
      next += text.codePointAt(next)! > 0xffff ? 2 : 1;
    } else if (at < pattern.length && pattern[at] === text[next]) {
      at++;
      next++;
    } else if (star !== -1) {
      at = star + 1;
      next = ++starEnd;
    } else return false;
  }
  while (pattern[at] === "*") at++;
  return at === pattern.length;
}
