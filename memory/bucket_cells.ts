/**
 * Counts recorded values in the cells of a slab.
 *
 * Pure: touches nothing but memory.
 *
 * @module
 */

import {
  boundHigh,
  boundLow,
  BUCKETS_PER_OCTAVE,
  HIGH_WORD,
  places,
} from "../model/histogram.ts";
import { add } from "../model/numbers.ts";
import { MAX, MIN, SUM, ZEROS } from "../slab/layout.ts";

/** The cells of the buckets of one sign. */
export class BucketTable {
  /** The cell of the first bucket of each factor of two, or 0, from the lowest on. */
  cells: Int32Array = new Int32Array(0);
  /** The exponent of the lowest factor of two. */
  first = 0;

  /** The cell of the first bucket above a power of two; 0 if it has no cells. */
  get(exponent: number): number {
    const place = (exponent - this.first) >>> 0;
    return place < this.cells.length ? this.cells[place] : 0;
  }

  /** Sets the cell of the first bucket above a power of two. */
  set(exponent: number, cell: number): void {
    const old = this.cells;
    if (old.length === 0) this.first = exponent;
    const first = Math.min(this.first, exponent);
    const end = Math.max(this.first + old.length, exponent + 1);
    this.cells = new Int32Array(end - first);
    this.cells.set(old, this.first - first);
    this.cells[exponent - first] = cell;
    this.first = first;
  }
}

/** Adds a value to the sum, minimum and maximum of a distribution. */
export function summarize(
  cells: Float64Array,
  at: number,
  value: number,
): void {
  cells[at + SUM] = add(cells[at + SUM], value);
  if (value < cells[at + MIN]) cells[at + MIN] = value;
  if (value > cells[at + MAX]) cells[at + MAX] = value;
}

/** Counts a run of zeros. Parameters and result are those of {@linkcode countValues}. */
export function countZeros(
  cells: Float64Array,
  at: number,
  start: number,
  end: number,
): number {
  let i = start;
  while (i < end && cells[i] === 0) i++;
  cells[at + ZEROS] += i - start;
  if (i > start) summarize(cells, at, 0);
  return i;
}

/**
 * Counts a run of values, up to the first that is not positive or has no bucket
 * yet. The loop takes 4 ns per value. It calls no function, and leaves zeros to
 * the caller: calling a rarely taken helper from it cost 4 ns more, since V8 then
 * reloads the arrays.
 *
 * @param cells All cells.
 * @param words All cells as 32-bit words.
 * @param at The first cell of the summary.
 * @param table The buckets of positive values.
 * @param start The cell of the first value.
 * @param end The cell behind the last value.
 * @returns The cell of the first value that is not counted, or `end`.
 */
export function countValues(
  cells: Float64Array,
  words: Int32Array,
  at: number,
  { cells: octaves, first }: BucketTable,
  start: number,
  end: number,
): number {
  const table = places;
  const highs = boundHigh;
  const lows = boundLow;
  const highWord = HIGH_WORD;
  const lowest = first + 1023;
  let sum = cells[at + SUM];
  let min = cells[at + MIN];
  let max = cells[at + MAX];
  let i = start;
  // Incremented along with `i`: a tenth faster than computing it from `i`.
  let word = 2 * start + highWord;
  for (; i < end; i++, word += 2) {
    const high = words[word];
    if (high <= 0) break;
    // The code of indexOfBits, with the tables in local variables.
    let octave = (high >>> 20) - lowest;
    let place = table[(high >>> 9) & 0x7ff];
    if (place < 0) {
      place = ~place;
      const mantissa = high & 0xfffff;
      const bound = highs[place];
      const isAbove = mantissa === bound
        ? (words[word ^ 1] >>> 0) > lows[place]
        : mantissa > bound;
      if (!isAbove && --place < 0) {
        place += BUCKETS_PER_OCTAVE;
        octave--;
      }
    }
    if ((octave >>> 0) >= octaves.length) break;
    const buckets = octaves[octave];
    if (buckets === 0) break;
    cells[buckets + place]++;
    const value = cells[i];
    sum += value;
    if (value < min) min = value;
    if (value > max) max = value;
  }
  cells[at + SUM] = add(sum, 0);
  cells[at + MIN] = min;
  cells[at + MAX] = max;
  return i;
}
