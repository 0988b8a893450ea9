/**
 * Reads the annotations of a snapshot: the lines that begin with `# `.
 *
 * Pure: no clock, no I/O.
 *
 * @module
 */

import {
  DESCRIBE,
  EOF,
  GAUGES,
  HISTOGRAM,
  LAST_SET,
  LEDGER,
  PROCESS,
  SEQ,
  UNKNOWNS,
  WINDOW,
} from "./annotation_words.ts";
import { CLOSING_BRACKET, COMMA, MINUS, NINE, ZERO } from "./ascii.ts";
import {
  isSame,
  numberEnd,
  numberFractional,
  readNumber,
} from "./byte_reader.ts";
import {
  type Description,
  type DistributionNames,
  GAUGE_MERGES,
} from "../model/descriptions.ts";
import {
  type Buckets,
  hasBucket,
  type Histogram,
  MAX_SCALE,
  MIN_SCALE,
} from "../model/histogram.ts";
import {
  isProcessId,
  type LedgerInfo,
  MAX_LISTED,
  type ProcessInfo,
} from "../model/identity.ts";
import { ANNOTATION, whyNoName } from "../model/names.ts";
import { parsePaddedNumber } from "../model/numbers.ts";
import { show } from "../model/show.ts";

/** How long a line may be, in bytes, so that none takes long to read. */
const MAX_LINE_BYTES = 2 ** 21;

/** How many buckets of one sign may hold something: all that there are at scale 4. */
const MAX_BUCKETS = 34_000;

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const latin1 = new TextDecoder("latin1");

/** A recorded stat of one process. */
export interface ParsedDistribution {
  /** Its names. The same object as in the last snapshot, if they are the same. */
  description: DistributionNames;
  /** Whether a fractional value was ever recorded. */
  fractional: boolean;
  /** The window, in any order; `undefined` if none was sent. */
  values: Float64Array | undefined;
  /** All values ever recorded; `undefined` if that was not sent. */
  histogram: Histogram | undefined;
}

/** What the annotations of one snapshot say. */
export class Annotations {
  readonly recorded: ParsedDistribution[] = [];
  readonly descriptions: Map<string, Description> = new Map();
  readonly lastSet: Map<string, number> = new Map();
  process: ProcessInfo | undefined;
  ledger: LedgerInfo | undefined;
  /** The number of the snapshot. */
  seq: number | undefined;
  /** All that kinds depend on: lists of names, and the names of recorded stats. */
  readonly structure: unknown[] = [];
  readonly gauges: (readonly string[])[] = [];
  readonly unknowns: (readonly string[])[] = [];
  readonly #byName: Map<string, ParsedDistribution> = new Map();
  /** Of windows that stand on several lines, what stands on each. */
  readonly #windows: Map<ParsedDistribution, Float64Array[]> = new Map();

