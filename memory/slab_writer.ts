/**
 * Writes a slab, from the thread that owns it.
 *
 * Pure: touches nothing but memory.
 *
 * @module
 */

import { BUCKETS_PER_OCTAVE } from "../model/histogram.ts";
import type { IS_FRACTIONAL, IS_GAUGE } from "../model/marks.ts";
import {
  bytesOf,
  CELL,
  cellsOf,
  type EntryKind,
  FIRST_ENTRY,
  FOLD,
  HEAD,
  KIND,
  LIFE_WORDS,
  lifeOf,
  marksOf,
  NEWEST,
  type Slab,
  TEXT_BYTES,
  USED,
  WIDTH,
  wordsOf,
} from "../slab/layout.ts";

/** The first buffers of a main thread. */
const MAIN_BYTES = { cells: 4096, marks: 512, catalog: 4096 };

// The first buffers of any other thread: 64 counters. Those of ended threads stay
// until each thread that knew them collects its garbage, which may be thousands of
// threads later.
const SMALL_BYTES = { cells: 512, marks: 64, catalog: 1024 };

// How many times larger the copy of a buffer is that cannot grow: each copy is
// announced to all threads, and leaves the old buffer to them as garbage.
const COPY_FACTOR = 4;

// Address space, not memory: pages are taken when they are first written. A
// gibibyte holds 134 million counters.
const MAX_BYTES = 2 ** 30;

// A buffer that grows in place takes two mappings, of the 65 530 that a process
// may have, and its address space until all threads have collected it as garbage.
// A small buffer of a fixed length takes neither.
const MAX_FIXED_BYTES = 2 ** 20;

// What the count of one block of recorded values can take at most: an octave of
// buckets for each value.
const BLOCK_CELLS = FOLD * BUCKETS_PER_OCTAVE;
const BLOCK_WORDS = FOLD * (HEAD + 8);

/** What a slab is made for, which decides what kind of buffers it has. */
export type SlabUse = "main thread" | "other thread" | "ended threads";

/** Reserves `maxByteLength`, or less if the address space is limited. */
function reserve(bytes: number, maxByteLength: number): SharedArrayBuffer {
  for (;; maxByteLength /= 2) {
    try {
      return new SharedArrayBuffer(bytes, { maxByteLength });
    } catch (error) {
      if (maxByteLength <= bytes) throw error;
    }
  }
}

/**
 * Makes room for `bytes`.
 *
 * @returns The buffer, or a larger copy if it cannot grow; `undefined` if no
 * memory is left.
 */
function withRoom(
  buffer: SharedArrayBuffer,
  bytes: number,
  max: number,
): SharedArrayBuffer | undefined {
  const { byteLength, maxByteLength } = buffer;
  if (bytes <= byteLength) return buffer;
  const factor = buffer.growable ? 2 : COPY_FACTOR;
  const length = Math.max(bytes, factor * byteLength);
  try {
    if (buffer.growable) {
      if (bytes > maxByteLength) return undefined;
      buffer.grow(Math.min(length, maxByteLength));
      return buffer;
    }
    const larger = length <= MAX_FIXED_BYTES
      ? new SharedArrayBuffer(length)
      : reserve(Math.min(length, max), max);
    new Uint8Array(larger).set(new Uint8Array(buffer));
    return larger;
  } catch {
    return undefined;
  }
}

/** Adds stats to a slab. Their cells are written directly, in {@linkcode SlabWriter.cells}. */
export class SlabWriter {
  /** The buffers, for readers. Replaced, with a higher version, when they cannot grow. */
  slab: Slab;
  /** All cells. Replaced when the slab grows. */
  cells: Float64Array;
  /**
   * Whether the count of a block of recorded values may need larger buffers. They
   * must not be replaced meanwhile: a reader of the old ones would see half a
   * count for ever. So call {@linkcode SlabWriter.makeRoom} before.
   */
  isTight = false;
  #marks: Uint8Array;
  #words: Int32Array;
  /** The words of the catalog as bytes. */
  #bytes: Uint8Array;
  #usedCells = 0;
  #encoder: TextEncoder = new TextEncoder();
  // Reused: an array per name makes 100 000 stats take 27 MB more.
  #text: Uint8Array = new Uint8Array(256);

