/**
 * The text of the pipe: names, numbers and whole snapshots, both ways.
 *
 * `PIPE_FORMAT.md` is the contract that this module keeps.
 *
 * Pure: no clock, no I/O. Imports nothing.
 *
 * @module
 */

/** The value of one stat. */
export interface Stat {
  /** A finite number. */
  value: number;
  /** Whether it prints with a decimal point, for good. */
  fractional: boolean;
}

/** The window behind a recorded stat, as an annotation carries it. */
export interface Window {
  /** The name it was recorded under, such as `latency.{0}`. */
  readonly name: string;
  /** Each percentile, 0 to 100, and the name of the stat that shows it. */
  readonly percentiles:
    readonly (readonly [percentile: number, name: string])[];
  /** The name of the stat that shows the mean. */
  readonly mean: string;
  /** The values, in any order. */
  readonly values: readonly number[];
}

/** All that one process says of itself in one read. */
export interface Snapshot {
  /** The stats by name, in the order of their lines. */
  readonly stats: Map<string, Stat>;
  /** The windows behind those of the stats that must not be summed. */
  readonly windows: readonly Window[];
  /** Whether the writer sends annotations, and so a snapshot's end. */
  readonly annotated: boolean;
}

/** Thrown for bytes that are not one whole snapshot. */
export class SnapshotError extends SyntaxError {
  /** `"SnapshotError"`. */
  override name = "SnapshotError";
  /** Whether the writer sends annotations, as far as the bytes tell. */
  readonly annotated: boolean;
  /**
   * Whether the bytes look like a part of a snapshot that was sent with
   * annotations, as another reader of the same pipe leaves it. Reading again
   * may then help.
   */
  readonly torn: boolean;

  /**
   * Makes the error.
   *
   * @param message What was wrong.
   * @param annotated Whether there was an annotation.
   * @param torn Whether reading again may help.
   */
  constructor(message: string, annotated: boolean, torn: boolean) {
    super(message);
    this.annotated = annotated;
    this.torn = torn;
  }
}

/** What annotations begin with. No stat's name does. */
export const ANNOTATION = "# ";
/** The name of the last line's annotation. */
export const EOF = "# EOF";
/** What the annotation of a recorded stat's window begins with. */
export const WINDOW = "# window ";

/** The longest name, in UTF-16 code units. */
export const MAX_NAME_LENGTH = 65_536;

// A pipe holds its bytes in pages, so what one of two readers gets of a
// snapshot, except for its end, is made of whole pages. Larger pages are
// multiples of this.
const PAGE_BYTES = 4096;

// What Unicode calls a mandatory break: readers that split lines by it exist.
const LINE_BREAK = /[\n\v\f\r\x85\u2028\u2029]/;

