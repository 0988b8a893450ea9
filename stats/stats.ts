/**
 * The calls and handles by which a program writes its stats.
 *
 * Writes to shared memory. Makes no system call, except that a thread's first
 * stat makes its slab known to the other threads.
 *
 * The cells, the maps by name, the calls and the handles share this module since
 * the fast halves of the calls read `cells` and the maps as variables of their
 * own module: a property of an object, or an imported binding that changes, is
 * looked up at each call.
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
import type { Description } from "../model/descriptions.ts";
import type { GaugeMerge } from "../model/gauge_merge.ts";
import {
  BUCKETS_PER_OCTAVE,
  HIGH_WORD,
  indexOfBits,
} from "../model/histogram.ts";
import type { Labels } from "../model/labels.ts";
import { IS_FRACTIONAL, IS_GAUGE } from "../model/marks.ts";
import { checkName, REFUSED } from "../model/names.ts";
import { show } from "../model/show.ts";
import { runtime } from "../runtime/runtime.ts";
import {
  BUCKETS,
  DESCRIPTION,
  type EntryKind,
  EPOCH,
  FOLD,
  RECORDED,
  SCALAR,
  type Slab,
  SUMMARY_CELLS,
  TIME,
} from "../slab/layout.ts";
import { config } from "./config.ts";
import {
  checkDescription,
  checkParts,
  Descriptions,
  isSeriesOf,
} from "./describe.ts";
import { nameDistribution, shownNames } from "./distribution_names.ts";
import {
  checkOptions,
  checkWindow,
  type CounterOptions,
  type DistributionOptions,
  type FormatFunc,
  type GaugeOptions,
} from "./options.ts";
import { SeriesNames } from "./series_names.ts";

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
   * Keeps `value` in place of the oldest.
   *
   * @throws {TypeError} If `value` is not a number.
   * @throws {RangeError} If `value` is not finite.
   */
  record(value: number): void;
}

let writer: SlabWriter | undefined;
// All cells of the slab as 64-bit floats and as 32-bit words. Replaced when the
// slab grows. A variable of the module is as fast as a constant; a property of
// the writer is not.
let cells: Float64Array = new Float64Array(0);
let words: Int32Array = new Int32Array(0);
/** The cell of each counter and gauge, by name. */
const scalars = new Map<string, number>();
/** The cell of each gauge that `set` may write directly: all but gauges that merge by time. */
const gauges = new Map<string, number>();
/** The cell with the time at which a gauge was last set, by the gauge's own cell. */
const timeCells = new Map<number, number>();
/** The handle of each distribution, by name. */
const recorded = new Map<string, DistributionHandle>();
/** The name of the distribution that shows a percentile or its mean under a name. */
const owners = new Map<string, string>();
const descriptions = new Descriptions();
const seriesNames = new SeriesNames(isRefused);

/** The slab of this copy of statvent in this thread, made at the first call. */
export function ownSlab(): SlabWriter {
  if (writer === undefined) {
    writer = new SlabWriter(
      runtime.isMainThread ? "main thread" : "other thread",
    );
    useCells(writer);
    threads().share(writer.slab);
  }
  return writer;
}

function useCells(slab: SlabWriter): void {
  cells = slab.cells;
  words = new Int32Array(cells.buffer, 0, 2 * cells.length);
}

/** Takes cells. Returns `undefined` if no memory is left. */
function allocate(
  kind: EntryKind,
  text: string,
  initial: ArrayLike<number>,
  mark = 0,
): number | undefined {
  const own = ownSlab();
  const { slab } = own;
  const cell = own.add(kind, text, initial, mark);
  noteGrowth(own, slab);
  return cell;
}

/** Goes on in larger buffers, if there are such. */
function noteGrowth(own: SlabWriter, old: Slab): void {
  if (own.cells !== cells) useCells(own);
  if (own.slab !== old) threads().share(own.slab);
}

/** Makes sure that the buffers are not replaced while a block is counted. */
function makeRoom(own: SlabWriter): void {
  const { slab } = own;
  own.makeRoom();
  noteGrowth(own, slab);
}

