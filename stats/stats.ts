/**
 * The developer's side: `incr`, `set`, `record`, their handles and `getAll`.
 *
 * Writes to shared memory. Makes no system call, except that a thread's first
 * stat makes its slab known to the other threads.
 *
 * @module
 */

import {
  BucketTable,
  countValues,
  countZeros,
  summarize,
} from "../memory/bucket_cells.ts";
import { SlabWriter } from "../memory/slab_writer.ts";
import { threads } from "../memory/threads.ts";
import {
  type Description,
  GAUGE_MERGES,
  type GaugeMerge,
} from "../model/descriptions.ts";
import {
  BUCKETS_PER_OCTAVE,
  HIGH_WORD,
  indexOfBits,
} from "../model/histogram.ts";
import { type Labels, splitLabels, withLabels } from "../model/labels.ts";
import { IS_FRACTIONAL, IS_GAUGE } from "../model/marks.ts";
import { checkName, formatName, MAX_NAME_LENGTH } from "../model/names.ts";
import { show } from "../model/show.ts";
import {
  BUCKETS,
  DESCRIPTION,
  type EntryKind,
  EPOCH,
  FOLD,
  RECORDED,
  SCALAR,
  SUMMARY_CELLS,
  TIME,
} from "../slab/layout.ts";
import { ProcessStats } from "../slab/process_stats.ts";
import { config } from "./config.ts";
import {
  checkOptions,
  checkWindow,
  type CounterOptions,
  type DistributionOptions,
  type FormatFunc,
  type GaugeOptions,
} from "./options.ts";

export type {
  CounterOptions,
  Description,
  DistributionOptions,
  FormatFunc,
  GaugeMerge,
  GaugeOptions,
  Labels,
};

/** Adds to one stat without looking it up. */
export interface Counter {
  /** The name of the stat. */
  readonly name: string;
  /**
   * Adds `value`, 1 by default.
   *
   * @throws {TypeError} If `value` is not a number.
   * @throws {RangeError} If `value` or the sum is not finite.
   */
  incr(value?: number): void;
}

/** Sets one stat without looking it up. */
export interface Gauge extends Counter {
  /**
   * Replaces the value by `value`.
   *
   * @throws {TypeError} If `value` is not a number.
   * @throws {RangeError} If `value` is not finite.
   */
  set(value: number): void;
}

/** Records values of one stat without looking it up. */
export interface Distribution {
  /** The name of the stat, as given, with its labels. */
  readonly name: string;
  /**
   * Keeps `value` in the place of the oldest.
   *
   * @throws {TypeError} If `value` is not a number.
   * @throws {RangeError} If `value` is not finite.
   */
  record(value: number): void;
}

/** Counts the calls that would have created more than `config.maxStats` stats. */
const REFUSED = "statvent.refused";

/** The labels of the series that counts for all that are one too many. */
const OVERFLOW: Labels = { overflow: true };

let writer: SlabWriter | undefined;
// The writer's view of all cells, and the same as 32-bit words; replaced when
// it grows. A variable of the module is as fast as a constant; a property of
// the writer is not.
let cells: Float64Array = new Float64Array(0);
let words: Int32Array = new Int32Array(0);
const scalars = new Map<string, number>();
// The gauges that `set` need not mark: all but those that merge by time.
const gauges = new Map<string, number>();
const recorded = new Map<string, DistributionHandle>();
// The names that recorded stats appear under, and who took them.
const labelled = new Map<string, string>();
const descriptions = new Map<string, Description>();
// Where gauges that merge by time keep it, by their own cells.
const timeCells = new Map<number, number>();
const families = new Map<string, Family>();

/** The slab of this copy of statvent in this thread, made at the first call. */
export function ownSlab(): SlabWriter {
  if (writer === undefined) {
    writer = new SlabWriter();
    useCells(writer);
    threads().share(writer.slab);
  }
  return writer;
}

function useCells(slab: SlabWriter): void {
  cells = slab.cells;
  words = new Int32Array(cells.buffer, 0, 2 * cells.length);
}

