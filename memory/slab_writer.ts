/**
 * Writes a slab, from the thread that owns it.
 *
 * Pure: touches nothing but memory.
 *
 * @module
 */

import type { IS_FRACTIONAL, IS_GAUGE } from "../model/marks.ts";
import {
  bytesOf,
  CELL,
  cellsOf,
  type EntryKind,
  FIRST_ENTRY,
  HEAD,
  KIND,
  marksOf,
  type Slab,
  TEXT_BYTES,
  USED,
  WIDTH,
  wordsOf,
} from "../slab/layout.ts";

const INITIAL_BYTES = 4096;

// Address space, not memory: pages are taken when they are first written. A
// gibibyte holds 134 million counters.
const MAX_BYTES = 2 ** 30;

/** Reserves `maxByteLength`, or less if the address space is limited. */
function reserve(maxByteLength: number): SharedArrayBuffer {
  for (;; maxByteLength /= 2) {
    try {
      return new SharedArrayBuffer(INITIAL_BYTES, { maxByteLength });
    } catch (error) {
      if (maxByteLength <= INITIAL_BYTES) throw error;
    }
  }
}

/** Grows `buffer` to at least `bytes`. Returns whether that worked. */
function ensure(buffer: SharedArrayBuffer, bytes: number): boolean {
  if (bytes <= buffer.byteLength) return true;
  if (bytes > buffer.maxByteLength) return false;
  try {
    buffer.grow(
      Math.min(Math.max(bytes, 2 * buffer.byteLength), buffer.maxByteLength),
    );
    return true;
  } catch {
    return false;
  }
}

/** Adds stats to a slab. Their cells are written directly, in {@linkcode SlabWriter.cells}. */
export class SlabWriter {
  /** The buffers, for readers. */
  readonly slab: Slab;
  /** All cells. Replaced when the slab grows. */
  cells: Float64Array;
  #marks: Uint8Array;
  #words: Int32Array;
  /** The words of the catalog as bytes. */
  #bytes: Uint8Array;
  #usedCells = 0;
  #encoder: TextEncoder = new TextEncoder();
  // Reused: an array per name makes 100 000 stats take 27 MB more.
  #text: Uint8Array = new Uint8Array(256);

  constructor() {
    this.slab = {
      id: crypto.randomUUID(),
      start: performance.timeOrigin,
      cells: reserve(MAX_BYTES),
      marks: reserve(MAX_BYTES / 8),
      catalog: reserve(MAX_BYTES),
    };
    this.cells = cellsOf(this.slab);
    this.#marks = marksOf(this.slab);
    this.#words = wordsOf(this.slab);
    this.#bytes = bytesOf(this.#words);
    this.#words[USED] = FIRST_ENTRY;
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
    const { cells, marks, catalog } = this.slab;
    if (
      !ensure(cells, 8 * (cell + width)) || !ensure(marks, cell + width) ||
      !ensure(catalog, 4 * end)
    ) return undefined;
    if (this.cells.length < cell + width) this.cells = cellsOf(this.slab);
    if (this.#marks.length < cell + width) this.#marks = marksOf(this.slab);
    if (this.#words.length < end) {
      this.#words = wordsOf(this.slab);
      this.#bytes = bytesOf(this.#words);
    }

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
    return cell;
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
