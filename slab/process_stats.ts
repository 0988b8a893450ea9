/**
 * The stats of one process, merged over the slabs of its threads.
 *
 * Reads shared memory, and nothing else.
 *
 * @module
 */

import type { Description, DistributionNames } from "../model/descriptions.ts";
import { type GaugeMerge, mergeGauge } from "../model/gauge_merge.ts";
import {
  countValue,
  emptyHistogram,
  type Histogram,
} from "../model/histogram.ts";
import type { ProcessInfo } from "../model/identity.ts";
import { splitLabels } from "../model/labels.ts";
import { IS_FRACTIONAL, IS_GAUGE } from "../model/marks.ts";
import { add, addExactly, roundingError } from "../model/numbers.ts";
import { mean, percentile } from "../percentile.ts";
import {
  BUCKETS,
  COUNT,
  DESCRIPTION,
  ENDED_GAUGE,
  type Entry,
  FOLD,
  GAUGE_CELLS,
  GREATEST,
  LAST,
  LAST_TIME,
  LEAST,
  MAX,
  MIN,
  RECORDED,
  REST,
  SCALAR,
  type Slab,
  SUM,
  SUM_REST,
  SUMMARY_CELLS,
  TIME,
  ZEROS,
} from "./layout.ts";
import { SlabReader } from "./slab_reader.ts";

/** The buckets of one octave in one thread. */
interface BucketPart {
  /** 1 for positive values, -1 for negative ones. */
  readonly sign: number;
  /** The index of the first bucket. */
  readonly index: number;
  readonly cell: number;
  readonly width: number;
}

/** One thread's part of a distribution. */
interface Part {
  readonly reader: SlabReader;
  readonly cell: number;
  readonly width: number;
  readonly buckets: BucketPart[];
  /** The cell with what rounding has taken from the sum. */
  rest: number | undefined;
}

/** A distribution of the process, over all its threads. */
export class DistributionStat {
  /** The names that show it. */
  readonly description: DistributionNames;
  #parts: Part[] = [];

  constructor(description: DistributionNames) {
    this.description = description;
  }

  /** Adds the part of a thread. */
  add(part: Part): void {
    this.#parts.push(part);
  }

  /** Removes the part of a thread whose stats another slab has. */
  remove(part: Part): void {
    this.#parts = this.#parts.filter((other) => other !== part);
  }

  /** How many values the window of a thread holds, at most. */
  get window(): number {
    return Math.max(...this.#parts.map(({ width }) => width)) -
      SUMMARY_CELLS - 1;
  }

  /** Whether a fractional value was ever recorded. */
  get fractional(): boolean {
    return this.#parts.some(({ reader, cell }) =>
      (reader.marks[cell] & IS_FRACTIONAL) !== 0
    );
  }

  /** The values in all threads' windows, in ascending order. */
  sorted(): Float64Array {
    const values = new Float64Array(
      this.#parts.reduce((sum, { width }) => sum + width, 0),
    );
    let n = 0;
    for (const { reader: { cells }, cell, width } of this.#parts) {
      for (let i = cell + SUMMARY_CELLS; i < cell + width; i++) {
        // Only NaN, which marks a gap, differs from itself.
        if (cells[i] === cells[i]) values[n++] = cells[i];
      }
    }
    return values.subarray(0, n).sort();
  }

  /** All values ever recorded, in all threads. */
  histogram(): Histogram {
    const sum = emptyHistogram();
    const total = { value: 0, rest: 0 };
    for (const part of this.#parts) {
      const { reader: { cells }, cell, width, buckets, rest } = part;
      // As its thread will add it up, so that it does not fall when that counts
      // the values before the gap.
      let own = cells[cell + SUM];
      sum.min = Math.min(sum.min, cells[cell + MIN]);
      sum.max = Math.max(sum.max, cells[cell + MAX]);
      sum.zeros += cells[cell + ZEROS];
      for (const { sign, index, cell, width } of buckets) {
        const counts = sign < 0 ? sum.negative : sum.positive;
        for (let i = 0; i < width; i++) {
          const count = cells[cell + i];
          if (count === 0) continue;
          counts.set(index + i, (counts.get(index + i) ?? 0) + count);
        }
      }
      const start = cell + SUMMARY_CELLS;
      let gap = start;
      while (gap < cell + width && cells[gap] === cells[gap]) gap++;
      for (let i = gap - (gap - start) % FOLD; i < gap; i++) {
        own = add(own, cells[i]);
        countValue(sum, cells[i]);
      }
      addExactly(total, own, rest === undefined ? 0 : cells[rest]);
    }
    sum.sum = total.value;
    sum.rest = total.rest;
    return sum;
  }
}

/** A slab with what was read from it. */
interface Source {
  readonly reader: SlabReader;
  /** The cells of its counters and gauges. */
  readonly cells: number[];
  /** The place of each counter and gauge in the process's arrays. */
  readonly places: number[];
  /** The parts of distributions, by their first cells. */
  readonly parts: Map<number, Part & { readonly stat: DistributionStat }>;
  /** The places of gauges of ended threads. */
  readonly ended: Set<number>;
  /** The cell with the time of a gauge, by the gauge's place. */
  readonly times: Map<number, number>;
  /** The cell with what rounding has taken from a counter, by the counter's place. */
  readonly rests: Map<number, number>;
}

