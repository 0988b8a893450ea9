/**
 * Parses the lines of stats: `<name>: <number>`, and the less regular ones that
 * simple writers send.
 *
 * Pure: no clock, no I/O.
 *
 * @module
 */

import { COLON, SPACE } from "./ascii.ts";
import type { BadLines, NameTable, Snapshot } from "./snapshot.ts";
import { MAX_NAME_LENGTH } from "../model/names.ts";
import { add, parsePaddedNumber, type Stat } from "../model/numbers.ts";
import { show } from "../model/show.ts";

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const latin1 = new TextDecoder("latin1");

/** The stats of a snapshot, column by column. */
export type Columns = Pick<Snapshot, "ids" | "values" | "fractional" | "bad">;

/** Where the lines of stats stand in the text. */
export interface Places {
  /** Where each line's name starts. */
  readonly starts: Int32Array;
  /** Where each line's number starts. */
  readonly ends: Int32Array;
}

/** The stat lines of a text, added one by one. */
export class StatLines {
  /** How many lines there are. A name may stand on several. */
  count = 0;
  /** Where the last line ends. */
  end = 0;
  /** The lines that were left out; `undefined` if there are none. */
  bad: BadLines | undefined;
  readonly #bytes: Uint8Array;
  readonly #table: NameTable;
  /** The index of each stat in the columns, by id. */
  readonly #indexes: Map<number, number> = new Map();
  readonly #starts: number[] = [];
  readonly #ends: number[] = [];
  readonly #values: number[] = [];
  readonly #fractional: number[] = [];

  constructor(bytes: Uint8Array, table: NameTable) {
    this.#bytes = bytes;
    this.#table = table;
  }

  /**
   * Adds a line of a snapshot with annotations.
   *
   * @returns What is wrong with it, for a person; `undefined` if nothing is.
   */
  add(start: number, lineEnd: number): string | undefined {
    const bytes = this.#bytes;
    let colon = lineEnd - 2;
    while (
      colon >= start && (bytes[colon] !== COLON || bytes[colon + 1] !== SPACE)
    ) colon--;
    const stat = this.#numberBetween(colon + 2, lineEnd);
    return colon < start || stat === undefined
      ? `every line must be "<name>: <number>", got ${
        show(this.#text(start, lineEnd))
      }`
      : this.#put(start, colon, colon + 2, lineEnd, stat);
  }

  /**
   * Adds a line of a snapshot without annotations, as statvent 1.0 reads it: a
   * blank need not follow the colon, and a line without a number is left out.
   *
   * @returns What is wrong with it, for a person; `undefined` if nothing is, or
   * only the number.
   */
  addSimple(start: number, lineEnd: number): string | undefined {
    const bytes = this.#bytes;
    // No number has a colon.
    let colon = lineEnd - 1;
    while (colon >= start && bytes[colon] !== COLON) colon--;
    if (colon < start) {
      const line = show(this.#text(start, lineEnd));
      return start === 0
        ? `its first line may be a part of one, got ${line}`
        : `every line must be "<name>: <number>", got ${line}`;
    }
    const numberStart = bytes[colon + 1] === SPACE ? colon + 2 : colon + 1;
    const stat = this.#numberBetween(numberStart, lineEnd);
    if (stat !== undefined) {
      return this.#put(start, colon, numberStart, lineEnd, stat);
    }
    const { count, first } = this.bad ??
      { count: 0, first: show(this.#text(start, lineEnd)) };
    this.bad = { count: count + 1, first };
  }

  #text(start: number, end: number): string {
    return decoder.decode(this.#bytes.subarray(start, end));
  }

  #numberBetween(start: number, end: number): Stat | undefined {
    return parsePaddedNumber(latin1.decode(this.#bytes.subarray(start, end)));
  }

  #put(
    start: number,
    colon: number,
    numberStart: number,
    lineEnd: number,
    stat: Stat,
  ): string | undefined {
    const name = this.#text(start, colon);
    if (name.length > MAX_NAME_LENGTH) {
      return `no name may be so long, got ${show(name)}`;
    }
    this.count++;
    this.end = lineEnd + 1;
    const id = this.#table.idOf(name);
    const index = this.#indexes.get(id);
    if (index === undefined) {
      this.#indexes.set(id, this.#values.length);
      this.#starts.push(start);
      this.#ends.push(numberStart);
      this.#values.push(stat.value);
      this.#fractional.push(stat.fractional ? 1 : 0);
    } else {
      this.#values[index] = add(this.#values[index], stat.value);
      if (stat.fractional) this.#fractional[index] = 1;
    }
  }

  toColumns(): Columns {
    return {
      ids: Int32Array.from(this.#indexes.keys()),
      values: Float64Array.from(this.#values),
      fractional: Uint8Array.from(this.#fractional),
      bad: this.bad,
    };
  }

  /** The places of the first line of each stat. */
  toPlaces(): Places {
    return {
      starts: Int32Array.from(this.#starts),
      ends: Int32Array.from(this.#ends),
    };
  }
}