/** Whether one more stat may be created. */
function isFull(): boolean {
  return scalars.size + recorded.size >= config.maxStats;
}

/** Whether a stat of this name would be one too many. */
function isRefused(name: string): boolean {
  return isFull() && !scalars.has(name) && !recorded.has(name);
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
  const owner = recorded.has(name) ? name : owners.get(name);
  if (owner !== undefined) {
    throw new TypeError(
      `Cannot create "${name}": the name must be free, but "${owner}" is recorded under it`,
    );
  }
}

/**
 * The cell of a counter or gauge, or `undefined` if it was refused.
 *
 * @param value What the cell of a new stat holds when a reader first sees it.
 * @param mark The marks of a new stat.
 */
function cellOf(name: string, value = 0, mark = 0): number | undefined {
  const known = scalars.get(name);
  if (known !== undefined) return known;
  checkFree(name);
  const cell = isFull() ? undefined : allocate(SCALAR, name, [value], mark);
  if (cell === undefined) refuse();
  else {
    scalars.set(name, cell);
    // A description with `merge` makes the stat a gauge.
    if (descriptions.mergeOf(name) !== undefined) gaugeCellOf(name);
  }
  return cell;
}

/**
 * The cell of a gauge, or `undefined` if it was refused.
 *
 * @param value What the cell of a new gauge holds when a reader first sees it.
 */
function gaugeCellOf(name: string, value = 0): number | undefined {
  const mark = IS_GAUGE | (Number.isInteger(value) ? 0 : IS_FRACTIONAL);
  const cell = cellOf(name, value, mark);
  if (cell === undefined || gauges.has(name) || timeCells.has(cell)) {
    return cell;
  }
  ownSlab().mark(cell, IS_GAUGE);
  const timeCell = descriptions.mergeOf(name) === "last"
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
    // Without memory for this last name the refusals cannot be counted.
    if (cell === undefined) return;
    scalars.set(REFUSED, cell);
  }
  cells[cell] += 1;
}

// Each write has a fast half, in the call or handle, and a slow half, below. The
// slow half takes every value that is not a 32-bit integer, and for a counter
// every negative value. `(value | 0) !== value` and `(value >>> 0) !== value`
// test that in one instruction, and catch fractions, NaN and strings. Adding a
// 32-bit integer to a finite sum cannot overflow a double.
//
// The fast halves avoid `+=`: on whole numbers V8 compiles it to an addition of
// 64-bit integers, with a conversion and a check of both operands. `++` and `-=`
// compile to an addition of doubles: 3.3 instead of 6.9 ns for one counter, 1.3
// instead of 2.6 ns for 100 (Deno 2.9.6).

