/**
 * Writes the lines of counters and gauges, over those of the last snapshot.
 *
 * From one snapshot to the next most lines stay the same, and most others get a
 * number of the same length. So the text is kept, and numbers are replaced:
 * 10 000 lines take 0.06 ms if one in a hundred has changed and 0.37 ms if all
 * have, instead of 0.60 ms when all are written anew (Deno 2.9.6).
 *
 * Pure: no clock, no I/O.
 *
 * @module
 */

import { NEWLINE } from "./ascii.ts";
import { ByteBuffer } from "./byte_buffer.ts";
import { IS_FRACTIONAL } from "../model/marks.ts";

/**
 * How often the text behind a number is moved because the number has become
 * longer or shorter. More moves take longer than writing the rest anew.
 */
const MAX_MOVES = 16;

/** The stats to write: a line each, in this order. */
export interface Scalars {
  /** The names. Only ever appended to. */
  readonly names: readonly string[];
  /** Their values. */
  readonly values: Float64Array;
  /** Whether each is fractional. */
  readonly marks: Uint8Array;
}

/** The lines of counters and gauges. */
export class ScalarLines {
  // The encoded names, each followed by ": ", and the offset of each one's end.
  readonly #names = new ByteBuffer();
  readonly #nameEnds: number[] = [];
  // The lines that were last written: their number, contents and ends.
  #count = 0;
  #values = new Float64Array(64);
  #fractional = new Uint8Array(64);
  #ends = new Int32Array(64);
  readonly #number = new ByteBuffer();

  /**
   * Writes all lines.
   *
   * @param out The target, from its beginning on, which still holds the lines
   * that were last written.
   */
  write(out: ByteBuffer, { names, values, marks }: Scalars): void {
    this.#add(names);
    const ends = this.#ends;
    const number = this.#number;
    // The start of the line, and the distance that lines have been moved by.
    let start = 0;
    let shift = 0;
    let moves = 0;
    for (let i = 0; i < names.length; i++) {
      const value = values[i];
      const fractional = marks[i] & IS_FRACTIONAL;
      if (
        i < this.#count && value === this.#values[i] &&
        fractional === this.#fractional[i]
      ) {
        start = ends[i] += shift;
        continue;
      }
      this.#values[i] = value;
      this.#fractional[i] = fractional;
      number.length = 0;
      number.number(value, fractional !== 0);
      number.char(NEWLINE);
      const nameStart = i === 0 ? 0 : this.#nameEnds[i - 1];
      const nameEnd = this.#nameEnds[i];
      const end = start + nameEnd - nameStart + number.length;
      if (i < this.#count) {
        const old = ends[i] + shift;
        if (end !== old && ++moves > MAX_MOVES) this.#count = i;
        else if (end !== old) {
          out.length = ends[this.#count - 1] + shift;
          out.move(old, end);
          shift += end - old;
        }
      }
      if (i < this.#count) out.length = end - number.length;
      else {
        out.length = start;
        out.copy(this.#names.bytes, nameStart, nameEnd);
      }
      out.copy(number.bytes, 0, number.length);
      start = ends[i] = end;
    }
    this.#count = names.length;
    out.length = start;
  }

  /** Encodes new names, and makes room for their lines. */
  #add(names: readonly string[]): void {
    while (this.#nameEnds.length < names.length) {
      this.#names.string(`${names[this.#nameEnds.length]}: `);
      this.#nameEnds.push(this.#names.length);
    }
    if (names.length <= this.#ends.length) return;
    const length = Math.max(names.length, 2 * this.#ends.length);
    const [values, fractional, ends] = [
      this.#values,
      this.#fractional,
      this.#ends,
    ];
    this.#values = new Float64Array(length);
    this.#values.set(values);
    this.#fractional = new Uint8Array(length);
    this.#fractional.set(fractional);
    this.#ends = new Int32Array(length);
    this.#ends.set(ends);
  }
}