/** The cells of a gauge, as those of an {@linkcode ENDED_GAUGE}. */
function gaugeCells(
  { reader: { cells }, cells: at, places, times, ended }: Source,
  i: number,
): number[] {
  const cell = at[i];
  const place = places[i];
  if (ended.has(place)) return [...cells.subarray(cell, cell + GAUGE_CELLS)];
  const value = cells[cell];
  const timeCell = times.get(place);
  const time = timeCell === undefined ? 0 : cells[timeCell];
  return [value, value, value, 1, value, time];
}

function addGauge(gauge: number[], other: readonly number[]): void {
  const isLater = other[LAST_TIME] > gauge[LAST_TIME] ||
    (other[LAST_TIME] === gauge[LAST_TIME] && other[LAST] > gauge[LAST]);
  gauge[0] = add(gauge[0], other[0]);
  gauge[LEAST] = Math.min(gauge[LEAST], other[LEAST]);
  gauge[GREATEST] = Math.max(gauge[GREATEST], other[GREATEST]);
  gauge[COUNT] += other[COUNT];
  if (!isLater) return;
  gauge[LAST] = other[LAST];
  gauge[LAST_TIME] = other[LAST_TIME];
}

/** What a merge takes of a gauge: a value, the time at which it was set, and of how many it is the sum. */
function partOf(merge: GaugeMerge, gauge: readonly number[]): number[] {
  if (merge === "mean") return [gauge[0], 0, gauge[COUNT]];
  const cell = merge === "min" ? LEAST : merge === "max" ? GREATEST : LAST;
  return [gauge[cell], gauge[LAST_TIME]];
}

/** All stats of the process at the last refresh. */
export class ProcessStats {
  /** The names of counters and gauges, in the order of their creation. */
  readonly names: string[] = [];
  /** The value of each name, merged over threads, and room for more. */
  values: Float64Array = new Float64Array(64);
  /** The marks of each name, and room for more. */
  marks: Uint8Array = new Uint8Array(64);
  /** What rounding has taken from each value, if several threads have it. */
  lost: Float64Array = new Float64Array(64);
  /** The times at which gauges that merge by time were last set, in milliseconds since 1970, by place. */
  readonly times: Map<number, number> = new Map();
  /** The distributions, by name. */
  readonly recorded: Map<string, DistributionStat> = new Map();
  /** The program's descriptions of its stats, by name without labels. */
  readonly descriptions: Map<string, Description> = new Map();
  /** The identity of the process, which the recorder sets. */
  process: ProcessInfo | undefined;
  readonly #sources: Map<string, Source> = new Map();
  #first: Source | undefined;
  // Made at the first lookup, which a process with one thread never does: that
  // saves 12 MB for 100 000 stats.
  #places: Map<string, number> | undefined;
  /** The names without labels, by place, as far as gauges that merge needed them. */
  readonly #families: Map<number, string> = new Map();
  readonly #nap: (ms: number) => void;

  /** @param nap Blocks this thread for so many milliseconds. */
  constructor(nap: (ms: number) => void) {
    this.#nap = nap;
  }

  /**
   * Reads the slabs, among which there may be new ones since the last call. The
   * stats of those that are no longer among them are in one of the others.
   */
  refresh(slabs: Iterable<Slab>): void {
    const all = [...slabs];
    this.#forgetAllBut(all);
    for (const slab of all) {
      let source = this.#sources.get(slab.id);
      if (source === undefined) {
        source = {
          reader: new SlabReader(slab, this.#nap),
          cells: [],
          places: [],
          parts: new Map(),
          times: new Map(),
          rests: new Map(),
          ended: new Set(),
        };
        this.#sources.set(slab.id, source);
        this.#first ??= source;
      } else source.reader.follow(slab);
      for (const entry of source.reader.refresh()) this.#add(source, entry);
    }
    this.#sum();
    for (const { merge } of this.descriptions.values()) {
      if (merge !== undefined && merge !== "sum") return this.#mergeGauges();
    }
  }

  /** A number that tells whether stats have changed between two refreshes. */
  stamp(): number {
    let stamp = 0;
    for (const { reader: { cells } } of this.#sources.values()) {
      const words = new Int32Array(cells.buffer, 0, 2 * cells.length);
      stamp = stamp + cells.length | 0;
      // Odd, so that a change of a single word is never lost.
      for (let i = 0; i < words.length; i++) {
        stamp = Math.imul(stamp, 31) + words[i] | 0;
      }
    }
    return stamp;
  }

  #forgetAllBut(slabs: readonly Slab[]): void {
    const ids = new Set(slabs.map(({ id }) => id));
    for (const [id, { parts }] of this.#sources) {
      if (ids.has(id)) continue;
      for (const part of parts.values()) part.stat.remove(part);
      this.#sources.delete(id);
    }
  }