  recordedOf(
    description: DistributionNames,
    fractional: boolean,
  ): ParsedDistribution {
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

  /** Adds a window, or what does not stand on its first line. */
  addWindow(
    description: DistributionNames,
    fractional: boolean,
    values: Float64Array,
  ): void {
    const stat = this.recordedOf(description, fractional);
    if (stat.values === undefined) {
      stat.values = values;
      return;
    }
    let parts = this.#windows.get(stat);
    if (parts === undefined) this.#windows.set(stat, parts = [stat.values]);
    parts.push(values);
  }

  /** Joins the windows, once, when all has been added: there may be very many lines. */
  joinWindows(): void {
    for (const [stat, parts] of this.#windows) {
      const length = parts.reduce((sum, { length }) => sum + length, 0);
      stat.values = new Float64Array(length);
      let offset = 0;
      for (const part of parts) {
        stat.values.set(part, offset);
        offset += part.length;
      }
    }
  }
}

/** An annotation that was read before, and what it says. */
export interface KnownAnnotation {
  /** The whole line. */
  readonly bytes: Uint8Array;
  /** Adds what it says. */
  readonly apply: (to: Annotations) => void;
  /** For the line of a recorded stat, what stays the same from one snapshot to the next. */
  readonly head?: {
    /** How many bytes of the line that is. */
    readonly length: number;
    readonly description: DistributionNames;
  };
}

const isName = (name: unknown): name is string => whyNoName(name) === undefined;

const isNames = (names: unknown): names is string[] =>
  Array.isArray(names) && names.every(isName);

function isText(text: unknown): text is string | undefined {
  return text === undefined || typeof text === "string";
}

function isFlag(flag: unknown): flag is boolean | undefined {
  return flag === undefined || typeof flag === "boolean";
}

function isDistributionNames(value: unknown): value is DistributionNames {
  const { name, percentiles, mean } = value as Partial<DistributionNames>;
  return isName(name) && isName(mean) && Array.isArray(percentiles) &&
    percentiles.every((pair: unknown) =>
      Array.isArray(pair) && pair.length === 2 && Number.isFinite(pair[0]) &&
      pair[0] >= 0 && pair[0] <= 100 && isName(pair[1])
    );
}

/** Reads runs of neighbouring buckets; `undefined` if they are something else. */
function parseBuckets(runs: unknown, scale: number): Buckets | undefined {
  const buckets: Buckets = new Map();
  if (!Array.isArray(runs)) return undefined;
  for (const run of runs) {
    if (!Array.isArray(run) || !Number.isSafeInteger(run[0])) return undefined;
    // All between the first and the last are there if these are.
    const ends = run.length === 1 ? [] : [run[0], run[0] + run.length - 2];
    if (!ends.every((index) => hasBucket(index, scale))) return undefined;
    for (let i = 1; i < run.length; i++) {
      const index = run[0] + i - 1;
      if (
        !Number.isSafeInteger(run[i]) || run[i] < 0 || buckets.has(index)
      ) return undefined;
      if (run[i] === 0) continue;
      if (buckets.size === MAX_BUCKETS) return undefined;
      buckets.set(index, run[i]);
    }
  }
  return buckets;
}

function parseHistogram(
  content: { [key: string]: unknown },
  count: number,
): Histogram | undefined {
  const { scale, sum, min, max, zeros } = content as { [key: string]: number };
  const positive = parseBuckets(content.positive, scale);
  const negative = parseBuckets(content.negative, scale);
  if (
    positive === undefined || negative === undefined ||
    !Number.isInteger(scale) || scale < MIN_SCALE || scale > MAX_SCALE ||
    ![sum, min, max].every(Number.isFinite) || !Number.isSafeInteger(zeros) ||
    zeros < 0
  ) return undefined;
  let sumOfCounts = zeros;
  for (const n of positive.values()) sumOfCounts += n;
  for (const n of negative.values()) sumOfCounts += n;
  return sumOfCounts === count
    ? { scale, sum, min, max, zeros, positive, negative }
    : undefined;
}

/** Whether the number that stands behind a key, or one of a list of them, is written as a float. */
function isFloat(json: string, key: string): boolean {
  const start = json.lastIndexOf(`"${key}":`) + key.length + 3;
  return /^\s*(\[[^\]]*?|-?\d+)[.eE]/.test(json.slice(start));
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
    const { id, start, name, runtime, relay, final } = content ?? {};
    if (
      (id !== undefined && !isProcessId(id)) ||
      !Number.isFinite(start) || !isText(name) || !isText(runtime) ||
      !isFlag(relay) || !isFlag(final)
    ) return;
    const info = {
      ...(id !== undefined && { id }),
      start: start!,
      name,
      runtime,
      ...(relay && { relay }),
      ...(final && { final }),
      stalled,
    };
    return (to) => to.process = info;
  },
  [LEDGER]: (content: Partial<LedgerInfo> | null, number) => {
    const { id, count, killed = 0, ended } = content ?? {};
    if (
      typeof id !== "string" || !Number.isSafeInteger(count) ||
      !Number.isSafeInteger(killed) ||
      !isNames(ended) || ended.length !== number || number > MAX_LISTED
    ) return;
    const info = { id, count: count!, killed, ended };
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
  [LAST_SET]: (pairs: unknown, number) => {
    if (!Array.isArray(pairs) || pairs.length !== number) return;
    const isPair = (pair: unknown) =>
      Array.isArray(pair) && pair.length === 2 && isName(pair[0]) &&
      Number.isFinite(pair[1]);
    if (!pairs.every(isPair)) return;
    const times: [string, number][] = pairs;
    return (to) => times.forEach(([name, time]) => to.lastSet.set(name, time));
  },
  [WINDOW]: (
    content: DistributionNames & { values: number[] },
    count,
    text,
  ) => {
    if (content === null || !isDistributionNames(content)) return;
    const { name, percentiles, mean, values } = content;
    if (
      !Array.isArray(values) || values.length !== count ||
      !values.every(Number.isFinite)
    ) return;
    const description = { name, percentiles, mean };
    const fractional = isFloat(text, "values");
    const window = Float64Array.from(values);
    return (to) => to.addWindow(description, fractional, window);
  },
  [HISTOGRAM]: (content: { name: string } | null, count, text) => {
    if (!isName(content?.name)) return;
    const histogram = parseHistogram(content, count);
    if (histogram === undefined) return;
    const description = nameOnly(content.name);
    const fractional = isFloat(text, "min");
    return (to) => to.recordedOf(description, fractional).histogram = histogram;
  },
};

/** A recorded stat that is shown by nothing. */
function nameOnly(name: string): DistributionNames {
  return { name, percentiles: [], mean: undefined };
}

/**
 * Reads an annotation.
 *
 * @param line The line, with its line break.
 * @param last What stood in its place in the last snapshot.
 * @returns What it says, or what is wrong with it.
 */
export function parseAnnotation(
  line: Uint8Array,
  last: KnownAnnotation | undefined,
): KnownAnnotation | string {
  if (line.length > MAX_LINE_BYTES) {
    return `an annotation must have at most ${MAX_LINE_BYTES} bytes, got ${line.length}`;
  }
  const seq = parseSeq(line);
  if (seq !== undefined) return seq;
  const like = last?.head && parseRecordedLike(line, last.bytes, last.head);
  if (like !== undefined) return like;
  let text;
  try {
    text = decoder.decode(line.subarray(0, line.length - 1));
  } catch {
    return "it must be UTF-8";
  }
  if (text.startsWith(`${EOF}: `)) return `${EOF} must be the last line`;
  const colon = text.lastIndexOf(": ");
  const number = parsePaddedNumber(text.slice(colon + 2));
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

/** What the line begins with that numbers a snapshot. */
const SEQ_START = new TextEncoder().encode(`${SEQ}: `);

/**
 * Reads the number of a snapshot without decoding the line, since it is another
 * one in each snapshot.
 *
 * @returns `undefined` if this is another annotation.
 */
function parseSeq(line: Uint8Array): KnownAnnotation | string | undefined {
  const start = SEQ_START.length;
  if (!isSame(line, 0, SEQ_START, 0, start)) return undefined;
  const seq = readNumber(line, start);
  const isWhole = numberEnd === line.length - 1 && !numberFractional;
  return isWhole && Number.isSafeInteger(seq) && seq >= 1
    ? { bytes: line.slice(), apply: (to) => to.seq = seq }
    : `${SEQ} must be a whole number from 1 on, got ${
      show(latin1.decode(line.subarray(start, -1)))
    }`;
}

/** What the next snapshot will have in the line of a recorded stat, too. */
function headOf(
  line: Uint8Array,
  word: string,
  text: string,
  apply: KnownAnnotation["apply"],
): KnownAnnotation["head"] {
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
  head: NonNullable<KnownAnnotation["head"]>,
): KnownAnnotation | undefined {
  const { length, description } = head;
  if (!isSame(line, 0, last, 0, length)) return undefined;
  const isWindow = line[2] === WINDOW.charCodeAt(2);
  return isWindow
    ? parseWindowLike(line, head)
    : parseHistogramLike(line, head, description);
}

function parseWindowLike(
  line: Uint8Array,
  head: NonNullable<KnownAnnotation["head"]>,
): KnownAnnotation | undefined {
  let at = head.length;
  let values = new Float64Array(128);
  let count = 0;
  let fractional = false;
  for (;;) {
    const first = line[at] === MINUS ? at + 1 : at;
    const value = readNumber(line, at);
    if (numberEnd === -1) return undefined;
    // JSON has no leading zeros, and so refuses the line.
    const second = line[first + 1];
    if (line[first] === ZERO && second >= ZERO && second <= NINE) {
      return undefined;
    }
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
    apply: (to) => to.addWindow(description, fractional, values),
  };
}

function parseHistogramLike(
  line: Uint8Array,
  head: NonNullable<KnownAnnotation["head"]>,
  description: DistributionNames,
): KnownAnnotation | undefined {
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
  // Of another order than ours, the name would be one more.
  if (Object.keys(content).length !== 7) return undefined;
  const histogram = parseHistogram(content, Number(match[2]));
  const fractional = isFloat(match[1], "min");
  return histogram && {
    bytes: line.slice(),
    head,
    apply: (to) => to.recordedOf(description, fractional).histogram = histogram,
  };
}
