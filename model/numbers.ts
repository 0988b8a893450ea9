/**
 * The numbers that stats may have, in text and in sums.
 *
 * Pure: no clock, no I/O. Imports nothing.
 *
 * @module
 */

/** The value of one stat. */
export interface Stat {
  /** A finite number. */
  value: number;
  /** Whether the stat prints with a decimal point. Once true, it stays true. */
  fractional: boolean;
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
 * whole number, which prints as digits only, however large it is.
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

// No digit can match two parts of this expression. If one could, a long line
// would take seconds.
const FLOAT = /^[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?$/;

/** The longest text of a number. No double has more digits, even written exactly. */
const MAX_NUMBER_LENGTH = 1_100;

/** Parses a decimal number. Returns `undefined` for any other text. */
export function parseNumber(text: string): Stat | undefined {
  if (text.length > MAX_NUMBER_LENGTH) return undefined;
  const fractional = !INTEGER.test(text);
  if (fractional && !FLOAT.test(text)) return undefined;
  // Turns -0 into 0.
  const value = Number(text) + 0;
  return Number.isFinite(value) ? { value, fractional } : undefined;
}

/** Parses a decimal number with ASCII blanks around it. */
export function parsePaddedNumber(text: string): Stat | undefined {
  return /^[\t\v\f\r -~]*$/.test(text) ? parseNumber(text.trim()) : undefined;
}

/**
 * Adds two finite numbers. A sum beyond the range of a double becomes the largest
 * double of its sign, since neither the pipe nor JSON can express infinity.
 *
 * @param a A finite number.
 * @param b A finite number.
 * @returns Their sum.
 */
export function add(a: number, b: number): number {
  return Math.min(Math.max(a + b, -Number.MAX_VALUE), Number.MAX_VALUE);
}

/**
 * A sum and what rounding has taken from it. Its value does not depend on the
 * order in which numbers were added, or on the groups that they were added in,
 * so that it does not fall when the values of a process move to a ledger. For
 * whoever reads a counter, a fall is a restart, however small it is.
 */
export interface ExactSum {
  /** The sum, rounded once. A finite number. */
  value: number;
  /** What must be added to the value for the exact sum: less than half of its last digit. */
  rest: number;
}

/**
 * What rounding has taken from `sum`, which is `a + b`: the exact sum is `sum`
 * and this. The algorithm is Knuth's TwoSum (The Art of Computer Programming,
 * volume 2, 4.2.2, theorem B).
 */
export function roundingError(a: number, b: number, sum: number): number {
  const part = sum - a;
  return (a - (sum - part)) + (b - part);
}

/**
 * Adds a number to a sum. Beyond the range of a double, a sum becomes the
 * largest double of its sign, as {@linkcode add} makes it.
 *
 * @param to The sum, which is changed.
 * @param value A finite number.
 * @param rest What rounding has taken from that number, if it is a sum itself.
 */
export function addExactly(to: ExactSum, value: number, rest = 0): void {
  const sum = to.value + value;
  if (!Number.isFinite(sum)) {
    to.value = add(sum, 0);
    to.rest = 0;
    return;
  }
  const error = to.rest + rest + roundingError(to.value, value, sum);
  to.value = add(sum, error);
  to.rest = error - (to.value - sum);
}
