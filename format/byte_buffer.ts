/**
 * A growing buffer of bytes, to which text and numbers are appended.
 *
 * Pure: no clock, no I/O.
 *
 * @module
 */

import { MINUS, ZERO } from "./ascii.ts";
import { formatNumber } from "../model/numbers.ts";

// The longest number: 309 digits, a sign and ".0".
const NUMBER_BYTES = 320;

const encoder = new TextEncoder();

/** A growing buffer of bytes. */
export class ByteBuffer {
  /** The bytes, and room for more. Replaced by another array when the buffer grows. */
  bytes: Uint8Array<ArrayBuffer>;
  /** How many bytes are in use. */
  length = 0;

  constructor(size = 4096) {
    this.bytes = new Uint8Array(size);
  }

  /** Makes room for `count` more bytes. */
  reserve(count: number): void {
    if (this.length + count <= this.bytes.length) return;
    const old = this.bytes;
    this.bytes = new Uint8Array(2 * (this.length + count));
    this.bytes.set(old);
  }

  /** Moves all bytes from one offset on to another offset. */
  move(from: number, to: number): void {
    this.reserve(to - from);
    this.bytes.copyWithin(to, from, this.length);
    this.length += to - from;
  }

  /** Appends text that stands in `source` from `start` to `end`. */
  copy(source: Uint8Array, start: number, end: number): void {
    this.reserve(end - start);
    const { bytes } = this;
    let { length } = this;
    // Names are short. `set(subarray())` takes three times as long for 20 bytes.
    for (let i = start; i < end; i++) bytes[length++] = source[i];
    this.length = length;
  }

  /** Appends encoded text. */
  text(text: Uint8Array): void {
    this.copy(text, 0, text.length);
  }

  /** Appends text as UTF-8. */
  string(text: string): void {
    this.reserve(3 * text.length);
    this.length += encoder.encodeInto(
      text,
      this.bytes.subarray(this.length),
    ).written;
  }

  /** Appends one ASCII character. */
  char(code: number): void {
    this.reserve(1);
    this.bytes[this.length++] = code;
  }

  /** Appends a number. */
  number(value: number, fractional: boolean): void {
    this.reserve(NUMBER_BYTES);
    if (fractional || value > 2 ** 53 || value < -(2 ** 53)) {
      const text = formatNumber(value, fractional);
      for (let i = 0; i < text.length; i++) {
        this.bytes[this.length++] = text.charCodeAt(i);
      }
      return;
    }
    if (value < 0) {
      this.bytes[this.length++] = MINUS;
      value = -value;
    }
    // Division is fast for 32-bit integers, so the last nine digits and the
    // digits before them are written apart.
    if (value < 1e9) this.#digits(value | 0, 1);
    else {
      const high = Math.floor(value / 1e9);
      this.#digits(high | 0, 1);
      this.#digits((value - high * 1e9) | 0, 9);
    }
  }

  /** Appends a 32-bit integer from 0 on, filled up with zeros to `width` digits. */
  #digits(value: number, width: number): void {
    for (let limit = 10 ** width; value >= limit; limit *= 10) width++;
    this.length += width;
    const { bytes } = this;
    for (let at = this.length - 1; width > 0; width--, at--) {
      const rest = (value / 10) | 0;
      bytes[at] = ZERO + value - 10 * rest;
      value = rest;
    }
  }
}