  #add(source: Source, { kind, text, cell, width }: Entry): void {
    if (kind === SCALAR || kind === ENDED_GAUGE) {
      source.cells.push(cell);
      // Within one slab no name appears twice.
      const isNew = source === this.#first && this.#sources.size === 1;
      const place = isNew ? this.#append(text) : this.#placeOf(text);
      source.places.push(place);
      if (kind === ENDED_GAUGE) source.ended.add(place);
    } else if (kind === RECORDED) {
      const description = JSON.parse(text);
      let stat = this.recorded.get(description.name);
      if (stat === undefined) {
        stat = new DistributionStat(description);
        this.recorded.set(description.name, stat);
      }
      const part = {
        reader: source.reader,
        cell,
        width,
        buckets: [],
        rest: undefined,
        stat,
      };
      stat.add(part);
      source.parts.set(cell, part);
    } else if (kind === BUCKETS) {
      const [of, sign, index] = JSON.parse(text);
      source.parts.get(of)?.buckets.push({ sign, index, cell, width });
    } else if (kind === REST) {
      source.rests.set(this.#placeOf(text), cell);
    } else if (kind === SUM_REST) {
      const part = source.parts.get(Number(text));
      if (part !== undefined) part.rest = cell;
    } else if (kind === TIME) {
      source.times.set(this.#placeOf(text), cell);
    } else if (kind === DESCRIPTION) {
      const { name, ...description } = JSON.parse(text);
      this.descriptions.set(name, {
        ...this.descriptions.get(name),
        ...description,
      });
    }
  }

  #placeOf(name: string): number {
    this.#places ??= new Map(this.names.map((name, place) => [name, place]));
    return this.#places.get(name) ?? this.#append(name);
  }

  #append(name: string): number {
    const place = this.names.push(name) - 1;
    this.#places?.set(name, place);
    if (place === this.values.length) {
      this.values = new Float64Array(2 * place);
      this.lost = new Float64Array(2 * place);
      this.marks = new Uint8Array(2 * place);
    }
    return place;
  }

  #sum(): void {
    const { values, marks, lost } = this;
    values.fill(0);
    marks.fill(0);
    lost.fill(0);
    for (const source of this.#sources.values()) {
      const { reader, cells, places } = source;
      for (let i = 0; i < cells.length; i++) {
        const place = places[i];
        const before = values[place];
        const value = reader.cells[cells[i]];
        const sum = add(before, value);
        values[place] = sum;
        lost[place] += roundingError(before, value, sum);
        marks[place] |= reader.marks[cells[i]];
      }
      for (const [place, cell] of source.rests) {
        lost[place] += reader.cells[cell];
      }
    }
    for (let place = 0; place < this.names.length; place++) {
      const sum = values[place];
      // Beyond the range of a double, the rest means nothing.
      if (Math.abs(sum) === Number.MAX_VALUE) lost[place] = 0;
      values[place] = add(sum, lost[place]);
      lost[place] -= values[place] - sum;
    }
  }

  /** Replaces the sums of gauges that merge in another way. */
  #mergeGauges(): void {
    const parts = new Map<
      number,
      { merge: GaugeMerge; of: (readonly number[])[] }
    >();
    for (const source of this.#sources.values()) {
      for (const [i, place] of source.places.entries()) {
        if ((this.marks[place] & IS_GAUGE) === 0) continue;
        const merge = this.descriptions.get(this.#familyOf(place))?.merge ??
          "sum";
        if (merge === "sum") continue;
        let part = parts.get(place);
        if (part === undefined) parts.set(place, part = { merge, of: [] });
        part.of.push(partOf(merge, gaugeCells(source, i)));
      }
    }
    for (const [place, { merge, of }] of parts) {
      this.values[place] = mergeGauge(merge, of);
      if (merge === "last") {
        this.times.set(place, Math.max(...of.map(([, time]) => time)));
      }
      // The mean of whole numbers may be a fraction.
      if (merge === "mean" && !Number.isInteger(this.values[place])) {
        this.marks[place] |= IS_FRACTIONAL;
      }
    }
  }

  /**
   * What any merge needs of each gauge, by place, as the cells of an
   * {@linkcode ENDED_GAUGE}.
   */
  gauges(): Map<number, number[]> {
    const gauges = new Map<number, number[]>();
    for (const source of this.#sources.values()) {
      for (const [i, place] of source.places.entries()) {
        if ((this.marks[place] & IS_GAUGE) === 0) continue;
        const cells = gaugeCells(source, i);
        const known = gauges.get(place);
        if (known === undefined) gauges.set(place, cells);
        else addGauge(known, cells);
      }
    }
    return gauges;
  }

  /** The name without labels. Kept, since a gauge is merged at each refresh. */
  #familyOf(place: number): string {
    let family = this.#families.get(place);
    if (family === undefined) {
      family = splitLabels(this.names[place]).family;
      this.#families.set(place, family);
    }
    return family;
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
      yield [stat.description.mean!, mean(sorted)];
    }
  }
}