  /**
   * @param use Whose stats these are.
   * @param version The version of the first buffers.
   * @param start The start of the thread, in milliseconds since 1970.
   */
  constructor(
    use: SlabUse = "main thread",
    version = 1,
    start: number = performance.timeOrigin,
  ) {
    const isMain = use === "main thread";
    const initial = isMain ? MAIN_BYTES : SMALL_BYTES;
    const make = (bytes: number, max: number) =>
      isMain ? reserve(bytes, max) : new SharedArrayBuffer(bytes);
    this.slab = {
      id: crypto.randomUUID(),
      start,
      version,
      isOfEnded: use === "ended threads",
      life: new SharedArrayBuffer(4 * LIFE_WORDS),
      cells: make(initial.cells, MAX_BYTES),
      marks: make(initial.marks, MAX_BYTES / 8),
      catalog: make(initial.catalog, MAX_BYTES),
    };
    this.cells = cellsOf(this.slab);
    this.#marks = marksOf(this.slab);
    this.#words = wordsOf(this.slab);
    this.#bytes = bytesOf(this.#words);
    this.#words[USED] = FIRST_ENTRY;
    Atomics.store(lifeOf(this.slab), NEWEST, version);
    this.#measure();
  }

  /**
   * Adds an entry with cells that hold `initial`.
   *
   * @param mark The mark that the stat has from the beginning.
   * @returns The first cell, or `undefined` if no memory is left. Then nothing has
   * changed.
   */
  add(
    kind: EntryKind,
    text: string,
    initial: ArrayLike<number>,
    mark = 0,
  ): number | undefined {
    const width = initial.length;
    const textBytes = this.#encode(text);
    const start = this.#words[USED];
    const end = start + HEAD + Math.ceil(textBytes / 4);
    const cell = this.#usedCells;
    if (!this.#fit(cell + width, end)) return undefined;

    this.cells.set(initial, cell);
    this.#marks[cell] |= mark;
    this.#usedCells += width;
    const words = this.#words;
    words[start + KIND] = kind;
    words[start + CELL] = cell;
    words[start + WIDTH] = width;
    words[start + TEXT_BYTES] = textBytes;
    const at = 4 * (start + HEAD);
    for (let i = 0; i < textBytes; i++) this.#bytes[at + i] = this.#text[i];
    // The atomic store publishes the entry: a reader that sees the new end also
    // sees everything written before it.
    Atomics.store(words, USED, end);
    this.#measure();
    return cell;
  }

  /** Makes room for the count of a block, as far as there is memory. */
  makeRoom(): void {
    this.#fit(
      this.#usedCells + 2 * BLOCK_CELLS,
      this.#words[USED] + 2 * BLOCK_WORDS,
    );
    this.#measure();
  }

  #measure(): void {
    const { cells, catalog } = this.slab;
    this.isTight =
      !cells.growable && this.cells.length - this.#usedCells < BLOCK_CELLS ||
      !catalog.growable &&
        this.#words.length - this.#words[USED] < BLOCK_WORDS;
  }

  /** Makes the buffers hold so many cells and words. Returns whether that worked. */
  #fit(cellCount: number, wordCount: number): boolean {
    const { slab } = this;
    const cells = withRoom(slab.cells, 8 * cellCount, MAX_BYTES);
    const marks = withRoom(slab.marks, cellCount, MAX_BYTES / 8);
    const catalog = withRoom(slab.catalog, 4 * wordCount, MAX_BYTES);
    if (!cells || !marks || !catalog) return false;
    if (
      cells !== slab.cells || marks !== slab.marks || catalog !== slab.catalog
    ) {
      const version = slab.version + 1;
      this.slab = { ...slab, version, cells, marks, catalog };
      Atomics.store(lifeOf(slab), NEWEST, version);
    }
    if (cells !== slab.cells || this.cells.length < cellCount) {
      this.cells = cellsOf(this.slab);
    }
    if (marks !== slab.marks || this.#marks.length < cellCount) {
      this.#marks = marksOf(this.slab);
    }
    if (catalog !== slab.catalog || this.#words.length < wordCount) {
      this.#words = wordsOf(this.slab);
      this.#bytes = bytesOf(this.#words);
    }
    return true;
  }

  /** Encodes a text into `#text`. Returns the number of bytes. */
  #encode(text: string): number {
    const most = 3 * text.length;
    if (this.#text.length < most) this.#text = new Uint8Array(most);
    return this.#encoder.encodeInto(text, this.#text).written;
  }

  /** Adds to the mark of the stat with this first cell. A mark never loses a bit. */
  mark(cell: number, mark: typeof IS_FRACTIONAL | typeof IS_GAUGE): void {
    this.#marks[cell] |= mark;
  }
}
