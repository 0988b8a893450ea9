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
  clamp,
  HIGH_WORD,
  places,
} from "../model/histogram.ts";
import { MAX, MIN, SUM, ZEROS } from "../slab/layout.ts";

/** Where the buckets of one sign are. */
export class BucketTable {
  /** The cell of the first bucket of each factor of two, or 0, from the lowest that there is. */
  cells: Int32Array = new Int32Array(0);
  /** The power of two that is the lowest. */
  first = 0;

  /** The cell of the first bucket above a power of two; 0 if there is none. */
  get(exponent: number): number {
    const place = (exponent - this.first) >>> 0;
    return place < this.cells.length ? this.cells[place] : 0;
  }

  /** Notes the cell of the first bucket above a power of two. */
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

/** Notes a value in the summary of a recorded stat. */
export function summarize(
  cells: Float64Array,
  at: number,
  value: number,
): void {
  cells[at + SUM] = clamp(cells[at + SUM] + value);
  if (value < cells[at + MIN]) cells[at + MIN] = value;
  if (value > cells[at + MAX]) cells[at + MAX] = value;
}

/** Counts zeros that stand side by side. Takes and returns what {@linkcode countValues} does. */
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
 * Counts values that stand side by side, until one is not positive or has no
 * bucket yet. Calls nothing, so that V8 looks nothing up twice, and leaves
 * zeros to others: 4 ns for each value. Calls that were seldom made took 4 more.
 *
 * @param cells All cells.
 * @param words The same in 32 bits.
 * @param at The first cell of the summary.
 * @param table Where the buckets of positive values are.
 * @param start The cell of the first value.
 * @param end The one behind the last.
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
  // Counted along, which takes a tenth less than to reckon it.
  let word = 2 * start + highWord;
  for (; i < end; i++, word += 2) {
    const high = words[word];
    if (high <= 0) break;
    // As indexOfBits does, with the tables at hand.
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
  cells[at + SUM] = clamp(sum);
  cells[at + MIN] = min;
  cells[at + MAX] = max;
  return i;
}
