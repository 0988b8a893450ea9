/**
 * Reads snapshots, as they come from a pipe.
 *
 * Most lines of a process's next snapshot have the names that they had in its
 * last one, in the same order. So a parser keeps the last text and compares:
 * where the bytes are the same, no name is decoded or looked up.
 *
 * Pure: no clock, no I/O.
 *
 * @module
 */

import { type Histogram, MAX_SCALE, MIN_SCALE } from "./histogram.ts";
import {
  COUNTER,
  type Description,
  GAUGE,
  GAUGE_MERGES,
  SHOWN,
  UNKNOWN,
} from "./host_stats.ts";
import {
  add,
  ANNOTATION,
  DESCRIBE,
  EOF,
  GAUGES,
  HISTOGRAM,
  LAST_SET,
  LEDGER,
  type LedgerInfo,
  MAX_NAME_LENGTH,
  parseNumber,
  PROCESS,
  type ProcessInfo,
  show,
  type Stat,
  UNKNOWNS,
  whyNoName,
  WINDOW,
} from "./lines.ts";
import type { RecordedDescription } from "./process_stats.ts";

/** Gives names numbers, so that what belongs to them can stand in arrays. */
export class NameTable {
  /** The names by their ids. Only ever appended to. */
  readonly names: string[] = [];
  readonly #ids: Map<string, number> = new Map();

  /**
   * The id of a name: the next free one if it is new.
   *
   * @param name Any text.
   * @returns The id, from 0 on.
   */
  idOf(name: string): number {
    let id = this.#ids.get(name);
    if (id === undefined) {
      id = this.names.push(name) - 1;
      this.#ids.set(name, id);
    }
    return id;
  }
}

/** A recorded stat of one process. */
export interface ParsedRecorded {
  /** Its names. The same object as in the last snapshot, if they are the same. */
  description: RecordedDescription;
  /** Whether a fractional value was ever recorded. */
  fractional: boolean;
  /** The window, in any order; `undefined` if none was sent. */
  values: Float64Array | undefined;
  /** All values ever recorded; `undefined` if that was not sent. */
  histogram: Histogram | undefined;
}

/** All that one process says of itself in one read. */
export interface Snapshot {
  /** The stats by name. */
  readonly stats: Map<string, Stat>;
  /** Whether the writer sends annotations, and so a snapshot's end. */
  readonly annotated: boolean;
  /** What the ids are of. */
  readonly table: NameTable;
  /** The ids of the stats, in the order of their lines. */
  readonly ids: Int32Array;
  /** For each, its value: a finite number. */
  readonly values: Float64Array;
  /** For each, 1 if it has a decimal point. */
  readonly fractional: Uint8Array;
  /** For each, its kind: 0 is a counter, 1 a gauge, 2 is not known, and 3 shows a recorded stat. */
  readonly kinds: Uint8Array;
  /** The recorded stats. */
  readonly recorded: readonly ParsedRecorded[];
  /** What is said of stats, by their names without labels. */
  readonly descriptions: ReadonlyMap<string, Description>;
  /** When gauges that note it were last set, in seconds since 1970. */
  readonly lastSet: ReadonlyMap<string, number>;
  /** What the process says of itself. */
  readonly process: ProcessInfo | undefined;
  /** What the ledger says of itself, if it is one. */
  readonly ledger: LedgerInfo | undefined;
}

/** The plain lines of a snapshot. */
interface Lines {
  readonly ids: Int32Array;
  readonly values: Float64Array;
  readonly fractional: Uint8Array;
}

class ParsedSnapshot implements Snapshot {
  readonly annotated: boolean;
  readonly table: NameTable;
  readonly ids: Int32Array;
  readonly values: Float64Array;
  readonly fractional: Uint8Array;
  readonly kinds: Uint8Array;
  readonly recorded: readonly ParsedRecorded[];
  readonly descriptions: ReadonlyMap<string, Description>;
  readonly lastSet: ReadonlyMap<string, number>;
  readonly process: ProcessInfo | undefined;
  readonly ledger: LedgerInfo | undefined;

  constructor(
    table: NameTable,
    lines: Lines,
    kinds: Uint8Array,
    annotations: Annotations | undefined,
  ) {
    this.annotated = annotations !== undefined;
    this.table = table;
    this.ids = lines.ids;
    this.values = lines.values;
    this.fractional = lines.fractional;
    this.kinds = kinds;
    this.recorded = annotations?.recorded ?? [];
    this.descriptions = annotations?.descriptions ?? new Map();
    this.lastSet = annotations?.lastSet ?? new Map();
    this.process = annotations?.process;
    this.ledger = annotations?.ledger;
  }

