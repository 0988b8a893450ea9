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

// The bits of a mark, in the first cell of a stat.
/** It was once given a fractional value. */
export const FRACTIONAL = 1;
/** It was once set, or counted down. */
export const GAUGE = 2;

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
const USED = 0;
const FIRST_ENTRY = 1;
const HEAD = 4;
const KIND = 0;
const CELL = 1;
const WIDTH = 2;
const TEXT_BYTES = 3;

const INITIAL_BYTES = 4096;

// Address space, not memory: pages are taken when they are first written. A
// gibibyte holds 134 million counters.
const MAX_BYTES = 2 ** 30;

/** Reserves `maxByteLength`, or less where the address space is limited. */
function reserve(maxByteLength: number): SharedArrayBuffer {
  for (;; maxByteLength /= 2) {
    try {
      return new SharedArrayBuffer(INITIAL_BYTES, { maxByteLength });
    } catch (error) {
      if (maxByteLength <= INITIAL_BYTES) throw error;
    }
  }
}

/** Grows `buffer` to hold `bytes`. Returns whether it now does. */
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

// Views are of fixed length, since one that tracks a growing buffer is ten
// times slower to write to. A view from before the buffer grew stays valid and
// shows the same memory.

function cellsOf(slab: Slab): Float64Array {
  return new Float64Array(slab.cells, 0, Math.floor(slab.cells.byteLength / 8));
}

function marksOf(slab: Slab): Uint8Array {
  return new Uint8Array(slab.marks, 0, slab.marks.byteLength);
}

function wordsOf(slab: Slab): Int32Array {
  return new Int32Array(
    slab.catalog,
    0,
    Math.floor(slab.catalog.byteLength / 4),
  );
}

function bytesOf({ buffer, length }: Int32Array): Uint8Array {
  return new Uint8Array(buffer, 0, 4 * length);
}

/** The side of a slab that the owning thread writes. */
export class SlabWriter {
  /** What readers need. */
  readonly slab: Slab;
  /** All cells. Replaced when the slab grows. */
  cells: Float64Array;
  #marks: Uint8Array;
  #words: Int32Array;
  /** The same as bytes. */
  #bytes: Uint8Array;
  #usedCells = 0;
  #encoder: TextEncoder = new TextEncoder();
  // Kept: what is made for each name makes 100 000 stats take 27 MB more.
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
   * @param mark What is noted of the stat from the beginning.
   * @returns Its first cell, or `undefined` if there is no memory for it, in
   * which case nothing has changed.
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
    // A reader that sees the new end sees all that was written before it.
    Atomics.store(words, USED, end);
    return cell;
  }

  /** Writes a text into `#text`. Returns how many bytes that takes. */
  #encode(text: string): number {
    const most = 3 * text.length;
    if (this.#text.length < most) this.#text = new Uint8Array(most);
    return this.#encoder.encodeInto(text, this.#text).written;
  }

  /** Notes something of the stat with this first cell, for good. */
  mark(cell: number, mark: typeof FRACTIONAL | typeof GAUGE): void {
    this.#marks[cell] |= mark;
  }
}

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
