/**
 * The side of a slab that any thread reads.
 *
 * Pure: touches nothing but memory.
 *
 * @module
 */

import {
  BUCKETS,
  bytesOf,
  CELL,
  type Entry,
  type EntryKind,
  EPOCH,
  FIRST_ENTRY,
  HEAD,
  KIND,
  marksOf,
  RECORDED,
  type Slab,
  TEXT_BYTES,
  USED,
  WIDTH,
  wordsOf,
} from "./layout.ts";

/** How often a recorded stat is read again at once while it is being counted, before the thread sleeps. */
const TRIES = 1_000;

/** How often the thread then sleeps, for a millisecond, until the writer must have died. */
const NAPS = 20;

const never = new Int32Array(new SharedArrayBuffer(4));

/** What a reader must know to read a recorded stat as of one moment. */
interface RecordedCells {
  readonly cell: number;
  readonly width: number;
  readonly buckets: { readonly cell: number; readonly width: number }[];
  epoch: number;
  /** Whether its thread has ended while it counted. */
  isBroken: boolean;
}

/** The side of a slab that any thread reads. */
export class SlabReader {
  /** The numbers as they were at the last {@linkcode SlabReader.refresh}. */
  cells: Float64Array = new Float64Array(0);
  /** The marks, as they are now. */
  marks: Uint8Array;
  #slab: Slab;
  #words: Int32Array;
  #epochs: Int32Array;
  #next = FIRST_ENTRY;
  #usedCells = 0;
  #recorded: Map<number, RecordedCells> = new Map();
  #decoder: TextDecoder = new TextDecoder("utf-8", { ignoreBOM: true });

  constructor(slab: Slab) {
    this.#slab = slab;
    this.marks = marksOf(slab);
    this.#words = wordsOf(slab);
    this.#epochs = new Int32Array(slab.cells, 0, 0);
  }

  /** Copies the numbers and returns the entries that are new since the last call. */
  refresh(): Entry[] {
    const added: Entry[] = [];
    for (const stat of this.#recorded.values()) {
      stat.epoch = this.#epochOf(stat);
    }
    this.#readEntries(added);
    // One copy, then work on the copy: a thread that keeps reading the shared
    // memory makes its writer slower.
    this.#copy(0, this.#usedCells);
    for (const stat of this.#recorded.values()) {
      const { epoch } = stat;
      if (epoch % 2 !== 0 || epoch !== this.#epochOf(stat)) {
        this.#copyAgain(stat, added);
      }
    }
    return added;
  }

  #epochOf({ cell }: RecordedCells): number {
    return Atomics.load(this.#epochs, 2 * (cell + EPOCH));
  }

  #copy(start: number, end: number): void {
    this.cells.set(
      new Float64Array(this.#slab.cells, 8 * start, end - start),
      start,
    );
  }

  /** Copies a recorded stat as of a moment in which it is not being counted. */
  #copyAgain(stat: RecordedCells, added: Entry[]): void {
    for (let tries = 1, naps = 0; !stat.isBroken; tries++) {
      const epoch = this.#epochOf(stat);
      if (epoch % 2 === 0) {
        // It may have got buckets. All else that is new is copied with them.
        const end = this.#usedCells;
        this.#readEntries(added);
        this.#copy(end, this.#usedCells);
        this.#copy(stat.cell, stat.cell + stat.width);
        for (const { cell, width } of stat.buckets) {
          this.#copy(cell, cell + width);
        }
        if (epoch === this.#epochOf(stat)) return;
      }
      if (tries % TRIES !== 0) continue;
      Atomics.wait(never, 0, 0, 1);
      stat.isBroken = ++naps === NAPS;
    }
  }

  #readEntries(added: Entry[]): void {
    const end = Atomics.load(this.#words, USED);
    if (this.#words.length < end) this.#words = wordsOf(this.#slab);
    if (this.#next === end) return;
    // One copy for all names, since a decoder refuses shared memory.
    const bytes = bytesOf(this.#words).slice(4 * this.#next, 4 * end);
    const start = this.#next;
    while (this.#next < end) {
      const entry = this.#readEntry(bytes, 4 * start);
      added.push(entry);
      this.#noteRecorded(entry);
    }
    this.marks = marksOf(this.#slab);
    const { cells } = this;
    if (cells.length < this.#usedCells) {
      this.cells = new Float64Array(
        Math.max(this.#usedCells, 2 * cells.length),
      );
      this.cells.set(cells);
    }
    this.#epochs = new Int32Array(this.#slab.cells, 0, 2 * this.#usedCells);
  }

  #noteRecorded({ kind, text, cell, width }: Entry): void {
    if (kind === RECORDED) {
      const stat = { cell, width, buckets: [], epoch: -1, isBroken: false };
      this.#recorded.set(cell, stat);
    } else if (kind === BUCKETS) {
      this.#recorded.get(JSON.parse(text)[0])?.buckets.push({ cell, width });
    }
  }

  /** Reads the next entry. `bytes` are those of the catalog from `offset` on. */
  #readEntry(bytes: Uint8Array, offset: number): Entry {
    const words = this.#words;
    const start = this.#next;
    const textBytes = words[start + TEXT_BYTES];
    const cell = words[start + CELL];
    const width = words[start + WIDTH];
    this.#usedCells = cell + width;
    this.#next = start + HEAD + Math.ceil(textBytes / 4);
    const at = 4 * (start + HEAD) - offset;
    return {
      kind: words[start + KIND] as EntryKind,
      text: this.#decoder.decode(bytes.subarray(at, at + textBytes)),
      cell,
      width,
    };
  }
}
