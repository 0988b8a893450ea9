/**
 * The layout of the shared memory that holds one thread's stats.
 *
 * A slab is three growable buffers. `cells` holds nothing but numbers: one cell
 * for a counter or gauge, several for a recorded stat. `marks` has a byte for
 * each cell. `catalog` says which cells belong to which stat; it is only ever
 * appended to.
 * One thread writes a slab and takes no lock. Any thread may read it at any
 * time, also while the writer hangs.
 *
 * Pure: touches nothing but memory. Imports nothing.
 *
 * @module
 */

/** The version of the layout. Threads exchange slabs of their own version only. */
export const LAYOUT = 3;

/** A counter or a gauge. One cell. Its text is the name. */
export const SCALAR = 1;

/**
 * A recorded stat: {@linkcode SUMMARY_CELLS} cells, then a ring of one cell more
 * than its window has places. Its text is its description, in JSON.
 *
 * The ring always has a gap, which is `NaN`, between the newest value and the
 * oldest; places where nothing was recorded are `NaN` too. So the first `NaN`
 * is where the next value goes. Values are counted in the summary and the
 * buckets by blocks of {@linkcode FOLD} places, when a block is full, and at the
 * end of the ring: of those before the gap, what is in its block is not counted
 * yet.
 */
export const RECORDED = 2;

/**
 * Some buckets of a recorded stat's histogram, one cell each. Its text is
 * `[cell, sign, index]` in JSON: the first cell of the recorded stat, 1 or -1,
 * and the index of the first bucket.
 */
export const BUCKETS = 3;

/** When a gauge was last set, in milliseconds since 1970. One cell. Its text is the gauge's name. */
export const TIME = 4;

/** What the program says of a stat, in JSON. No cell. */
export const DESCRIPTION = 5;

/** The kind of an entry. */
export type EntryKind = 1 | 2 | 3 | 4 | 5;

/** How many places of a ring are counted at once at most. All of them, by default. */
export const FOLD = 128;

// The cells before the ring of a recorded stat.
/** The sum of the values that are counted. */
export const SUM = 0;
/** The smallest of them. */
export const MIN = 1;
/** The greatest of them. */
export const MAX = 2;
/** How many of them are 0. */
export const ZEROS = 3;
/**
 * A number, in the first 32 bits, that is odd while values are being counted,
 * and another one afterwards. Who has read in the meantime reads again.
 */
export const EPOCH = 4;
/** How many cells that are. */
export const SUMMARY_CELLS = 5;

/** What one thread hands to another so that it can read the stats. */
export interface Slab {
  /** Tells slabs apart, since a buffer gets a new identity in every thread. */
  readonly id: string;
  /** When its thread started, in milliseconds since 1970. */
  readonly start: number;
  /** Numbers, as 64-bit floats. */
  readonly cells: SharedArrayBuffer;
  /** A byte per cell, with the marks of the stat that begins there. */
  readonly marks: SharedArrayBuffer;
  /** Names and places of the stats. */
  readonly catalog: SharedArrayBuffer;
}

/** A stat in a slab, as a reader sees it. */
export interface Entry {
  readonly kind: EntryKind;
  /** What its kind says. */
  readonly text: string;
  /** The first cell. */
  readonly cell: number;
  /** How many cells. */
  readonly width: number;
}

// The catalog in 32-bit words: word 0 is the number of words in use; entries
// follow, each with a head of four words and its text in UTF-8, filled up to
// a whole word.
export const USED = 0;
export const FIRST_ENTRY = 1;
export const HEAD = 4;
export const KIND = 0;
export const CELL = 1;
export const WIDTH = 2;
export const TEXT_BYTES = 3;

// Views are of fixed length, since one that tracks a growing buffer is ten
// times slower to write to. A view from before the buffer grew stays valid and
// shows the same memory.

export function cellsOf(slab: Slab): Float64Array {
  return new Float64Array(slab.cells, 0, Math.floor(slab.cells.byteLength / 8));
}

export function marksOf(slab: Slab): Uint8Array {
  return new Uint8Array(slab.marks, 0, slab.marks.byteLength);
}

export function wordsOf(slab: Slab): Int32Array {
  return new Int32Array(
    slab.catalog,
    0,
    Math.floor(slab.catalog.byteLength / 4),
  );
}

export function bytesOf({ buffer, length }: Int32Array): Uint8Array {
  return new Uint8Array(buffer, 0, 4 * length);
}
