/**
 * Parses annotations: the lines of a snapshot that begin with `# `.
 *
 * `# window` and `# histogram`, the long lines, have modules of their own.
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
  RESTS,
  SEQ,
  UNKNOWNS,
  WINDOW,
} from "./annotation_words.ts";
import type { Head, KnownAnnotation, Meaning } from "./annotations.ts";
import {
  isSame,
  numberEnd,
  numberFractional,
  readNumber,
} from "./byte_reader.ts";
import { parseHistogram, parseHistogramLike } from "./histogram_annotation.ts";
import { isFlag, isName, isNames, isPairs, isText } from "./json_checks.ts";
import { parseWindow, parseWindowLike } from "./window_annotation.ts";
import { areBuckets, type Description } from "../model/descriptions.ts";
import { GAUGE_MERGES } from "../model/gauge_merge.ts";
import {
  isProcessId,
  type LedgerInfo,
  MAX_LISTED,
  type ProcessInfo,
} from "../model/identity.ts";
import { ANNOTATION } from "../model/names.ts";
import { parsePaddedNumber } from "../model/numbers.ts";
import { show } from "../model/show.ts";

/** How long a line may be, in bytes, so that none takes long to parse. */
const MAX_LINE_BYTES = 2 ** 21;

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const latin1 = new TextDecoder("latin1");
const encoder = new TextEncoder();

/** Parses the content of an annotation, by its word; `undefined` if it is malformed. */
const ANNOTATIONS: {
  [word: string]: (
    content: never,
    number: number,
    text: string,
  ) => Meaning | undefined;
} = {
  [PROCESS]: (content: Partial<ProcessInfo> | null, stalled) => {
    const { id, start, name, runtime, relay, final, last } = content ?? {};
    if (
      (id !== undefined && !isProcessId(id)) ||
      !Number.isFinite(start) || !isText(name) || !isText(runtime) ||
      !isFlag(relay) || !isFlag(final) || !isFlag(last)
    ) return;
    const info = {
      ...(id !== undefined && { id }),
      start: start!,
      name,
      runtime,
      ...(relay && { relay }),
      ...(final && { final }),
      ...(last && { last }),
      ...(stalled >= 0 && { stalled }),
    };
    return { apply: (to) => to.process = info };
  },
  [LEDGER]: (content: Partial<LedgerInfo> | null, number) => {
    const { id, generation = 0, count, killed = 0, start, ended } = content ??
      {};
    if (
      typeof id !== "string" || !Number.isSafeInteger(count) ||
      !Number.isSafeInteger(generation) || !Number.isSafeInteger(killed) ||
      (start !== undefined && !Number.isFinite(start)) ||
      !isNames(ended) || ended.length !== number || number > MAX_LISTED
    ) return;
    const info = {
      id,
      generation,
      count: count!,
      killed,
      ...(start !== undefined && { start }),
      ended,
    };
    return { apply: (to) => to.ledger = info };
  },
  [GAUGES]: (names: unknown, number) => {
    if (!isNames(names) || names.length !== number) return;
    return {
      apply: (to) => {
        to.gauges.push(names);
        to.structure.push(names);
      },
    };
  },
  [UNKNOWNS]: (names: unknown, number) => {
    if (!isNames(names) || names.length !== number) return;
    return {
      apply: (to) => {
        to.unknowns.push(names);
        to.structure.push(names);
      },
    };
  },
  [DESCRIBE]: (content: (Description & { name?: string }) | null) => {
    const { name, help, unit, merge, buckets } = content ?? {};
    if (
      !isName(name) || !isText(help) || !isText(unit) ||
      (merge !== undefined && !GAUGE_MERGES.includes(merge)) ||
      (buckets !== undefined && !areBuckets(buckets))
    ) return;
    const description = { help, unit, merge, ...(buckets && { buckets }) };
    return { apply: (to) => to.descriptions.set(name, description) };
  },
  [LAST_SET]: (times: unknown, number) => {
    if (!isPairs(times) || times.length !== number) return;
    return {
      apply: (to) => {
        for (const [name, time] of times) to.lastSet.set(name, time);
      },
    };
  },
  [RESTS]: (content: { stats?: unknown; sums?: unknown } | null, number) => {
    const { stats, sums } = content ?? {};
    if (!isPairs(stats) || !isPairs(sums)) return;
    if (stats.length + sums.length !== number) return;
    return {
      apply: (to) => {
        for (const [name, rest] of stats) to.rests.set(name, rest);
        for (const [name, rest] of sums) to.sumRests.set(name, rest);
      },
    };
  },
  [WINDOW]: parseWindow,
  [HISTOGRAM]: parseHistogram,
};

