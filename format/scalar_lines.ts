/**
 * Writes the lines of counters and gauges, over those of the last snapshot.
 *
 * From one snapshot to the next most lines stay the same, and most others get
 * a number that is as long. So the text is kept, and numbers are replaced.
 *
 * Pure: no clock, no I/O.
 *
 * @module
 */

import { NEWLINE } from "./ascii.ts";
import { ByteBuffer } from "./byte_buffer.ts";
import { IS_FRACTIONAL } from "../model/marks.ts";

/**
 * How often what follows a number is moved because the number has become
 * longer or shorter. Then the rest is written anew, which takes as long.
 */
const MAX_MOVES = 16;

/** What is written: a line each, in this order. */
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
  // The names, each with ": ", and where each ends.
  readonly #names = new ByteBuffer();
  readonly #nameEnds: number[] = [];
  // How many lines there are, what each says, and where it ends.
  #count = 0;
  #values = new Float64Array(64);
  #fractional = new Uint8Array(64);
  #ends = new Int32Array(64);
  readonly #number = new ByteBuffer();

  /**
   * Writes all lines.
   *
   * @param out Where they go, from its beginning on. What was written there the
   * last time still stands there.
   */
  write(out: ByteBuffer, { names, values, marks }: Scalars): void {
    this.#add(names);
    const ends = this.#ends;
    const number = this.#number;
    // Where the line begins, and how far it has been moved.
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

  /** Makes room for names that are new. */
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