  get stats(): Map<string, Stat> {
    const stats = new Map<string, Stat>();
    for (const [i, id] of this.ids.entries()) {
      stats.set(this.table.names[id], {
        value: this.values[i],
        fractional: this.fractional[i] === 1,
      });
    }
    return stats;
  }
}

/** Thrown for bytes that are not one whole snapshot. */
export class SnapshotError extends SyntaxError {
  /** `"SnapshotError"`. */
  override name = "SnapshotError";
  /** Whether the writer sends annotations, as far as the bytes tell. */
  readonly annotated: boolean;
  /**
   * Whether the bytes look like a part of a snapshot that was sent with
   * annotations, as another reader of the same pipe leaves it. Reading again
   * may then help.
   */
  readonly torn: boolean;

  /**
   * Makes the error.
   *
   * @param message What was wrong.
   * @param annotated Whether there was an annotation.
   * @param torn Whether reading again may help.
   */
  constructor(message: string, annotated: boolean, torn: boolean) {
    super(message);
    this.annotated = annotated;
    this.torn = torn;
  }
}

// A pipe holds its bytes in pages, so what one of two readers gets of a
// snapshot, except for its end, is made of whole pages. Larger pages are
// multiples of this.
const PAGE_BYTES = 4096;

const HASH = 35;
const SPACE = 32;
const COLON = 58;
const COMMA = 44;
const DOT = 46;
const MINUS = 45;
const ZERO = 48;
const NEWLINE = 10;
const CLOSING_BRACKET = 93;

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const latin1 = new TextDecoder("latin1");

/** What the annotations of one snapshot say. */
class Annotations {
  readonly recorded: ParsedRecorded[] = [];
  readonly descriptions: Map<string, Description> = new Map();
  lastSet: Map<string, number> = new Map();
  process: ProcessInfo | undefined;
  ledger: LedgerInfo | undefined;
  /** All that kinds depend on: lists of names, and the names of recorded stats. */
  readonly structure: unknown[] = [];
  readonly gauges: (readonly string[])[] = [];
  readonly unknowns: (readonly string[])[] = [];
  readonly #byName: Map<string, ParsedRecorded> = new Map();

  recordedOf(
    description: RecordedDescription,
    fractional: boolean,
  ): ParsedRecorded {
    let stat = this.#byName.get(description.name);
    if (stat === undefined) {
      stat = {
        description,
        fractional,
        values: undefined,
        histogram: undefined,
      };
      this.#byName.set(description.name, stat);
      this.recorded.push(stat);
    }
    if (description.mean !== undefined) {
      stat.description = description;
      this.structure.push(description);
    }
    stat.fractional ||= fractional;
    return stat;
  }
}

/** An annotation that was read before, and what it says. */
interface Known {
  /** The whole line. */
  readonly bytes: Uint8Array;
  /** Adds what it says. */
  readonly apply: (to: Annotations) => void;
  /** For the line of a recorded stat, what stays the same from one snapshot to the next. */
  readonly head?: {
    /** How many bytes of the line that is. */
    readonly length: number;
    readonly description: RecordedDescription;
  };
}

/** The plain lines of a text, which the next text may have too. */
interface Layout {
  readonly bytes: Uint8Array;
  readonly annotated: boolean;
  readonly ids: Int32Array;
  /** Where each line's name starts. */
  readonly starts: Int32Array;
  /** Where its number starts. */
  readonly ends: Int32Array;
  kinds: Uint8Array;
  structure: readonly unknown[] | undefined;
}

const POWERS_OF_TEN = Float64Array.from({ length: 23 }, (_, i) => 10 ** i);

// What `readNumber` has found besides the value.
let numberEnd = 0;
let numberFractional = false;

/**
 * Reads the number at `start` if it is of the plain form that writers use, with
 * so few digits that one operation rounds it right. Else `numberEnd` is -1.
 */
