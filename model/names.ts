/**
 * What lines are made of: names, numbers and the words of annotations.
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

/** What annotations begin with. No stat's name does. */
export const ANNOTATION = "# ";
/** The name of the last line's annotation. */
export const EOF = "# EOF";
/** What the annotations begin with that hold JSON before their number. */
export const PROCESS = "# process ";
/** Those who are gone. */
export const LEDGER = "# ledger ";
/** Gauges. */
export const GAUGES = "# gauge ";
/** Stats of a kind that is not known. */
export const UNKNOWNS = "# unknown ";
/** What is said of a stat. */
export const DESCRIBE = "# describe ";
/** When gauges were set. */
export const LAST_SET = "# last ";
/** The window behind a recorded stat. */
export const WINDOW = "# window ";
/** All values of a recorded stat. */
export const HISTOGRAM = "# histogram ";

/** What a process says of itself. */
export interface ProcessInfo {
  /** When it started, in seconds since 1970. With its id, this tells it apart. */
  readonly start: number;
  /** What it is called. */
  readonly name?: string;
  /** What it runs on, such as `deno 2.9.6`. */
  readonly runtime?: string;
  /** Whether its stats are the sums of other processes. */
  readonly relay?: boolean;
  /** For how many seconds, at least, its main thread has not turned. */
  stalled: number;
}

/** How many processes a ledger lists, of those that it has taken in last. */
export const MAX_LISTED = 4_096;

/** What a ledger says of itself. */
export interface LedgerInfo {
  /** Tells it from one that was there before. */
  readonly id: string;
  /** How many processes it has taken in. */
  readonly count: number;
  /** The last of them, in order: `<pid>@<start in milliseconds>`. */
  readonly ended: readonly string[];
}

/** The longest name, in UTF-16 code units. */
export const MAX_NAME_LENGTH = 65_536;

// What Unicode calls a mandatory break: readers that split lines by it exist.
const LINE_BREAK = /[\n\v\f\r\x85\u2028\u2029]/;

// Of these, JSON leaves the last three as they are.
const RAW_LINE_BREAKS = /[\x85\u2028\u2029]/g;

/** Writes JSON that has no line break. */
export function jsonLine(value: unknown): string {
  return JSON.stringify(value).replace(
    RAW_LINE_BREAKS,
    (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

/** Says why `name` cannot name a stat, or `undefined` if it can. */
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
// No two parts can take the same digits: else a long line takes seconds.
const FLOAT = /^[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?$/;

/** The longest number. No double has more digits when it is written exactly. */
const MAX_NUMBER_LENGTH = 1_100;

/** Reads a decimal number, or `undefined` if the text is anything else. */
export function parseNumber(text: string): Stat | undefined {
  if (text.length > MAX_NUMBER_LENGTH) return undefined;
  const fractional = !INTEGER.test(text);
  if (fractional && !FLOAT.test(text)) return undefined;
  // There is no -0.
  const value = Number(text) + 0;
  return Number.isFinite(value) ? { value, fractional } : undefined;
}

/** The same with blanks around it, of ASCII only. */
export function parsePaddedNumber(text: string): Stat | undefined {
  return /^[\t\v\f\r -~]*$/.test(text) ? parseNumber(text.trim()) : undefined;
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