/**
 * Parses an annotation.
 *
 * @param line The line, with its line break.
 * @param last The annotation in its place in the last snapshot.
 * @returns What it says, or what is wrong with it, for a person.
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
  const like = last?.head && parseLike(line, last.bytes, last.head);
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
  // Annotations of newer writers are skipped.
  if (!Object.hasOwn(ANNOTATIONS, word)) {
    return { bytes: line.slice(), apply: () => {} };
  }
  const json = text.slice(word.length, colon);
  const meaning = parseContent(word, json, number.value, text);
  if (meaning === undefined) {
    return word === WINDOW
      ? `a window must hold its values, got ${show(text)}`
      : `an annotation must be well-formed, got ${show(text)}`;
  }
  const { apply, description } = meaning;
  const head = description && headOf(word, text, description);
  // A copy, so that the line does not keep the rest of its snapshot in memory.
  return { bytes: line.slice(), apply, head };
}

/** The beginning of the line that numbers a snapshot. */
const SEQ_START = encoder.encode(`${SEQ}: `);

/**
 * Parses the number of a snapshot without decoding the line, since each snapshot
 * has another number.
 *
 * @returns `undefined` if this is another annotation.
 */
function parseSeq(line: Uint8Array): KnownAnnotation | string | undefined {
  const start = SEQ_START.length;
  if (!isSame(line, 0, SEQ_START, 0, start)) return undefined;
  const seq = readNumber(line, start);
  const isWhole = numberEnd === line.length - 1 && !numberFractional;
  return isWhole && Number.isSafeInteger(seq) && seq >= 0
    ? { bytes: line.slice(), apply: (to) => to.seq = seq }
    : `${SEQ} must be a whole number from 1 on, got ${
      show(latin1.decode(line.subarray(start, -1)))
    }`;
}

function parseContent(
  word: string,
  json: string,
  number: number,
  text: string,
): Meaning | undefined {
  let content;
  try {
    content = JSON.parse(json);
  } catch {
    return undefined;
  }
  return ANNOTATIONS[word](content as never, number, text);
}

/** The part of a distribution's line that the next snapshot will repeat. */
function headOf(
  word: string,
  text: string,
  description: Head["description"],
): Head | undefined {
  const lastKey = word === WINDOW ? `"values":[` : `"scale":`;
  // The names come first. Inside of JSON's strings quotation marks are escaped,
  // so no name can contain the key.
  const start = text.lastIndexOf(lastKey);
  if (start === -1) return undefined;
  const head = encoder.encode(text.slice(0, start + lastKey.length));
  return { length: head.length, description };
}

/** Parses the line of a distribution if it begins as the last snapshot's did. */
function parseLike(
  line: Uint8Array,
  last: Uint8Array,
  head: Head,
): KnownAnnotation | undefined {
  if (!isSame(line, 0, last, 0, head.length)) return undefined;
  const isWindow = line[ANNOTATION.length] ===
    WINDOW.charCodeAt(ANNOTATION.length);
  return isWindow
    ? parseWindowLike(line, head)
    : parseHistogramLike(line, head);
}
