/**
 * Patterns for names, with the syntax of Python's `fnmatch`: `*` matches any
 * text, `?` any character, `[a-z]` a character of the set, `[!a-z]` a character
 * outside it.
 *
 * Pure: no clock, no I/O. Imports nothing.
 *
 * @module
 */

/** Whether a part of a glob matches a character. */
type Part = (character: string) => boolean;

const STAR = Symbol("*");

/** Parses the text between the brackets of `[a-z_]`. */
function parseSet(set: readonly string[]): Part {
  const negated = set[0] === "!";
  const ranges: [number, number][] = [];
  for (let i = negated ? 1 : 0; i < set.length; i++) {
    const from = set[i].codePointAt(0)!;
    if (set[i + 1] === "-" && i + 2 < set.length) {
      ranges.push([from, set[i += 2].codePointAt(0)!]);
    } else ranges.push([from, from]);
  }
  // Overlapping ranges are merged, so that a long set cannot make a test slow.
  const merged: [number, number][] = [];
  for (const [from, to] of ranges.sort(([a], [b]) => a - b)) {
    const last = merged.at(-1);
    if (last !== undefined && from <= last[1] + 1) {
      last[1] = Math.max(last[1], to);
    } else if (from <= to) merged.push([from, to]);
  }
  return (character) => {
    const point = character.codePointAt(0)!;
    return negated !== merged.some(([a, b]) => a <= point && point <= b);
  };
}

function parseGlob(glob: string): (Part | typeof STAR)[] {
  const parts: (Part | typeof STAR)[] = [];
  const characters = [...glob];
  for (let i = 0; i < characters.length; i++) {
    const c = characters[i];
    if (c === "*") parts.push(STAR);
    else if (c === "?") parts.push(() => true);
    else {
      // A "]" that comes first, or first after "!", belongs to the set.
      const first = i + (characters[i + 1] === "!" ? 2 : 1);
      const end = c === "[" ? characters.indexOf("]", first + 1) : -1;
      if (end === -1) parts.push((character) => character === c);
      else {
        parts.push(parseSet(characters.slice(i + 1, end)));
        i = end;
      }
    }
  }
  return parts;
}

/** Thrown when a glob takes too long. */
export class GlobError extends Error {}

/**
 * Makes a test for names out of a glob. In the worst case a test takes time in
 * proportion to the length of the text times that of the glob.
 *
 * @param maxSteps The number of comparisons, over all texts together, after which
 * the test gives up.
 * @returns The test, which throws a {@linkcode GlobError} when it gives up.
 */
export function compileGlob(
  glob: string,
  maxSteps = Infinity,
): (text: string) => boolean {
  const parts = parseGlob(glob);
  let steps = 0;
  return (text) => {
    const characters = [...text];
    let p = 0;
    let retry = -1;
    let from = 0;
    for (let i = 0; i < characters.length;) {
      if (++steps > maxSteps) throw new GlobError("The pattern takes too long");
      const part = parts[p];
      if (part === STAR) {
        retry = ++p;
        from = i;
      } else if (part?.(characters[i])) {
        p++;
        i++;
      } else if (retry !== -1) {
        // Backtrack: let the last star match one more character.
        p = retry;
        i = ++from;
      } else return false;
    }
    while (parts[p] === STAR) p++;
    return p === parts.length;
  };
}