/** Takes cells, or returns `undefined` if there is no memory left. */
function allocate(
  kind: EntryKind,
  text: string,
  initial: ArrayLike<number>,
  mark = 0,
): number | undefined {
  const slab = ownSlab();
  const cell = slab.add(kind, text, initial, mark);
  if (slab.cells !== cells) useCells(slab);
  return cell;
}

/** Whether one more stat may be created. */
function isFull(): boolean {
  return scalars.size + recorded.size >= config.maxStats;
}

function checkFinite(name: string, value: number): void {
  if (typeof value !== "number") {
    throw new TypeError(
      `Cannot change "${name}": the value must be a number, got ${show(value)}`,
    );
  }
  if (!Number.isFinite(value)) {
    throw new RangeError(
      `Cannot change "${name}": the value must be finite, got ${value}`,
    );
  }
}

/** Checks that a counter or gauge may have the name. */
function checkFree(name: string): void {
  checkName(name);
  const owner = recorded.has(name) ? name : labelled.get(name);
  if (owner !== undefined) {
    throw new TypeError(
      `Cannot create "${name}": the name must be free, but "${owner}" is recorded under it`,
    );
  }
}

/**
 * The cell of a counter or gauge, or `undefined` if it was refused.
 *
 * @param value What a new one holds when it is first seen.
 * @param mark What is noted of a new one.
 */
function cellOf(name: string, value = 0, mark = 0): number | undefined {
  const known = scalars.get(name);
  if (known !== undefined) return known;
  checkFree(name);
  const cell = isFull() ? undefined : allocate(SCALAR, name, [value], mark);
  if (cell === undefined) refuse();
  else {
    scalars.set(name, cell);
    // Only gauges merge in another way than by their sum.
    if (mergeOf(name) !== undefined) gaugeCellOf(name);
  }
  return cell;
}

/** How a stat merges, if that was said. */
function mergeOf(name: string): Description["merge"] {
  if (descriptions.size === 0) return undefined;
  return descriptions.get(splitLabels(name).family)?.merge;
}

/**
 * The cell of a gauge, or `undefined` if it was refused.
 *
 * @param value What a new one holds when it is first seen.
 */
function gaugeCellOf(name: string, value = 0): number | undefined {
  const mark = IS_GAUGE | (Number.isInteger(value) ? 0 : IS_FRACTIONAL);
  const cell = cellOf(name, value, mark);
  if (cell === undefined || gauges.has(name) || timeCells.has(cell)) {
    return cell;
  }
  ownSlab().mark(cell, IS_GAUGE);
  const timeCell = mergeOf(name) === "last"
    ? allocate(TIME, name, [0])
    : undefined;
  if (timeCell === undefined) gauges.set(name, cell);
  else timeCells.set(cell, timeCell);
  return cell;
}

function refuse(): void {
  let cell = scalars.get(REFUSED);
  if (cell === undefined) {
    cell = allocate(SCALAR, REFUSED, [0]);
    // Not even memory for one more name: then nothing is visible.
    if (cell === undefined) return;
    scalars.set(REFUSED, cell);
  }
  cells[cell] += 1;
}

/** The series of one name. */
interface Family {
  /** Their names. */
  readonly names: Set<string>;
  /** The same, by labels as they were given: in any order, of any type. */
  readonly byLabels: Map<string, { name: string; labels: Labels }>;
}

/** Whether a stat of this name would be one too many. */
function isRefused(name: string): boolean {
  return isFull() && !scalars.has(name) && !recorded.has(name);
}

/**
 * The name and the labels of a series: those that were asked for, or the ones
 * of the overflow series if there are `config.maxSeries` others.
 */