/** Says why `name` cannot name a stat, or `undefined` if it can. */
function whyNoName(name: unknown): string | undefined {
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
 * Shows a value in an error message, in a few characters.
 *
 * @param value Anything.
 * @returns One short line.
 */
export function show(value: unknown): string {
  if (typeof value === "string") {
    return JSON.stringify(value.length > 80 ? `${value.slice(0, 80)}…` : value);
  }
  if (typeof value === "bigint") return `${value}n`;
  if (Array.isArray(value)) return `[${showItems(value)}]`;
  if (typeof value === "object" && value !== null) return "an object";
  return typeof value === "function" ? "a function" : String(value);
}

function showItems(items: readonly unknown[]): string {
  const shown = items.slice(0, 4).map((item) =>
    Array.isArray(item) ? "an array" : show(item)
  );
  return [...shown, ...(items.length > 4 ? ["…"] : [])].join(", ");
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
 * @param name Any text of at most 65 536 characters without a line break that
 * does not begin with `# `.
 * @throws {TypeError} If it cannot stand at the beginning of a line.
 */
export function checkName(name: string): void {
  const why = whyNoName(name);
  if (why !== undefined) {
    throw new TypeError(`Cannot name a stat: the name ${why}`);
  }
}

/**
 * Replaces `{0}` in the name of a recorded stat by a label.
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

/**
 * Writes a number as the pipe and the JSON answer show it.
 *
 * @example An integer and a stat that was once fractional
 * ```ts
 * import { formatNumber } from "@statvent/statvent/format";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(formatNumber(3, false), "3");
 * assertEquals(formatNumber(3, true), "3.0");
 * ```
 *
 * @param value A finite number. Not checked.
 * @param fractional Whether to show a decimal point. If not, `value` must be a
 * whole number, which prints as digits only, however large.
 * @returns The shortest text that reads back as the same double.
 */
export function formatNumber(value: number, fractional: boolean): string {
  if (!fractional) {
    return Math.abs(value) < 1e21 ? `${value}` : `${BigInt(value)}`;
  }
  const text = `${value}`;
  if (text.includes(".")) return text;
  const exponent = text.indexOf("e");
  return exponent === -1
    ? `${text}.0`
    : `${text.slice(0, exponent)}.0${text.slice(exponent)}`;
}

const INTEGER = /^[+-]?\d+$/;
const FLOAT = /^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/;

/** Reads a decimal number, or `undefined` if the text is anything else. */
function parseNumber(text: string): Stat | undefined {
  const fractional = !INTEGER.test(text);
  if (fractional && !FLOAT.test(text)) return undefined;
  const value = Number(text);
  return Number.isFinite(value) ? { value, fractional } : undefined;
}

/** Reads what stands between `# window ` and the number of the line. */
function parseWindow(text: string, count: number): Window | undefined {
  let window;
  try {
    window = JSON.parse(text);
  } catch {
    return undefined;
  }
  const isName = (name: unknown) => whyNoName(name) === undefined;
  return isName(window?.name) && isName(window.mean) &&
      Array.isArray(window.percentiles) &&
      window.percentiles.every((pair: unknown) =>
        Array.isArray(pair) && pair.length === 2 && Number.isFinite(pair[0]) &&
        pair[0] >= 0 && pair[0] <= 100 && isName(pair[1])
      ) &&
      Array.isArray(window.values) && window.values.length === count &&
      window.values.every(Number.isFinite)
    ? window
    : undefined;
}

/** The bytes that stand before a correct last line, or -1 if there is none. */
function endOf(bytes: Uint8Array, text: string): number {
  const start = text.lastIndexOf("\n", text.length - 2) + 1;
  const match = /^# EOF: (\d{1,15})\n$/.exec(text.slice(start));
  // The line is ASCII: as many bytes as characters.
  const before = bytes.length - (text.length - start);
  return match !== null && Number(match[1]) === before ? before : -1;
}

/**
 * Reads one snapshot, as it came from a pipe.
 *
 * @example A line of statvent 1.0
 * ```ts
 * import { parseSnapshot } from "@statvent/statvent/format";
 * import { assertEquals } from "@std/assert";
 *
 * const { stats } = parseSnapshot(new TextEncoder().encode("requests: 3\n"));
 * assertEquals(stats.get("requests"), { value: 3, fractional: false });
 * ```
 *
 * @param bytes All that came between opening the pipe and its end.
 * @returns The stats. A name that stands on several lines has their sum.
 * @throws {SnapshotError} If the bytes are not one whole snapshot.
 */
export function parseSnapshot(bytes: Uint8Array): Snapshot {
  let text;
  let isUtf8 = true;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })
      .decode(bytes);
  } catch {
    isUtf8 = false;
    // Annotations can still be told: they begin and end in ASCII.
    text = new TextDecoder("latin1").decode(bytes);
  }
  const annotated = text.startsWith(ANNOTATION) ||
    text.includes(`\n${ANNOTATION}`);
  const torn = annotated
    ? endOf(bytes, text) === -1
    : bytes.length % PAGE_BYTES === 0;
  const fail = (why: string) =>
    new SnapshotError(`Cannot read a snapshot: ${why}`, annotated, torn);
  if (!isUtf8) throw fail("it must be UTF-8");
  if (!text.endsWith("\n")) throw fail("its last line must be complete");
  if (torn) {
    throw fail(
      annotated
        ? `its last line must be a true ${EOF}`
        : "without annotations, whole pages may be a part of it",
    );
  }

  const stats = new Map<string, Stat>();
  const windows: Window[] = [];
  for (let start = 0; start < text.length;) {
    const end = text.indexOf("\n", start);
    const line = text.slice(start, end);
    const colon = line.lastIndexOf(": ");
    const stat = parseNumber(line.slice(colon + 2).trim());
    if (colon === -1 || stat === undefined) {
      throw fail(`every line must be "<name>: <number>", got ${show(line)}`);
    }
    const name = line.slice(0, colon);
    if (name.length > MAX_NAME_LENGTH && !name.startsWith(WINDOW)) {
      throw fail(`no name may be so long, got ${show(name)}`);
    }
    if (name.startsWith(WINDOW)) {
      const window = parseWindow(name.slice(WINDOW.length), stat.value);
      if (window === undefined) {
        throw fail(`a window must hold its values, got ${show(line)}`);
      }
      windows.push(window);
    } else if (name === EOF && end !== text.length - 1) {
      throw fail(`${EOF} must be the last line`);
    } else if (!name.startsWith(ANNOTATION)) {
      addStat(stats, name, stat);
    }
    start = end + 1;
  }
  return { stats, windows, annotated };
}

/**
 * Adds a stat to the one of the same name, or as a new one.
 *
 * @param stats What to add to.
 * @param name The name.
 * @param stat The value. Left as it is.
 */
export function addStat(
  stats: Map<string, Stat>,
  name: string,
  { value, fractional }: Stat,
): void {
  const sum = stats.get(name);
  if (sum === undefined) {
    stats.set(name, { value, fractional });
    return;
  }
  sum.value = add(sum.value, value);
  sum.fractional ||= fractional;
}

/**
 * Adds two finite numbers. A sum beyond the range of a double is the largest
 * double, since neither the pipe nor JSON has an infinity.
 *
 * @param a A finite number.
 * @param b A finite number.
 * @returns Their sum.
 */
export function add(a: number, b: number): number {
  return Math.min(Math.max(a + b, -Number.MAX_VALUE), Number.MAX_VALUE);
}