function addAny(name: string, cell: number, value: number): void {
  checkFinite(name, value);
  const sum = cells[cell] + value;
  if (!Number.isFinite(sum)) {
    throw new RangeError(
      `Cannot change "${name}": the sum must be finite, got ${sum}`,
    );
  }
  // Counting down turns a counter into a gauge.
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
  // Initialized to a number: starting as `undefined` changes V8's representation
  // of the field and makes `record` take 4.0 ns instead of 3.2.
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

/** Writes a gauge that merges by time, with the time. */
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
  // Initialized to numbers for the reason given in CounterHandle.
  #cell = 0;
  #start = 0;
  #last = 0;
  #next = 0;
  #blockEnd = 0;
  #isFractional = false;
  readonly #positive = new BucketTable();
  readonly #negative = new BucketTable();

  constructor(name: string, cell: number, width: number) {
    this.name = name;
    this.#cell = cell;
    this.#start = cell + SUMMARY_CELLS;
    this.#last = cell + width - 1;
    this.#beginBlock(this.#start);
  }

  /** How many values the window holds. */
  get window(): number {
    return this.#last - this.#start;
  }

  record(value: number): void {
    // `value - value` is 0 for finite numbers and NaN for all others.
    if (
      typeof value !== "number" ||
      ((value | 0) !== value && !(this.#isFractional && value - value === 0))
    ) this.#check(value);
    const next = this.#next;
    // A full block is counted at once, since the cells of the counts are spread
    // over memory: 8 ns per value for 100 stats, 46 ns for 10 000 at random.
    // Blocks of 64 took 9 and 60 ns, values one by one 17 and 238 ns.
    if (next === this.#blockEnd) return this.#endBlock(value);
    // The new gap comes first: a reader in between sees two gaps and misses no
    // value.
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
    if (writer!.isTight) makeRoom(writer!);
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

  /** Counts the values of the ring from cell `start` up to cell `end`. */
  #count(start: number, end: number): void {
    const cell = this.#cell;
    for (let i = start; i < end;) {
      i = countZeros(cells, cell, i, end);
      i = countValues(cells, words, cell, this.#positive, i, end);
      if (i < end && cells[i] !== 0) this.#countRare(i++);
    }
  }

  /** Counts a value that is negative, or the first in its octave of buckets. */
  #countRare(place: number): void {
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

  /** Takes cells for the buckets of an octave. Returns 0 if no memory is left. */
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

/** Stands in for a stat that was refused. Checks and counts every call. */
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
 * until you add a negative value or {@linkcode set} it. From then on it is a
 * gauge.
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
 * @param name Any text without a line break that is not empty and does not begin
 * with `# `.
 * @param value A finite number, 1 by default; negative values count down.
 * @param labels Tell the series of one name apart. Their order means nothing.
 * @throws {TypeError} If `name` cannot stand on a line of its own or is that of
 * a distribution, if `value` is not a number, or if a label has a key that is
 * not made of ASCII letters, digits, `_` and `.`, or a value of another type.
 * @throws {RangeError} If `value` or the sum is not finite.
 */
export function incr(name: string, value?: number, labels?: Labels): void {
  if (labels !== undefined) name = seriesNames.of(name, labels).name;
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
 * @param name Any text without a line break that is not empty and does not begin
 * with `# `.
 * @param value A finite number.
 * @param labels As for {@linkcode incr}.
 * @throws {TypeError} If `name` cannot stand on a line of its own or is that of
 * a distribution, if `value` is not a number, or if a label is invalid.
 * @throws {RangeError} If `value` is not finite.
 */
export function set(name: string, value: number, labels?: Labels): void {
  if (labels !== undefined) name = seriesNames.of(name, labels).name;
  const cell = gauges.get(name);
  if (
    cell === undefined || typeof value !== "number" || (value | 0) !== value
  ) setNamed(name, value);
  else cells[cell] = value;
}

/**
 * Records one value of the distribution `name`.
 *
 * The last `config.windowSize` (100) values are kept; the pipe shows their
 * percentiles and their mean, each under a name of its own. Count, sum, minimum,
 * maximum and a histogram cover all values ever recorded. A value read from the
 * histogram is off by 2.2 % at most.
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
 * @param name Any text without a line break that is not empty and does not begin
 * with `# `. The default format needs `{0}` in it.
 * @param value A finite number.
 * @param format Makes a name for each percentile and the mean; by default it
 * replaces `{0}`. Called when the distribution is first recorded, and ignored if
 * it exists. You may pass the labels in its place.
 * @param labels As for {@linkcode incr}.
 * @throws {TypeError} If `name` has no `{0}` under the default format, if a name
 * cannot stand on a line of its own or is taken, if `value` is not a number, or
 * if a label is invalid.
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
 * Makes a handle that counts without looking the stat up. The stat exists from
 * now on, with the value 0.
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
 * @param name Any text without a line break that is not empty and does not begin
 * with `# `.
 * @param options The labels, and what {@linkcode describe} would be told.
 * @returns The handle, to be kept: making it is slower than a call by name.
 * @throws {TypeError} If `name` cannot stand on a line of its own or is that of
 * a distribution, if a label is invalid, or if an option is unknown or of the
 * wrong type.
 * @throws {RangeError} As {@linkcode describe} does.
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
  const series = labels === undefined
    ? name
    : seriesNames.of(name, labels).name;
  checkFree(series);
  // Before the gauge is made: "last" would come too late afterwards. A stat that
  // is refused must not take memory for its description.
  if (!isRefused(series)) noteOptions(name, options);
  return series;
}

/** Describes a stat if its options do. */
function noteOptions(name: string, options: Description): void {
  const { help, unit, merge, buckets } = options;
  if ((help ?? unit ?? merge ?? buckets) !== undefined) note(name, options);
}

/**
 * Makes a handle that sets a value without looking the stat up. The stat exists
 * from now on, with the value 0.
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
 * @param name Any text without a line break that is not empty and does not begin
 * with `# `.
 * @param options The labels, and what {@linkcode describe} would be told.
 * @returns The handle, to be kept: making it is slower than a call by name.
 * @throws {TypeError} If `name` cannot stand on a line of its own or is that of
 * a distribution, if a label is invalid, or if an option is unknown or of the
 * wrong type.
 * @throws {RangeError} As {@linkcode describe} does.
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
 * Makes a handle that records values without looking the stat up.
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
 * @param options The labels, the format, the window, and what
 * {@linkcode describe} would be told. The format is ignored if the distribution
 * exists, since functions cannot be compared.
 * @returns The handle, to be kept: making it is slower than a call by name.
 * @throws {TypeError} If `name` has no `{0}` under the default format, if a name
 * cannot stand on a line of its own or is taken, if a label is invalid, or if an
 * option is unknown or of the wrong type.
 * @throws {RangeError} If `window` is not a whole number from 1 to 1 000 000, or
 * differs from the window of the distribution that exists, and as
 * {@linkcode describe} does.
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

/** The distribution of a name. A new one gets a window of `window` values. */
function distributionOf(
  base: string,
  format: FormatFunc | undefined,
  labels: Labels | undefined,
  window = config.windowSize,
): Distribution {
  const series = labels === undefined
    ? { name: base, labels: {} }
    : seriesNames.of(base, labels);
  const { name } = series;
  const known = recorded.get(name);
  if (known !== undefined) return known;
  const names = nameDistribution(
    base,
    series,
    format,
    (shown) => scalars.has(shown) || owners.has(shown),
  );
  const width = SUMMARY_CELLS + window + 1;
  const initial = new Float64Array(width).fill(NaN);
  initial.set([0, Infinity, -Infinity, 0, 0]);
  const text = JSON.stringify(names);
  const cell = isFull() ? undefined : allocate(RECORDED, text, initial);
  if (cell === undefined) return new RefusedHandle(name);
  for (const shown of shownNames(names)) owners.set(shown, name);
  const handle = new DistributionHandle(name, cell, width);
  recorded.set(name, handle);
  return handle;
}

/**
 * Describes a stat, for people and for the programs that merge it. The
 * description holds for all series of the name. Parts that are not given keep
 * what an earlier description said.
 *
 * @example A gauge whose greatest value counts
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
 * their sum (default), minimum, maximum, mean, or the value that was set last.
 * Choose `last` before the gauge is first set, in every thread that sets it: a
 * thread that does not know of it notes no time. `buckets` are the upper bounds
 * of a distribution's classic histogram in Prometheus.
 * @throws {TypeError} If the name is empty, a part is unknown or of the wrong
 * type, or `last` comes too late.
 * @throws {RangeError} If there is no such `merge`, a text is longer than a name
 * may be, or the `buckets` are not 1 to 256 finite numbers in ascending order.
 */
export function describe(name: string, description: Description): void {
  checkName(name);
  checkParts(name, description);
  checkDescription(name, description);
  note(name, description);
}

/** Adds a checked description to what is known of the stat. */
function note(name: string, description: Description): void {
  const { merge } = description;
  if (merge === "last") {
    for (const gauge of gauges.keys()) {
      if (isSeriesOf(gauge, name)) {
        throw new TypeError(
          `Cannot describe "${name}": merge must become "last" before the gauge is first set`,
        );
      }
    }
  }
  const now = descriptions.add(name, description);
  if (now === undefined) return;
  if (merge !== undefined) {
    for (const stat of scalars.keys()) {
      if (isSeriesOf(stat, name)) gaugeCellOf(stat);
    }
  }
  allocate(DESCRIPTION, JSON.stringify({ name, ...now }), []);
}
