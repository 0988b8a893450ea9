/**
 * Parses the lines of stats: `<name>: <number>`.
 *
 * Pure: no clock, no I/O.
 *
 * @module
 */

import { COLON, SPACE } from "./ascii.ts";
import type { NameTable, Snapshot } from "./snapshot.ts";
import { MAX_NAME_LENGTH } from "../model/names.ts";
import { add, parsePaddedNumber } from "../model/numbers.ts";
import { show } from "../model/show.ts";

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const latin1 = new TextDecoder("latin1");

/** The stats of a snapshot, column by column. */
export type Columns = Pick<Snapshot, "ids" | "values" | "fractional">;

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
   * Adds a line.
   *
   * @returns What is wrong with it, for a person; `undefined` if nothing is.
   */
  add(start: number, lineEnd: number): string | undefined {
    const bytes = this.#bytes;
    let colon = lineEnd - 2;
    while (
      colon >= start && (bytes[colon] !== COLON || bytes[colon + 1] !== SPACE)
    ) colon--;
    const text = latin1.decode(bytes.subarray(colon + 2, lineEnd));
    const stat = parsePaddedNumber(text);
    if (colon < start || stat === undefined) {
      const line = decoder.decode(bytes.subarray(start, lineEnd));
      return `every line must be "<name>: <number>", got ${show(line)}`;
    }
    const name = decoder.decode(bytes.subarray(start, colon));
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
      this.#ends.push(colon + 2);
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
