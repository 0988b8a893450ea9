/**
 * The layout of the shared memory that holds one thread's stats.
 *
 * A slab is three buffers. `cells` holds only numbers: one cell for a counter or
 * gauge, several for a distribution. `marks` has a byte for each cell. `catalog`
 * lists the stats with their cells, and is only ever appended to.
 *
 * The buffers of a main thread grow in place. Those of other threads, which may
 * come and go by the thousand, are small and have a fixed length: a slab that
 * outgrows them gets larger copies and a higher version. A reader that has not
 * heard of them goes on reading the last values of the old ones.
 *
 * The slabs of threads that have ended are replaced by one that has the sum of
 * their stats. It is never written again: when more threads have ended, a slab of
 * a higher version replaces it along with theirs.
 *
 * One thread writes a slab and takes no lock. Any thread may read the slab at any
 * time, even while the writer hangs.
 *
 * Pure: touches nothing but memory. Imports nothing.
 *
 * @module
 */

/** The version of the layout. Threads only exchange slabs of the same version. */
export const LAYOUT = 5;

/** The entry of a counter or a gauge, with one cell. Its text is the name. */
export const SCALAR = 1;

/**
 * The entry of a distribution: {@linkcode SUMMARY_CELLS} cells, then a ring of one
 * cell more than the window has places. Its text is the names, in JSON.
 *
 * The ring always has a gap, which is `NaN`, between the newest value and the
 * oldest. Places that were never written are `NaN` too, so the first `NaN` is
 * where the next value goes. The writer counts values in the summary and the
 * buckets a block of {@linkcode FOLD} places at a time: when the block is full, or
 * ends with the ring. Values before the gap in the gap's own block are not
 * counted yet.
 */
export const RECORDED = 2;

/**
 * The entry of an octave of buckets, one cell each. Its text is
 * `[cell, sign, index]` in JSON: the first cell of the distribution, 1 or -1, and
 * the index of the first bucket.
 */
export const BUCKETS = 3;

/**
 * The entry of the time at which a gauge was last set, in milliseconds since
 * 1970, with one cell. Its text is the gauge's name.
 */
export const TIME = 4;

/** The entry of a description, without a cell. Its text is the description, in JSON. */
export const DESCRIPTION = 5;

/**
 * The entry of a gauge of threads that have ended, with {@linkcode GAUGE_CELLS}
 * cells. Its text is the gauge's name. It has all that any merge needs, since a
 * gauge may be described after its threads have ended.
 */
export const ENDED_GAUGE = 6;

/**
 * The entry of what rounding has taken from the sum of a counter of threads that
 * have ended, with one cell. Its text is the counter's name.
 */
export const REST = 7;

/**
 * The entry of what rounding has taken from the sum of a distribution of such
 * threads, with one cell. Its text is the first cell of the distribution.
 */
export const SUM_REST = 8;

/** The kind of an entry. */
export type EntryKind = 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8;

// The cells of a gauge of ended threads. The first one is the sum, as it is the
// value of any other gauge.
/** The least of the values. */
export const LEAST = 1;
/** The greatest of the values. */
export const GREATEST = 2;
/** The number of the values. */
export const COUNT = 3;
/** The value that was set last. */
export const LAST = 4;
/** The time at which it was set. */
export const LAST_TIME = 5;
/** The number of cells of a gauge of ended threads. */
export const GAUGE_CELLS = 6;

/** The length of a block: a window of the default size fits into one. */
export const FOLD = 128;

// The cells of a distribution before its ring.
/** The sum of the counted values. */
export const SUM = 0;
/** The minimum of the counted values. */
export const MIN = 1;
/** The maximum of the counted values. */
export const MAX = 2;
/** The number of counted values that are 0. */
export const ZEROS = 3;
/**
 * A number in the first 32 bits of the cell that changes with each count, and is
 * odd during it. A reader that overlapped a count retries.
 */
export const EPOCH = 4;
/** The number of cells before the ring. */
export const SUMMARY_CELLS = 5;

/** The buffers that one thread shares with others so that they can read its stats. */
export interface Slab {
  /** Tells slabs apart: the buffers themselves get a new identity in every thread. */
  readonly id: string;
  /** The start of the thread, in milliseconds since 1970. */
  readonly start: number;
  /** Grows when the buffers are replaced. Of ended threads: orders their slabs. */
  readonly version: number;
  /** Whether it has the sums of threads that have ended. */
  readonly isOfEnded: boolean;
  /** Words that tell whether the thread lives. Never replaced. */
  readonly life: SharedArrayBuffer;
  /** Numbers, as 64-bit floats. */
  readonly cells: SharedArrayBuffer;
  /** A byte per cell: the mark of the stat that begins there. */
  readonly marks: SharedArrayBuffer;
  /** The entries of the stats. */
  readonly catalog: SharedArrayBuffer;
}

/** An entry of the catalog. */
export interface Entry {
  readonly kind: EntryKind;
  /** The text, whose meaning depends on the kind. */
  readonly text: string;
  /** The first cell. */
  readonly cell: number;
  /** The number of cells. */
  readonly width: number;
}

// The life of a slab in 32-bit words.
/** The word that the thread waits at for ever, many times over. Never changes. */
export const WAIT = 0;
/** How many times the thread waits there. */
export const WAITING = 1;
/** The version of the newest buffers. */
export const NEWEST = 2;
/** The version of the slab of ended threads that has this slab's stats, or 0. */
export const ENDED_IN = 3;
/** The number of these words. */
export const LIFE_WORDS = 4;

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

// Views have a fixed length: writing through a view that tracks a growing buffer
// is ten times slower. A view made before the buffer grew stays valid and shows
// the same memory.

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

export function lifeOf(slab: Slab): Int32Array<SharedArrayBuffer> {
  return new Int32Array(slab.life);
}

export function bytesOf({ buffer, length }: Int32Array): Uint8Array {
  return new Uint8Array(buffer, 0, 4 * length);
}
