/**
 * Reads a slab, from any thread.
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

/** How often a distribution that is being counted is read again before each nap. */
const TRIES = 1_000;

/** After how many naps the writer must have died in the middle of counting. */
const NAPS = 20;

/** How long a nap is, in milliseconds. */
const NAP_MS = 1;

/** What a reader must know to read a distribution as of one moment. */
interface DistributionCells {
  readonly cell: number;
  readonly width: number;
  readonly buckets: { readonly cell: number; readonly width: number }[];
  epoch: number;
  /** Whether its thread died in the middle of counting. */
  isBroken: boolean;
}

/** Copies the numbers of a slab while its thread goes on writing. */
export class SlabReader {
  /** The numbers at the last {@linkcode SlabReader.refresh}. */
  cells: Float64Array = new Float64Array(0);
  /** The marks, live: the memory that the writer writes. */
  marks: Uint8Array;
  #slab: Slab;
  readonly #nap: (ms: number) => void;
  #words: Int32Array;
  #epochs: Int32Array;
  #next = FIRST_ENTRY;
  #usedCells = 0;
  /** The distributions, by their first cells. */
  readonly #recorded: Map<number, DistributionCells> = new Map();
  readonly #decoder: TextDecoder = new TextDecoder("utf-8", {
    ignoreBOM: true,
  });

  /** @param nap Blocks this thread for so many milliseconds. */
  constructor(slab: Slab, nap: (ms: number) => void) {
    this.#slab = slab;
    this.#nap = nap;
    this.marks = marksOf(slab);
    this.#words = wordsOf(slab);
    this.#epochs = new Int32Array(slab.cells, 0, 0);
  }

  /** Reads larger buffers with all that the old ones have, if these are such. */
  follow(slab: Slab): void {
    if (slab.version <= this.#slab.version) return;
    this.#slab = slab;
    this.marks = marksOf(slab);
    this.#words = wordsOf(slab);
    this.#epochs = new Int32Array(slab.cells, 0, 2 * this.#usedCells);
  }

  /** Copies the numbers. Returns the entries added since the last call. */
  refresh(): Entry[] {
    const added: Entry[] = [];
    for (const stat of this.#recorded.values()) {
      stat.epoch = this.#epochOf(stat);
    }
    this.#readEntries(added);
    // One copy to work on: a thread that keeps reading shared memory slows its
    // writer down.
    this.#copy(0, this.#usedCells);
    for (const stat of this.#recorded.values()) {
      const { epoch } = stat;
      if (epoch % 2 !== 0 || epoch !== this.#epochOf(stat)) {
        this.#copyAgain(stat, added);
      }
    }
    return added;
  }

  #epochOf({ cell }: DistributionCells): number {
    return Atomics.load(this.#epochs, 2 * (cell + EPOCH));
  }

  #copy(start: number, end: number): void {
    this.cells.set(
      new Float64Array(this.#slab.cells, 8 * start, end - start),
      start,
    );
  }

  /** Copies a distribution as of a moment at which it is not being counted. */
  #copyAgain(stat: DistributionCells, added: Entry[]): void {
    for (let tries = 1, naps = 0; !stat.isBroken; tries++) {
      const epoch = this.#epochOf(stat);
      if (epoch % 2 === 0) {
        // The distribution may have new buckets. Copying them copies all other
        // cells that are new.
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
      this.#nap(NAP_MS);
      stat.isBroken = ++naps === NAPS;
    }
  }

  #readEntries(added: Entry[]): void {
    const end = Atomics.load(this.#words, USED);
    if (this.#words.length < end) this.#words = wordsOf(this.#slab);
    if (this.#next === end) return;
    // TextDecoder refuses shared memory. One copy serves all new names.
    const bytes = bytesOf(this.#words).slice(4 * this.#next, 4 * end);
    const start = this.#next;
    while (this.#next < end && this.#isWithin(this.#next)) {
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

  /**
   * Whether the cells of an entry are in the buffers that this reader knows. The
   * larger ones may still be on their way while the catalog, which has not been
   * outgrown, lists more.
   */
  #isWithin(entry: number): boolean {
    const { cells, marks } = this.#slab;
    const end = this.#words[entry + CELL] + this.#words[entry + WIDTH];
    return end <= Math.min(cells.byteLength / 8, marks.byteLength);
  }

  #noteRecorded({ kind, text, cell, width }: Entry): void {
    if (kind === RECORDED) {
      const stat = { cell, width, buckets: [], epoch: -1, isBroken: false };
      this.#recorded.set(cell, stat);
    } else if (kind === BUCKETS) {
      this.#recorded.get(JSON.parse(text)[0])?.buckets.push({ cell, width });
    }
  }

  /** Reads the next entry. `bytes` is the catalog from byte `offset` on. */
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
