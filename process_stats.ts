/**
 * The stats of one process, merged over the slabs of its threads.
 *
 * Reads shared memory, and nothing else.
 *
 * @module
 */

import { add, type Window } from "./format.ts";
import { mean, percentile } from "./percentile.ts";
import { type Slab, SlabReader, WINDOW } from "./slab.ts";

/** Where one thread keeps its part of a recorded stat. */
interface Part {
  readonly reader: SlabReader;
  readonly cell: number;
  readonly width: number;
}

/** A recorded stat of the process, over all its threads. */
export class RecordedStat {
  /** Its names. */
  readonly description: Omit<Window, "values">;
  readonly #parts: Part[] = [];

  constructor(description: Omit<Window, "values">) {
    this.description = description;
  }

  /** Adds a thread's window. */
  add(part: Part): void {
    this.#parts.push(part);
  }

  /** Whether a fractional value was ever recorded. */
  get fractional(): boolean {
    return this.#parts.some(({ reader, cell }) => reader.marks[cell] === 1);
  }

  /** The values in all threads' windows, in ascending order. */
  sorted(): Float64Array {
    const values = new Float64Array(
      this.#parts.reduce((sum, { width }) => sum + width, 0),
    );
    let n = 0;
    for (const { reader, cell, width } of this.#parts) {
      for (let i = cell; i < cell + width; i++) {
        // A place where nothing was recorded holds NaN, the one value that is
        // not equal to itself. So no count is needed that could disagree.
        if (reader.cells[i] === reader.cells[i]) values[n++] = reader.cells[i];
      }
    }
    return values.subarray(0, n).sort();
  }
}

/** The counters and gauges of one slab. */
interface Source {
  readonly reader: SlabReader;
  /** Their cells. */
  readonly cells: number[];
  /** The place of each among those of the process. */
  readonly places: number[];
}

/** All stats of the process, as they were at the last refresh. */
export class ProcessStats {
  /** The names of counters and gauges, in the order of their creation. */
  readonly names: string[] = [];
  /** Their values, summed over threads, and room for more. */
  values: Float64Array = new Float64Array(64);
  /** For each, 1 if it was ever given a fractional value. */
  fractional: Uint8Array = new Uint8Array(64);
  /** The recorded stats, by name. */
  readonly recorded: Map<string, RecordedStat> = new Map();
  readonly #sources: Map<string, Source> = new Map();
  readonly #places: Map<string, number> = new Map();

  /** Reads the slabs, which may have become more since the last time. */
  refresh(slabs: Iterable<Slab>): void {
    for (const slab of slabs) {
      let source = this.#sources.get(slab.id);
      if (source === undefined) {
        source = { reader: new SlabReader(slab), cells: [], places: [] };
        this.#sources.set(slab.id, source);
      }
      this.#refreshSource(source);
    }
    this.#sum();
  }

  #refreshSource(source: Source): void {
    for (const { kind, text, cell, width } of source.reader.refresh()) {
      if (kind === WINDOW) {
        const description = JSON.parse(text);
        let stat = this.recorded.get(description.name);
        if (stat === undefined) {
          stat = new RecordedStat(description);
          this.recorded.set(description.name, stat);
        }
        stat.add({ reader: source.reader, cell, width });
      } else {
        source.cells.push(cell);
        source.places.push(this.#placeOf(text));
      }
    }
  }

  #placeOf(name: string): number {
    let place = this.#places.get(name);
    if (place === undefined) {
      place = this.names.push(name) - 1;
      this.#places.set(name, place);
      if (place === this.values.length) {
        this.values = new Float64Array(2 * place);
        this.fractional = new Uint8Array(2 * place);
      }
    }
    return place;
  }

  #sum(): void {
    const { values, fractional } = this;
    values.fill(0);
    fractional.fill(0);
    for (const { reader, cells, places } of this.#sources.values()) {
      for (let i = 0; i < cells.length; i++) {
        const place = places[i];
        values[place] = add(values[place], reader.cells[cells[i]]);
        fractional[place] |= reader.marks[cells[i]];
      }
    }
  }

  /** Every name with its value, as the lines of the pipe show them. */
  *entries(): Iterable<[name: string, value: number]> {
    for (const [i, name] of this.names.entries()) {
      yield [name, this.values[i]];
    }
    for (const stat of this.recorded.values()) {
      const sorted = stat.sorted();
      if (sorted.length === 0) continue;
      for (const [p, name] of stat.description.percentiles) {
        yield [name, percentile(sorted, p)];
      }
      yield [stat.description.mean, mean(sorted)];
    }
  }
}