function seriesOf(
  name: string,
  labels: Labels,
): { name: string; labels: Labels } {
  let key = "";
  for (const label in labels) {
    const value = labels[label];
    // What is none of these must not be taken for the text that it makes.
    if (
      typeof value !== "string" && typeof value !== "number" &&
      typeof value !== "boolean"
    ) withLabels(name, labels);
    const text = `${value}`;
    key += `${label.length}\0${label}${text.length}\0${text}`;
  }
  if (key === "" && (typeof labels !== "object" || labels === null)) {
    throw new TypeError(
      `Cannot label "${name}": the labels must be an object, got ${
        show(labels)
      }`,
    );
  }
  const known = families.get(name)?.byLabels.get(key);
  if (known !== undefined) return known;
  checkName(name);
  const series = { name: withLabels(name, labels), labels: { ...labels } };
  let family = families.get(name);
  if (family === undefined) {
    // Nothing is kept of names that will be refused.
    if (isRefused(series.name)) return series;
    family = { names: new Set(), byLabels: new Map() };
    families.set(name, family);
  }
  const { names, byLabels } = family;
  const { maxSeries } = config;
  if (!names.has(series.name) && names.size >= maxSeries) {
    return { name: withLabels(name, OVERFLOW), labels: OVERFLOW };
  }
  names.add(series.name);
  // The same labels come in few orders, unless somebody plays.
  if (byLabels.size >= 4 * maxSeries) byLabels.clear();
  byLabels.set(key, series);
  return series;
}

// The slow halves of the writes below: everything that is not a 32-bit
// integer, and for counters what counts down. `(value | 0) !== value` and
// `(value >>> 0) !== value` tell in one instruction, and a fractional value, a
// NaN or a string is never missed. A 32-bit integer cannot take a finite sum
// out of the range of a double.
//
// The fast halves never say `+=`: of whole numbers V8 makes an addition of
// 64-bit integers, with a conversion and a check of each. `++` and `-=` are of
// doubles: 3.3 against 6.9 ns for one counter, 1.3 against 2.6 ns for 100
// (Deno 2.9.6).

function addAny(name: string, cell: number, value: number): void {
  checkFinite(name, value);
  const sum = cells[cell] + value;
  if (!Number.isFinite(sum)) {
    throw new RangeError(
      `Cannot change "${name}": the sum must be finite, got ${sum}`,
    );
  }
  // What goes down is no counter.
  if (value < 0) gaugeCellOf(name);
  if (!Number.isInteger(value)) ownSlab().mark(cell, IS_FRACTIONAL);
  cells[cell] = sum;
  noteTime(cell);
}

function setAny(name: string, cell: number, value: number): void {
  checkFinite(name, value);
  if (!Number.isInteger(value)) ownSlab().mark(cell, IS_FRACTIONAL);
  cells[cell] = value;
  noteTime(cell);
}

function noteTime(cell: number): void {
  const timeCell = timeCells.get(cell);
  if (timeCell !== undefined) cells[timeCell] = Date.now();
}

function incrNamed(name: string, value: number): void {
  checkFinite(name, value);
  const cell = cellOf(name);
  if (cell !== undefined) addAny(name, cell, value);
}

function setNamed(name: string, value: number): void {
  checkFinite(name, value);
  const cell = gaugeCellOf(name, value);
  if (cell !== undefined) setAny(name, cell, value);
}

class CounterHandle implements Counter {
  readonly name: string;
  // A field without a value begins as `undefined`, and V8 never again trusts
  // it to be a small integer: `record` takes 3.2 ns so, and 4.0 without.
  #cell = 0;

  constructor(name: string, cell: number) {
    this.name = name;
    this.#cell = cell;
  }

