/**
 * Writes the stats of a process as the bytes of one snapshot.
 *
 * Keeps its buffer and the encoded names from one snapshot to the next.
 *
 * Pure: no clock, no I/O.
 *
 * @module
 */

import { EOF, formatNumber, WINDOW } from "./format.ts";
import { mean, percentile } from "./percentile.ts";
import type { ProcessStats, RecordedStat } from "./process_stats.ts";

const ZERO = 48;
const MINUS = 45;
const COMMA = 44;
const NEWLINE = 10;

// The longest number: 309 digits, a sign and ".0".
const NUMBER_BYTES = 320;

const encoder = new TextEncoder();

/** Bytes that are appended to, in a buffer that is kept and grows. */
class ByteBuffer {
  bytes: Uint8Array<ArrayBuffer> = new Uint8Array(4096);
  length = 0;

  /** Makes room for `count` more. */
  reserve(count: number): void {
    if (this.length + count <= this.bytes.length) return;
    const old = this.bytes;
    this.bytes = new Uint8Array(2 * (this.length + count));
    this.bytes.set(old);
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
    // Division is fast for 32-bit integers, such as the last nine digits and
    // what is left of 2^53 before them.
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

/** What stands on the lines of a recorded stat, but for the numbers. */
interface RecordedText {
  readonly percentiles: readonly (readonly [number, Uint8Array])[];
  readonly mean: Uint8Array;
  /** The annotation up to the first value. */
  readonly window: Uint8Array;
}

const WINDOW_END = encoder.encode("]}: ");
const EOF_START = encoder.encode(`${EOF}: `);

function encodeRecorded({ description }: RecordedStat): RecordedText {
  const { name, percentiles, mean } = description;
  const line = (name: string) => encoder.encode(`${name}: `);
  const head = JSON.stringify({ name, percentiles, mean });
  return {
    percentiles: percentiles.map(([p, name]) => [p, line(name)]),
    mean: line(mean),
    window: encoder.encode(`${WINDOW}${head.slice(0, -1)},"values":[`),
  };
}

/** Writes snapshots of one process, one after the other. */
export class Exposition {
  readonly #out = new ByteBuffer();
  // The names of counters and gauges, each with ": ", and where each ends.
  readonly #names = new ByteBuffer();
  readonly #nameEnds: number[] = [];
  readonly #recorded: RecordedText[] = [];

  /**
   * Writes one snapshot.
   *
   * @param stats What to write. Always the same object.
   * @param annotations Whether to send more than the lines of statvent 1.0.
   * @returns The bytes, in a buffer that the next call reuses.
   */
  write(stats: ProcessStats, annotations: boolean): Uint8Array<ArrayBuffer> {
    const out = this.#out;
    out.length = 0;
    this.#writeScalars(stats);
    const recorded = [...stats.recorded.values()];
    while (this.#recorded.length < recorded.length) {
      this.#recorded.push(encodeRecorded(recorded[this.#recorded.length]));
    }
    const windows = recorded.map((stat) => stat.sorted());
    for (const [i, stat] of recorded.entries()) {
      this.#writeRecorded(this.#recorded[i], windows[i], stat.fractional);
    }
    if (annotations) {
      for (const [i, stat] of recorded.entries()) {
        this.#writeWindow(this.#recorded[i], windows[i], stat.fractional);
      }
      const before = out.length;
      out.text(EOF_START);
      out.number(before, false);
      out.char(NEWLINE);
    }
    return out.bytes.subarray(0, out.length);
  }

  #writeScalars({ names, values, fractional }: ProcessStats): void {
    const out = this.#out;
    while (this.#nameEnds.length < names.length) {
      this.#names.text(encoder.encode(`${names[this.#nameEnds.length]}: `));
      this.#nameEnds.push(this.#names.length);
    }
    let start = 0;
    for (let i = 0; i < names.length; i++) {
      const end = this.#nameEnds[i];
      out.copy(this.#names.bytes, start, end);
      out.number(values[i], fractional[i] === 1);
      out.char(NEWLINE);
      start = end;
    }
  }

  #writeRecorded(
    text: RecordedText,
    sorted: Float64Array,
    fractional: boolean,
  ): void {
    if (sorted.length === 0) return;
    const out = this.#out;
    for (const [p, line] of text.percentiles) {
      out.text(line);
      out.number(percentile(sorted, p), fractional);
      out.char(NEWLINE);
    }
    // Seldom whole, so always with a decimal point.
    out.text(text.mean);
    out.number(mean(sorted), true);
    out.char(NEWLINE);
  }

  #writeWindow(
    text: RecordedText,
    sorted: Float64Array,
    fractional: boolean,
  ): void {
    if (sorted.length === 0) return;
    const out = this.#out;
    out.text(text.window);
    for (let i = 0; i < sorted.length; i++) {
      if (i > 0) out.char(COMMA);
      out.number(sorted[i], fractional);
    }
    out.text(WINDOW_END);
    out.number(sorted.length, false);
    out.char(NEWLINE);
  }
}
