/**
 * Counts recorded values in the cells of a slab.
 *
 * Pure: touches nothing but memory.
 *
 * @module
 */

import {
  boundLow,
  clamp,
  guess,
  HIGH_WORD,
  nextBound,
  SCALE,
} from "./histogram.ts";
import { MAX, MIN, SUM, ZEROS } from "./slab.ts";

/** How many bits of a bucket's index tell it apart within an entry, which has the buckets of two octaves. */
export const ENTRY_BITS = 5;
/** These bits. */
export const ENTRY_MASK: number = 2 ** ENTRY_BITS - 1;

/** Finds the entry of buckets for an index. */
export class BucketTable {
  /** The first cell of each entry, or 0, from the lowest that there is. */
  cells: Int32Array = new Int32Array(0);
  /** The lowest. */
  first = 0;

  /** The first cell of an entry; 0 if there is none. */
  get(entry: number): number {
    const place = (entry - this.first) >>> 0;
    return place < this.cells.length ? this.cells[place] : 0;
  }

  /** Notes the first cell of an entry. */
  set(entry: number, cell: number): void {
    const old = this.cells;
    if (old.length === 0) this.first = entry;
    const first = Math.min(this.first, entry);
    const end = Math.max(this.first + old.length, entry + 1);
    this.cells = new Int32Array(end - first);
    this.cells.set(old, this.first - first);
    this.cells[entry - first] = cell;
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
 * zeros to others: 10.3 ns for each value that is recorded, its place in the
 * ring included; 13.1 with the zeros, and 14.4 with calls that are seldom made.
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
  { cells: entries, first }: BucketTable,
  start: number,
  end: number,
): number {
  const guesses = guess;
  const bounds = nextBound;
  const lows = boundLow;
  const highWord = HIGH_WORD;
  let sum = cells[at + SUM];
  let min = cells[at + MIN];
  let max = cells[at + MAX];
  let i = start;
  for (; i < end; i++) {
    const value = cells[i];
    if (!(value > 0)) break;
    // As indexOfBits does, with the tables at hand: a call takes 12.8 ns.
    const low = words[2 * i + 1 - highWord];
    let high = words[2 * i + highWord];
    if (low === 0) high--;
    const mantissa = high & 0xfffff;
    let place = guesses[mantissa >>> 13];
    const bound = bounds[mantissa >>> 13];
    place += (bound - mantissa) >>> 31;
    if (mantissa === bound && ((low - 1) >>> 0) >= lows[place + 1]) place++;
    const index = ((((high >>> 20) & 0x7ff) - 1023) << SCALE) + place;
    const entry = ((index >> ENTRY_BITS) - first) >>> 0;
    if (entry >= entries.length) break;
    const buckets = entries[entry];
    if (buckets === 0) break;
    cells[buckets + (index & ENTRY_MASK)]++;
    sum += value;
    if (value < min) min = value;
    if (value > max) max = value;
  }
  cells[at + SUM] = clamp(sum);
  cells[at + MIN] = min;
  cells[at + MAX] = max;
  return i;
}