function readNumber(bytes: Uint8Array, start: number): number {
  let at = start;
  const negative = bytes[at] === MINUS;
  if (negative) at++;
  const first = at;
  let value = 0;
  let digit = bytes[at] - ZERO;
  while (digit >= 0 && digit <= 9) {
    value = 10 * value + digit;
    digit = bytes[++at] - ZERO;
  }
  let digits = at - first;
  numberEnd = -1;
  if (digits === 0) return 0;
  numberFractional = bytes[at] === DOT;
  if (numberFractional) {
    const point = at;
    digit = bytes[++at] - ZERO;
    while (digit >= 0 && digit <= 9) {
      value = 10 * value + digit;
      digit = bytes[++at] - ZERO;
    }
    const decimals = at - point - 1;
    digits += decimals;
    if (digits > 15 || decimals === 0) return 0;
    value /= POWERS_OF_TEN[decimals];
  }
  if (digits > 15) return 0;
  numberEnd = at;
  return negative ? 0 - value : value;
}

/** Reads the number between `start` and the end of the line; `NaN` if there is none. */
function readAnyNumber(bytes: Uint8Array, start: number): number {
  const end = bytes.indexOf(NEWLINE, start);
  const text = latin1.decode(bytes.subarray(start, end));
  const stat = parseNumber(text.trim());
  if (end === -1 || stat === undefined) return NaN;
  numberEnd = end;
  numberFractional = stat.fractional;
  return stat.value;
}

/** Whether `bytes` have at `at` what `other` has from `start` to `end`. */
function isSame(
  bytes: Uint8Array,
  at: number,
  other: Uint8Array,
  start: number,
  end: number,
): boolean {
  for (let i = start; i < end; i++, at++) {
    if (bytes[at] !== other[i]) return false;
  }
  return true;
}

/** The bytes that stand before a correct last line, or -1 if there is none. */
function endOf(bytes: Uint8Array): number {
  const start = bytes.lastIndexOf(NEWLINE, bytes.length - 2) + 1;
  if (bytes.length - start > 30) return -1;
  const match = /^# EOF: (\d{1,15})\n$/.exec(
    latin1.decode(bytes.subarray(start)),
  );
  return match !== null && Number(match[1]) === start ? start : -1;
}

const isName = (name: unknown): name is string => whyNoName(name) === undefined;

const isNames = (names: unknown): names is string[] =>
  Array.isArray(names) && names.every(isName);

function isText(text: unknown): text is string | undefined {
  return text === undefined || typeof text === "string";
}

function isRecordedDescription(value: unknown): value is RecordedDescription {
  const { name, percentiles, mean } = value as Partial<RecordedDescription>;
  return isName(name) && isName(mean) && Array.isArray(percentiles) &&
    percentiles.every((pair: unknown) =>
      Array.isArray(pair) && pair.length === 2 && Number.isFinite(pair[0]) &&
      pair[0] >= 0 && pair[0] <= 100 && isName(pair[1])
    );
}

/** Reads runs of neighbouring buckets; `undefined` if they are something else. */
function parseBuckets(runs: unknown): Map<number, number> | undefined {
  const buckets = new Map<number, number>();
  if (!Array.isArray(runs)) return undefined;
  for (const run of runs) {
    if (!Array.isArray(run) || !Number.isSafeInteger(run[0])) return undefined;
    for (let i = 1; i < run.length; i++) {
      const index = run[0] + i - 1;
      if (!Number.isInteger(run[i]) || run[i] < 0 || buckets.has(index)) {
        return undefined;
      }
      if (run[i] > 0) buckets.set(index, run[i]);
    }
  }
  return buckets;
}

function parseHistogram(
  content: { [key: string]: unknown },
  count: number,
): Histogram | undefined {
  const { scale, sum, min, max, zeros } = content as { [key: string]: number };
  const positive = parseBuckets(content.positive);
  const negative = parseBuckets(content.negative);
  if (
    positive === undefined || negative === undefined ||
    !Number.isInteger(scale) || scale < MIN_SCALE || scale > MAX_SCALE ||
    ![sum, min, max].every(Number.isFinite) || !Number.isInteger(zeros) ||
    zeros < 0
  ) return undefined;
  let sumOfCounts = zeros;
  for (const n of positive.values()) sumOfCounts += n;
  for (const n of negative.values()) sumOfCounts += n;
  return sumOfCounts === count
    ? { scale, sum, min, max, zeros, positive, negative }
    : undefined;
}

