/**
 * Reads numbers from bytes, and compares bytes, without making text of them.
 *
 * Pure: no clock, no I/O.
 *
 * @module
 */

import { DOT, MINUS, NEWLINE, ZERO } from "./ascii.ts";
import { parsePaddedNumber } from "../model/numbers.ts";

const latin1 = new TextDecoder("latin1");

const POWERS_OF_TEN = Float64Array.from({ length: 23 }, (_, i) => 10 ** i);

// The second and third result of reading a number are module variables: as
// fields of an object they make a line of a snapshot 2 ns slower to read (45
// instead of 43 ns, Deno 2.9.6), and a returned object would be allocated.

/** Where the number that was last read ends; -1 if there was none. */
export let numberEnd = 0;
/** Whether the number that was last read has a decimal point. */
export let numberFractional = false;

/**
 * Reads the number at `start` if it has the plain form that writers use, with so
 * few digits that one division rounds it correctly. Otherwise `numberEnd` is -1.
 */
export function readNumber(bytes: Uint8Array, start: number): number {
  let at = start;
  const negative = bytes[at] === MINUS;
  if (negative) at++;
  const first = at;
  let value = 0;
  let digit = bytes[at] - ZERO;
  while (digit >= 0 && digit <= 9) {
    value = 10 * value + digit;
    digit = bytes[++at] - ZERO;
  }
  let digits = at - first;
  numberEnd = -1;
  if (digits === 0) return 0;
  numberFractional = bytes[at] === DOT;
  if (numberFractional) {
    const point = at;
    digit = bytes[++at] - ZERO;
    while (digit >= 0 && digit <= 9) {
      value = 10 * value + digit;
      digit = bytes[++at] - ZERO;
    }
    const decimals = at - point - 1;
    digits += decimals;
    if (decimals === 0) return 0;
    // Numbers with more decimals than the table has powers are refused below.
    value /= POWERS_OF_TEN[decimals];
  }
  if (digits > 15) return 0;
  numberEnd = at;
  return negative ? 0 - value : value;
}

/** Reads the number between `start` and the end of the line; `NaN` if there is none. */
export function readAnyNumber(bytes: Uint8Array, start: number): number {
  const end = bytes.indexOf(NEWLINE, start);
  const text = latin1.decode(bytes.subarray(start, end));
  const stat = parsePaddedNumber(text);
  if (end === -1 || stat === undefined) return NaN;
  numberEnd = end;
  numberFractional = stat.fractional;
  return stat.value;
}

/** Whether `bytes` have at `at` what `other` has from `start` to `end`. */
export function isSame(
  bytes: Uint8Array,
  at: number,
  other: Uint8Array,
  start: number,
  end: number,
): boolean {
  for (let i = start; i < end; i++, at++) {
    if (bytes[at] !== other[i]) return false;
  }
  return true;
}