  incr(value?: number): void {
    if (value === undefined) cells[this.#cell]++;
    else if (typeof value !== "number" || (value >>> 0) !== value) {
      addAny(this.name, this.#cell, value);
    } else cells[this.#cell] -= -value;
  }
}

class GaugeHandle implements Gauge {
  readonly name: string;
  #cell = 0;

  constructor(name: string, cell: number) {
    this.name = name;
    this.#cell = cell;
  }

  incr(value?: number): void {
    if (value === undefined) cells[this.#cell]++;
    else if (typeof value !== "number" || (value | 0) !== value) {
      addAny(this.name, this.#cell, value);
    } else cells[this.#cell] -= -value;
  }

  set(value: number): void {
    if (typeof value !== "number" || (value | 0) !== value) {
      setAny(this.name, this.#cell, value);
    } else cells[this.#cell] = value;
  }
}

/** A gauge that notes when it is set. */
class TimedGaugeHandle implements Gauge {
  readonly name: string;
  readonly #cell: number;

  constructor(name: string, cell: number) {
    this.name = name;
    this.#cell = cell;
  }

  incr(value = 1): void {
    addAny(this.name, this.#cell, value);
  }

  set(value: number): void {
    setAny(this.name, this.#cell, value);
  }
}

class DistributionHandle implements Distribution {
  readonly name: string;
  // Begin as numbers, as in a CounterHandle.
  #cell = 0;
  #start = 0;
  #last = 0;
  #next = 0;
  #blockEnd = 0;
  #isFractional = false;
  readonly #positive = new BucketTable();
  readonly #negative = new BucketTable();

  /** How many values the window holds. */
  get window(): number {
    return this.#last - this.#start;
  }

  constructor(name: string, cell: number, width: number) {
    this.name = name;
    this.#cell = cell;
    this.#start = cell + SUMMARY_CELLS;
    this.#last = cell + width - 1;
    this.#beginBlock(this.#start);
  }

  record(value: number): void {
    // What is not finite is not equal to itself when it is taken from itself.
    if (
      typeof value !== "number" ||
      ((value | 0) !== value && !(this.#isFractional && value - value === 0))
    ) this.#check(value);
    const next = this.#next;
    // The last of a block, all of which is counted at once: 8 ns for each value
    // of 100 stats, and 46 at random of 10 000. By blocks of 64 it took 9 and
    // 60, one by one 17 and 238, since what is counted lies in many places.
    if (next === this.#blockEnd) return this.#endBlock(value);
    // First the new gap: a reader in between sees two, and misses no value.
    cells[next + 1] = NaN;
    cells[next] = value;
    this.#next = next + 1;
  }

  #check(value: number): void {
    checkFinite(this.name, value);
    if (Number.isInteger(value)) return;
    ownSlab().mark(this.#cell, IS_FRACTIONAL);
    this.#isFractional = true;
  }

  #beginBlock(start: number): void {
    this.#next = start;
    this.#blockEnd = Math.min(start + FOLD - 1, this.#last);
  }

  #endBlock(value: number): void {
    const next = this.#next;
    const isTurn = next === this.#last;
    const epoch = 2 * (this.#cell + EPOCH);
    Atomics.add(words, epoch, 1);
    cells[next] = value;
    this.#count(next - (next - this.#start) % FOLD, next + 1);
    cells[isTurn ? this.#start : next + 1] = NaN;
    Atomics.add(words, epoch, 1);
    this.#beginBlock(isTurn ? this.#start : next + 1);
  }

  /** Counts the values in some places of the ring. */
  #count(start: number, end: number): void {
    const cell = this.#cell;
    for (let i = start; i < end;) {
      i = countZeros(cells, cell, i, end);
      i = countValues(cells, words, cell, this.#positive, i, end);
      if (i < end && cells[i] !== 0) this.#countSeldom(i++);
    }
  }

  /** Counts a value that is negative or the first of its bucket. */
  #countSeldom(place: number): void {
    const value = cells[place];
    summarize(cells, this.#cell, value);
    const index = indexOfBits(
      words[2 * place + HIGH_WORD],
      words[2 * place + 1 - HIGH_WORD],
    );
    const table = value < 0 ? this.#negative : this.#positive;
    const exponent = Math.floor(index / BUCKETS_PER_OCTAVE);
    const buckets = table.get(exponent) || this.#addBuckets(table, exponent);
    if (buckets !== 0) cells[buckets + index - exponent * BUCKETS_PER_OCTAVE]++;
  }

  /** Takes cells for buckets. Returns 0 if no memory is left. */
  #addBuckets(table: BucketTable, exponent: number): number {
    const sign = table === this.#negative ? -1 : 1;
    const cell = allocate(
      BUCKETS,
      JSON.stringify([this.#cell, sign, exponent * BUCKETS_PER_OCTAVE]),
      new Float64Array(BUCKETS_PER_OCTAVE),
    ) ?? 0;
    if (cell !== 0) table.set(exponent, cell);
    return cell;
  }
}

/** Stands in for a stat that was refused: every call is counted and checked. */
class RefusedHandle implements Gauge, Distribution {
  readonly name: string;

  constructor(name: string) {
    this.name = name;
  }

  incr(value = 1): void {
    checkFinite(this.name, value);
    refuse();
  }

  set(value: number): void {
    this.incr(value);
  }

  record(value: number): void {
    this.incr(value);
  }
}

/**
 * Adds `value` to the stat `name`, which starts at 0.
 *
 * The stat is a counter, whose total over the processes of a host never falls,
 * until a negative value is added or it is {@linkcode set}. Then it is a gauge.
 *
 * @example Count requests
 * ```ts
 * import { getAll, incr } from "@statvent/statvent";
 * import { assertEquals } from "@std/assert";
 *
 * incr("http.requests");
 * incr("http.requests", 2);
 * assertEquals(getAll()["http.requests"], 3);
 * ```
 *
 * @example Count them by method and status
 * ```ts
 * import { getAll, incr } from "@statvent/statvent";
 * import { assertEquals } from "@std/assert";
 *
 * incr("http.answers", 1, { method: "GET", code: 200 });
 * assertEquals(getAll()['http.answers{code="200",method="GET"}'], 1);
 * ```
 *
 * @param name Any text without a line break that does not begin with `# `.
 * @param value A finite number, 1 by default; negative values count down.
 * @param labels Tell the series of one name apart, in any order.
 * @throws {TypeError} If `name` cannot stand on a line of its own or is that of
 * a recorded stat, if `value` is not a number, or if a label has a key that is
 * not made of ASCII letters, digits, `_` and `.`, or a value of another type.
 * @throws {RangeError} If `value` or the sum is not finite.
 */
export function incr(name: string, value?: number, labels?: Labels): void {
  if (labels !== undefined) name = seriesOf(name, labels).name;
  const cell = scalars.get(name);
  if (cell === undefined) incrNamed(name, value === undefined ? 1 : value);
  else if (value === undefined) cells[cell]++;
  else if (typeof value !== "number" || (value >>> 0) !== value) {
    incrNamed(name, value);
  } else cells[cell] -= -value;
}

/**
 * Sets the stat `name` to `value`. The stat is a gauge from now on.
 *
 * Threads and processes that set the same stat are summed, unless
 * {@linkcode describe} says otherwise.
 *
 * @example The size of a queue
 * ```ts
 * import { getAll, set } from "@statvent/statvent";
 * import { assertEquals } from "@std/assert";
 *
 * set("queue.size", 17);
 * set("queue.size", 12);
 * assertEquals(getAll()["queue.size"], 12);
 * ```
 *
 * @param name Any text without a line break that does not begin with `# `.
 * @param value A finite number.
 * @param labels As for {@linkcode incr}.
 * @throws {TypeError} If `name` cannot stand on a line of its own or is that of
 * a recorded stat, if `value` is not a number, or if a label is none.
 * @throws {RangeError} If `value` is not finite.
 */
export function set(name: string, value: number, labels?: Labels): void {
  if (labels !== undefined) name = seriesOf(name, labels).name;
  const cell = gauges.get(name);
  if (
    cell === undefined || typeof value !== "number" || (value | 0) !== value
  ) setNamed(name, value);
  else cells[cell] = value;
}

/**
 * Records one value of the stat `name`. The last `config.windowSize` (100) are
 * kept; the pipe shows their percentiles and their mean, each under a name of
 * its own. Of all values that were ever recorded it has the count, the sum, the
 * least, the greatest, and a histogram whose buckets are off by 2.2 % at most.
 *
 * @example How long something took
 * ```ts
 * import { getAll, record } from "@statvent/statvent";
 * import { assertEquals } from "@std/assert";
 *
 * for (const ms of [12, 15, 110]) record("db.{0}.ms", ms);
 * assertEquals(getAll()["db.median.ms"], 12);
 * assertEquals(getAll()["db.100th.ms"], 110);
 * ```
 *
 * @param name Any text without a line break that does not begin with `# `. The
 * default format needs `{0}` in it.
 * @param value A finite number.
 * @param format Makes a name for each label; by default it replaces `{0}`.
 * Called when the stat is first recorded, and never again. Labels may stand in
 * its place.
 * @param labels As for {@linkcode incr}.
 * @throws {TypeError} If `name` has no `{0}` under the default format, if a name
 * cannot stand on a line of its own or is taken, if `value` is not a number, or
 * if a label is none.
 * @throws {RangeError} If `value` is not finite.
 */
export function record(
  name: string,
  value: number,
  format?: FormatFunc | Labels,
  labels?: Labels,
): void {
  if (typeof format !== "object" && labels === undefined) {
    const known = recorded.get(name);
    if (known !== undefined) return known.record(value);
  }
  checkFinite(name, value);
  if (typeof format === "object" && format !== null) {
    if (labels !== undefined) {
      throw new TypeError(
        `Cannot record "${name}": the format must be a function, got an object`,
      );
    }
    labels = format;
    format = undefined;
  }
  distributionOf(name, format as FormatFunc | undefined, labels).record(value);
}

/**
 * A handle that counts without looking the stat up. The stat exists from now
 * on, with the value 0.
 *
 * @example In hot code
 * ```ts
 * import { counter, getAll } from "@statvent/statvent";
 * import { assertEquals } from "@std/assert";
 *
 * const hits = counter("cache.hits");
 * for (let i = 0; i < 1000; i++) hits.incr();
 * assertEquals(getAll()["cache.hits"], 1000);
 * ```
 *
 * @param name Any text without a line break that does not begin with `# `.
 * @param options `labels`, `help` and `unit`. What it says of the stat holds as
 * if {@linkcode describe} had said it.
 * @returns The handle. It is worth keeping.
 * @throws {TypeError} If `name` cannot stand on a line of its own or is that of
 * a distribution, if a label is invalid, or if an option is unknown or of the
 * wrong type.
 * @throws {RangeError} If {@linkcode describe} would throw it.
 */
export function counter(name: string, options: CounterOptions = {}): Counter {
  checkOptions(name, options, "counter");
  checkDescription(name, options);
  const series = prepare(name, options);
  const cell = cellOf(series);
  return cell === undefined
    ? new RefusedHandle(series)
    : new CounterHandle(series, cell);
}

/** Describes a counter or gauge that is about to be made. Returns the name of its series. */
function prepare(name: string, options: GaugeOptions): string {
  const { labels } = options;
  const series = labels === undefined ? name : seriesOf(name, labels).name;
  checkFree(series);
  // Before the gauge is made: "last" would come too late afterwards. A stat that
  // is refused must not take memory for its description.
  if (!isRefused(series)) noteOptions(name, options);
  return series;
}

/** Describes a stat if its options do. */
function noteOptions(name: string, options: GaugeOptions): void {
  const { help, unit, merge } = options;
  if (help !== undefined || unit !== undefined || merge !== undefined) {
    note(name, options);
  }
}

/**
 * A handle that sets a value without looking the stat up. The stat exists from
 * now on, with the value 0.
 *
 * @example Connections that are open
 * ```ts
 * import { gauge, getAll } from "@statvent/statvent";
 * import { assertEquals } from "@std/assert";
 *
 * const open = gauge("connections.open");
 * open.set(5);
 * open.incr(-1);
 * assertEquals(getAll()["connections.open"], 4);
 * ```
 *
 * @param name Any text without a line break that does not begin with `# `.
 * @param options `labels`, `help`, `unit` and `merge`. What it says of the stat holds as
 * if {@linkcode describe} had said it.
 * @returns The handle. It is worth keeping.
 * @throws {TypeError} If `name` cannot stand on a line of its own or is that of
 * a distribution, if a label is invalid, or if an option is unknown or of the
 * wrong type.
 * @throws {RangeError} If {@linkcode describe} would throw it.
 */
export function gauge(name: string, options: GaugeOptions = {}): Gauge {
  checkOptions(name, options, "gauge");
  checkDescription(name, options);
  const series = prepare(name, options);
  const cell = gaugeCellOf(series);
  if (cell === undefined) return new RefusedHandle(series);
  return timeCells.has(cell)
    ? new TimedGaugeHandle(series, cell)
    : new GaugeHandle(series, cell);
}

/**
 * A handle that records values without looking the stat up.
 *
 * @example In hot code
 * ```ts
 * import { distribution, getAll } from "@statvent/statvent";
 * import { assertEquals } from "@std/assert";
 *
 * const size = distribution("body.{0}.bytes", { unit: "bytes" });
 * for (const bytes of [512, 2048, 1024]) size.record(bytes);
 * assertEquals(getAll()["body.100th.bytes"], 2048);
 * ```
 *
 * @example Keep more values
 * ```ts
 * import { distribution, getAll } from "@statvent/statvent";
 * import { assertEquals } from "@std/assert";
 *
 * const wait = distribution("job.{0}.wait", { window: 10_000 });
 * for (let ms = 1; ms <= 1_000; ms++) wait.record(ms);
 * assertEquals(getAll()["job.median.wait"], 500);
 * ```
 *
 * @param name As for {@linkcode record}.
 * @param options `labels`, `help`, `unit`, `format` and `window`. `format` is
 * ignored if the distribution exists, since functions cannot be compared.
 * @returns The handle. It is worth keeping.
 * @throws {TypeError} If `name` has no `{0}` under the default format, if a name
 * cannot stand on a line of its own or is taken, if a label is invalid, or if an
 * option is unknown or of the wrong type.
 * @throws {RangeError} If `window` is not a whole number from 1 to 1 000 000, or
 * differs from the window of the distribution that exists.
 */
export function distribution(
  name: string,
  options: DistributionOptions = {},
): Distribution {
  checkOptions(name, options, "distribution");
  checkDescription(name, options);
  const { format, labels, window } = options;
  if (window !== undefined) checkWindow(name, window);
  const handle = distributionOf(name, format, labels, window);
  if (handle instanceof DistributionHandle) {
    if (window !== undefined && window !== handle.window) {
      throw new RangeError(
        `Cannot create "${handle.name}": the window must stay ${handle.window}, got ${window}`,
      );
    }
    noteOptions(name, options);
  }
  return handle;
}

/** The distribution of a name, made with `window` places if it is new. */
function distributionOf(
  base: string,
  format: FormatFunc | undefined,
  labels: Labels | undefined,
  window = config.windowSize,
): Distribution {
  const { name, labels: admitted } = labels === undefined
    ? { name: base, labels: {} }
    : seriesOf(base, labels);
  const known = recorded.get(name);
  if (known !== undefined) return known;
  checkName(name);
  if (format !== undefined && typeof format !== "function") {
    throw new TypeError(
      `Cannot record "${base}": the format must be a function, got ${
        show(format)
      }`,
    );
  }
  if (format === undefined && !base.includes("{0}")) {
    throw new TypeError(
      `Cannot record "${base}": the name must contain {0}, where the label goes, as in "${base}.{0}"`,
    );
  }
  const formatWith = format ?? formatName;
  const nameOf = (label: string) =>
    withLabels(formatWith(base, label), admitted);
  const percentiles = config.percentiles.map((
    [percentile, label],
  ) => [percentile, nameOf(label)] as const);
  const mean = nameOf("mean");
  const names = [...percentiles.map(([, name]) => name), mean];
  for (const [i, label] of names.entries()) {
    checkName(label);
    if (scalars.has(label) || labelled.has(label) || names.indexOf(label) < i) {
      throw new TypeError(
        `Cannot record "${name}": every label must make a name of its own, but "${label}" is taken`,
      );
    }
  }
  const width = SUMMARY_CELLS + window + 1;
  const initial = new Float64Array(width).fill(NaN);
  initial.set([0, Infinity, -Infinity, 0, 0]);
  const description = JSON.stringify({ name, percentiles, mean });
  const cell = isFull() ? undefined : allocate(RECORDED, description, initial);
  if (cell === undefined) return new RefusedHandle(name);
  for (const label of names) labelled.set(label, name);
  const handle = new DistributionHandle(name, cell, width);
  recorded.set(name, handle);
  return handle;
}

/**
 * Says what a stat is, for people and for the programs that merge it. Holds for
 * all series of the name, whatever their labels. What was said before and is
 * not said now stays.
 *
 * @example A gauge of which the greatest counts
 * ```ts
 * import { describe, set } from "@statvent/statvent";
 *
 * describe("queue.oldest", {
 *   help: "Age of the oldest job",
 *   unit: "seconds",
 *   merge: "max",
 * });
 * set("queue.oldest", 17);
 * ```
 *
 * @param name The name of the stat, without labels.
 * @param description `help` is a sentence, `unit` a word. `merge` makes the stat a
 * gauge and says how its values in several threads and processes become one:
 * their sum (default), the least, the greatest, their mean, or the one that was
 * set last. The last must be said in every thread that sets the gauge, before
 * it does: where it was not said, there is no time.
 * @throws {TypeError} If something is of the wrong type, or `last` comes too late.
 * @throws {RangeError} If `merge` is none of the five, or a text is longer than a
 * name may be.
 */
export function describe(name: string, description: Description): void {
  checkName(name);
  checkDescription(name, description);
  note(name, description);
}

/** Refuses a description with a part that is of the wrong type or too long. */
function checkDescription(name: string, description: Description): void {
  const fail = (key: string, rule: string) =>
    `Cannot describe "${name}": ${key} must be ${rule}, got ${
      show(description[key as keyof Description])
    }`;
  for (const key of ["help", "unit", "merge"] as const) {
    if (!["string", "undefined"].includes(typeof description[key])) {
      throw new TypeError(fail(key, "a string"));
    }
    const { length = 0 } = description[key] ?? "";
    if (length > MAX_NAME_LENGTH) {
      throw new RangeError(
        fail(key, `of at most ${MAX_NAME_LENGTH} characters`),
      );
    }
  }
  const { merge } = description;
  if (merge !== undefined && !GAUGE_MERGES.includes(merge)) {
    throw new RangeError(fail("merge", "sum, min, max, mean or last"));
  }
}

/** Adds a description that was checked to what is known of the stat. */
function note(name: string, { help, unit, merge }: Description): void {
  if (merge === "last") {
    for (const gauge of gauges.keys()) {
      if (splitLabels(gauge).family === name) {
        throw new TypeError(
          `Cannot describe "${name}": merge must become "last" before the gauge is first set`,
        );
      }
    }
  }
  const known = descriptions.get(name);
  const now = {
    help: help ?? known?.help,
    unit: unit ?? known?.unit,
    merge: merge ?? known?.merge,
  };
  const text = JSON.stringify({ name, ...now });
  if (known !== undefined && text === JSON.stringify({ name, ...known })) {
    return;
  }
  descriptions.set(name, now);
  if (merge !== undefined) {
    for (const stat of scalars.keys()) {
      if (splitLabels(stat).family === name) gaugeCellOf(stat);
    }
  }
  allocate(DESCRIPTION, text, []);
}

let process: ProcessStats | undefined;

/**
 * All stats of this process as the pipe would show them now, those of other
 * threads included as far as this thread has heard of them.
 *
 * @example Everything at once
 * ```ts
 * import { getAll, incr } from "@statvent/statvent";
 * import { assertEquals } from "@std/assert";
 *
 * incr("jobs.done", 4);
 * assertEquals(getAll()["jobs.done"], 4);
 * ```
 *
 * @returns A new object: first counters and gauges, then recorded stats, each
 * in the order in which they were created.
 */
export function getAll(): Record<string, number> {
  process ??= new ProcessStats();
  process.refresh(threads().slabs.values());
  // `fromEntries` makes `__proto__` a property like any other.
  return Object.fromEntries(process.entries());
}