/** Whether the first number that stands behind a key has a decimal point. */
function hasPoint(json: string, key: string): boolean {
  const start = json.lastIndexOf(`"${key}":`) + key.length + 3;
  return /^\[?-?\d+\./.test(json.slice(start, start + 400));
}

/** What each annotation says, by the word it begins with; `undefined` if it is malformed. */
const ANNOTATIONS: {
  [word: string]: (
    content: never,
    number: number,
    text: string,
  ) => ((to: Annotations) => void) | undefined;
} = {
  [PROCESS]: (content: Partial<ProcessInfo> | null, stalled) => {
    const { start, name, runtime } = content ?? {};
    if (!Number.isFinite(start) || !isText(name) || !isText(runtime)) return;
    const info = { start: start!, name, runtime, stalled };
    return (to) => to.process = info;
  },
  [LEDGER]: (content: Partial<LedgerInfo> | null, number) => {
    const { id, count, ended } = content ?? {};
    if (
      typeof id !== "string" || !Number.isSafeInteger(count) ||
      !isNames(ended) || ended.length !== number
    ) return;
    const info = { id, count: count!, ended };
    return (to) => to.ledger = info;
  },
  [GAUGES]: (names: unknown, number) => {
    if (!isNames(names) || names.length !== number) return;
    return (to) => {
      to.gauges.push(names);
      to.structure.push(names);
    };
  },
  [UNKNOWNS]: (names: unknown, number) => {
    if (!isNames(names) || names.length !== number) return;
    return (to) => {
      to.unknowns.push(names);
      to.structure.push(names);
    };
  },
  [DESCRIBE]: (content: (Description & { name?: string }) | null) => {
    const { name, help, unit, merge } = content ?? {};
    if (
      !isName(name) || !isText(help) || !isText(unit) ||
      (merge !== undefined && !GAUGE_MERGES.includes(merge))
    ) return;
    const description = { help, unit, merge };
    return (to) => to.descriptions.set(name, description);
  },
  [LAST_SET]: (content: Record<string, number> | null, number) => {
    if (typeof content !== "object" || content === null) return;
    const times = new Map(Object.entries(content));
    if (
      times.size !== number || ![...times.keys()].every(isName) ||
      ![...times.values()].every(Number.isFinite)
    ) return;
    return (to) => to.lastSet = times;
  },
  [WINDOW]: (
    content: RecordedDescription & { values: number[] },
    count,
    text,
  ) => {
    if (content === null || !isRecordedDescription(content)) return;
    const { name, percentiles, mean, values } = content;
    if (
      !Array.isArray(values) || values.length !== count ||
      !values.every(Number.isFinite)
    ) return;
    const description = { name, percentiles, mean };
    const fractional = hasPoint(text, "values");
    const window = Float64Array.from(values);
    return (to) => to.recordedOf(description, fractional).values = window;
  },
  [HISTOGRAM]: (content: { name: string } | null, count, text) => {
    if (!isName(content?.name)) return;
    const histogram = parseHistogram(content, count);
    if (histogram === undefined) return;
    const description = nameOnly(content.name);
    const fractional = hasPoint(text, "min");
    return (to) => to.recordedOf(description, fractional).histogram = histogram;
  },
};

/** A recorded stat that is shown by nothing. */
function nameOnly(name: string): RecordedDescription {
  return { name, percentiles: [], mean: undefined };
}

/** Reads the snapshots of one process, one after the other. */
export class SnapshotParser {
  readonly #table: NameTable;
  #layout: Layout | undefined;
  #known: Known[] = [];

  constructor(table: NameTable) {
    this.#table = table;
  }

  /**
   * Reads one snapshot.
   *
   * @param bytes All that came between opening the pipe and its end. Kept, and
   * must not be changed.
   * @returns The snapshot.
   * @throws {SnapshotError} If the bytes are not one whole snapshot.
   */
  parse(bytes: Uint8Array): Snapshot {
    const end = endOf(bytes);
    return this.#parseLike(bytes, end) ?? this.#parseAny(bytes, end);
  }

  /** Reads a snapshot that has the plain lines of the last one; `undefined` if it has others. */
  #parseLike(bytes: Uint8Array, end: number): Snapshot | undefined {
    const layout = this.#layout;
    if (layout === undefined || layout.annotated !== (end !== -1)) return;
    if (end === -1 && bytes.length % PAGE_BYTES === 0) return;
    const { ids, starts, ends, bytes: last } = layout;
    const values = new Float64Array(ids.length);
    const fractional = new Uint8Array(ids.length);
    let at = 0;
    for (let i = 0; i < ids.length; i++) {
      const start = starts[i];
      const nameEnd = ends[i];
      if (!isSame(bytes, at, last, start, nameEnd)) return;
      at += nameEnd - start;
      let value = readNumber(bytes, at);
      if (bytes[numberEnd] !== NEWLINE) {
        value = readAnyNumber(bytes, at);
        if (value !== value) return;
      }
      values[i] = value;
      fractional[i] = numberFractional ? 1 : 0;
      at = numberEnd + 1;
    }
    const lines = { ids, values, fractional };
    if (end === -1) {
      return at === bytes.length
        ? new ParsedSnapshot(this.#table, lines, layout.kinds, undefined)
        : undefined;
    }
    const annotations = new Annotations();
    if (!this.#parseAnnotations(bytes, at, end, annotations)) return;
    return this.#complete(lines, annotations);
  }

  /** Reads any snapshot. */
  #parseAny(bytes: Uint8Array, end: number): Snapshot {
    this.#layout = undefined;
    const annotated = end !== -1 || hasAnnotation(bytes);
    const torn = annotated ? end === -1 : bytes.length % PAGE_BYTES === 0;
    const fail = (why: string) =>
      new SnapshotError(`Cannot read a snapshot: ${why}`, annotated, torn);
    try {
      decoder.decode(bytes);
    } catch {
      throw fail("it must be UTF-8");
    }
    if (bytes[bytes.length - 1] !== NEWLINE) {
      throw fail("its last line must be complete");
    }
    if (torn) {
      throw fail(
        annotated
          ? `its last line must be a true ${EOF}`
          : "without annotations, whole pages may be a part of it",
      );
    }

    const textEnd = end === -1 ? bytes.length : end;
    const places = new Map<number, number>();
    const starts: number[] = [];
    const ends: number[] = [];
    const values: number[] = [];
    const fractional: number[] = [];
    let plainEnd = 0;
    const annotations = annotated ? new Annotations() : undefined;
    const known: Known[] = [];
    let lines = 0;
    for (let start = 0; start < textEnd;) {
      const lineEnd = bytes.indexOf(NEWLINE, start);
      if (bytes[start] === HASH && bytes[start + 1] === SPACE) {
        const line = bytes.subarray(start, lineEnd + 1);
        if (isEof(line)) throw fail(`${EOF} must be the last line`);
        const annotation = parseAnnotation(line, this.#known[known.length]);
        if (typeof annotation === "string") throw fail(annotation);
        annotation.apply(annotations!);
        known.push(annotation);
      } else {
        let colon = lineEnd - 2;
        while (
          colon >= start &&
          (bytes[colon] !== COLON || bytes[colon + 1] !== SPACE)
        ) colon--;
        const text = latin1.decode(bytes.subarray(colon + 2, lineEnd));
        const stat = parseNumber(text.trim());
        if (colon < start || stat === undefined) {
          const line = decoder.decode(bytes.subarray(start, lineEnd));
          throw fail(
            `every line must be "<name>: <number>", got ${show(line)}`,
          );
        }
        const name = decoder.decode(bytes.subarray(start, colon));
        if (name.length > MAX_NAME_LENGTH) {
          throw fail(`no name may be so long, got ${show(name)}`);
        }
        const id = this.#table.idOf(name);
        const place = places.get(id);
        if (place === undefined) {
          places.set(id, values.length);
          starts.push(start);
          ends.push(colon + 2);
          values.push(stat.value);
          fractional.push(stat.fractional ? 1 : 0);
        } else {
          values[place] = add(values[place], stat.value);
          if (stat.fractional) fractional[place] = 1;
        }
        lines++;
        plainEnd = lineEnd + 1;
      }
      start = lineEnd + 1;
    }

    const ids = Int32Array.from(places.keys());
    this.#known = known;
    // A name on two lines, or a plain line behind an annotation, is rare.
    if (lines === ids.length && isBefore(plainEnd, known, textEnd)) {
      this.#layout = {
        bytes,
        annotated,
        ids,
        starts: Int32Array.from(starts),
        ends: Int32Array.from(ends),
        kinds: new Uint8Array(ids.length).fill(UNKNOWN),
        structure: undefined,
      };
    }
    const columns = {
      ids,
      values: Float64Array.from(values),
      fractional: Uint8Array.from(fractional),
    };
    return annotations === undefined
      ? new ParsedSnapshot(
        this.#table,
        columns,
        new Uint8Array(ids.length).fill(UNKNOWN),
        undefined,
      )
      : this.#complete(columns, annotations);
  }

  /** Reads lines that are all annotations. Returns whether they were. */
  #parseAnnotations(
    bytes: Uint8Array,
    start: number,
    end: number,
    to: Annotations,
  ): boolean {
    const all: Known[] = [];
    while (start < end) {
      if (bytes[start] !== HASH || bytes[start + 1] !== SPACE) return false;
      const last = this.#known[all.length];
      const length = last?.bytes.length ?? 0;
      if (
        last !== undefined && start + length <= end &&
        isSame(bytes, start, last.bytes, 0, length)
      ) {
        last.apply(to);
        all.push(last);
        start += length;
        continue;
      }
      const lineEnd = bytes.indexOf(NEWLINE, start) + 1;
      const annotation = parseAnnotation(bytes.subarray(start, lineEnd), last);
      // Said by the slow way, with what is wrong.
      if (typeof annotation === "string") return false;
      annotation.apply(to);
      all.push(annotation);
      start = lineEnd;
    }
    this.#known = all;
    return true;
  }

  #complete(
    lines: Lines,
    annotations: Annotations,
  ): Snapshot {
    const { structure } = annotations;
    const layout = this.#layout;
    let kinds = layout?.kinds;
    if (
      kinds === undefined || layout!.structure === undefined ||
      layout!.structure.length !== structure.length ||
      layout!.structure.some((part, i) => part !== structure[i])
    ) {
      kinds = this.#kindsOf(lines.ids, annotations);
      if (layout !== undefined) {
        layout.kinds = kinds;
        layout.structure = structure;
      }
    }
    return new ParsedSnapshot(this.#table, lines, kinds, annotations);
  }

  #kindsOf(ids: Int32Array, annotations: Annotations): Uint8Array {
    const kinds = new Uint8Array(ids.length).fill(COUNTER);
    if (annotations.structure.length === 0) return kinds;
    const places = new Map<string, number>();
    for (const [i, id] of ids.entries()) places.set(this.#table.names[id], i);
    const mark = (names: readonly string[], kind: number) => {
      for (const name of names) {
        const place = places.get(name);
        if (place !== undefined) kinds[place] = kind;
      }
    };
    for (const names of annotations.unknowns) mark(names, UNKNOWN);
    for (const names of annotations.gauges) mark(names, GAUGE);
    for (const { description: { percentiles, mean } } of annotations.recorded) {
      mark([...percentiles.map(([, name]) => name), mean], SHOWN);
    }
    return kinds;
  }
}

/** Whether the plain lines, which end at `plainEnd`, stand before all annotations. */
function isBefore(
  plainEnd: number,
  known: readonly Known[],
  textEnd: number,
): boolean {
  return plainEnd +
      known.reduce((sum, { bytes }) => sum + bytes.length, 0) === textEnd;
}

function isEof(line: Uint8Array): boolean {
  return latin1.decode(line.subarray(0, EOF.length + 2)) === `${EOF}: `;
}

/** Whether there is a line that begins as annotations do, in bytes that may be anything. */
function hasAnnotation(bytes: Uint8Array): boolean {
  const text = latin1.decode(bytes);
  return text.startsWith(ANNOTATION) || text.includes(`\n${ANNOTATION}`);
}

/**
 * Reads an annotation.
 *
 * @param line The line, with its line break.
 * @param last What stood in its place in the last snapshot.
 * @returns What it says, or what is wrong with it.
 */
function parseAnnotation(
  line: Uint8Array,
  last: Known | undefined,
): Known | string {
  const like = last?.head && parseRecordedLike(line, last.bytes, last.head);
  if (like !== undefined) return like;
  const text = decoder.decode(line.subarray(0, line.length - 1));
  const colon = text.lastIndexOf(": ");
  const number = parseNumber(text.slice(colon + 2).trim());
  if (colon === -1 || number === undefined) {
    return `every line must be "<name>: <number>", got ${show(text)}`;
  }
  const word = text.slice(0, text.indexOf(" ", ANNOTATION.length) + 1);
  // What is not known is skipped.
  if (!Object.hasOwn(ANNOTATIONS, word)) {
    return { bytes: line.slice(), apply: () => {} };
  }
  let content;
  try {
    content = JSON.parse(text.slice(word.length, colon));
  } catch {
    // Nothing it could say.
  }
  const apply = content === undefined
    ? undefined
    : ANNOTATIONS[word](content as never, number.value, text);
  if (apply === undefined) {
    return word === WINDOW
      ? `a window must hold its values, got ${show(text)}`
      : `an annotation must be well-formed, got ${show(text)}`;
  }
  // A copy, so that no line keeps the rest of its snapshot.
  return { bytes: line.slice(), apply, head: headOf(line, word, text, apply) };
}

/** What the next snapshot will have in the line of a recorded stat, too. */
function headOf(
  line: Uint8Array,
  word: string,
  text: string,
  apply: Known["apply"],
): Known["head"] {
  const last = { [WINDOW]: `"values":[`, [HISTOGRAM]: `"scale":` }[word];
  if (last === undefined) return undefined;
  // The names come first, and may hold anything but a bare quotation mark.
  const end = text.lastIndexOf(last);
  if (end === -1) return undefined;
  const to = new Annotations();
  apply(to);
  const length = new TextEncoder().encode(text.slice(0, end + last.length))
    .length;
  return length < line.length
    ? { length, description: to.recorded[0].description }
    : undefined;
}

/** Reads the line of a recorded stat that begins as the last one did. */
function parseRecordedLike(
  line: Uint8Array,
  last: Uint8Array,
  head: NonNullable<Known["head"]>,
): Known | undefined {
  const { length, description } = head;
  if (!isSame(line, 0, last, 0, length)) return undefined;
  const isWindow = line[2] === WINDOW.charCodeAt(2);
  return isWindow
    ? parseWindowLike(line, head)
    : parseHistogramLike(line, head, description);
}

function parseWindowLike(
  line: Uint8Array,
  head: NonNullable<Known["head"]>,
): Known | undefined {
  let at = head.length;
  let values = new Float64Array(128);
  let count = 0;
  let fractional = false;
  for (;;) {
    const value = readNumber(line, at);
    if (numberEnd === -1) return undefined;
    if (count === values.length) {
      const more = new Float64Array(2 * count);
      more.set(values);
      values = more;
    }
    values[count++] = value;
    fractional ||= numberFractional;
    at = numberEnd + 1;
    if (line[numberEnd] === CLOSING_BRACKET) break;
    if (line[numberEnd] !== COMMA) return undefined;
  }
  if (latin1.decode(line.subarray(at)) !== `}: ${count}\n`) return undefined;
  values = values.subarray(0, count);
  const { description } = head;
  return {
    bytes: line.slice(),
    head,
    apply: (to) => to.recordedOf(description, fractional).values = values,
  };
}

function parseHistogramLike(
  line: Uint8Array,
  head: NonNullable<Known["head"]>,
  description: RecordedDescription,
): Known | undefined {
  const match = /^(.*)}: (\d+)\n$/.exec(
    latin1.decode(line.subarray(head.length)),
  );
  if (match === null) return undefined;
  let content;
  try {
    content = JSON.parse(`{"scale":${match[1]}}`);
  } catch {
    return undefined;
  }
  // Names in another order than ours would be new ones.
  if (Object.keys(content).length !== 6) return undefined;
  const histogram = parseHistogram(content, Number(match[2]));
  const fractional = hasPoint(match[1], "min");
  return histogram && {
    bytes: line.slice(),
    head,
    apply: (to) => to.recordedOf(description, fractional).histogram = histogram,
  };
}

/**
 * Reads one snapshot, as it came from a pipe.
 *
 * @example A line of statvent 1.0
 * ```ts
 * import { parseSnapshot } from "@statvent/statvent/format";
 * import { assertEquals } from "@std/assert";
 *
 * const { stats } = parseSnapshot(new TextEncoder().encode("requests: 3\n"));
 * assertEquals(stats.get("requests"), { value: 3, fractional: false });
 * ```
 *
 * @param bytes All that came between opening the pipe and its end.
 * @returns The stats. A name that stands on several lines has their sum.
 * @throws {SnapshotError} If the bytes are not one whole snapshot.
 */
export function parseSnapshot(bytes: Uint8Array): Snapshot {
  return new SnapshotParser(new NameTable()).parse(bytes);
}
