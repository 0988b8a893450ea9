/**
 * Parses `# histogram`: all values that were ever recorded into a distribution.
 *
 * Pure: no clock, no I/O.
 *
 * @module
 */

import type { Head, KnownAnnotation, Meaning } from "./annotations.ts";
import { isFloat, isName } from "./json_checks.ts";
import {
  type Buckets,
  hasBucket,
  type Histogram,
  MAX_SCALE,
  MIN_SCALE,
} from "../model/histogram.ts";

/** How many buckets of one sign may hold values: as many as there are at scale 4. */
const MAX_BUCKETS = 34_000;

/** How many keys the JSON has without the name. */
const KEYS = 7;

const latin1 = new TextDecoder("latin1");

/** Parses runs of neighbouring buckets; `undefined` if they are malformed. */
function parseBuckets(runs: unknown, scale: number): Buckets | undefined {
  const buckets: Buckets = new Map();
  if (!Array.isArray(runs)) return undefined;
  for (const run of runs) {
    if (!Array.isArray(run) || !Number.isSafeInteger(run[0])) return undefined;
    // If the first and the last bucket exist, all between them do.
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

function toHistogram(
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

/**
 * Parses the content of `# histogram`.
 *
 * @param content The JSON.
 * @param count The number behind it: how many values the histogram has.
 * @param text The whole line.
 * @returns `undefined` if it is malformed.
 */
export function parseHistogram(
  content: { name: string } | null,
  count: number,
  text: string,
): Meaning | undefined {
  if (!isName(content?.name)) return;
  const histogram = toHistogram(content, count);
  if (histogram === undefined) return;
  const { name } = content;
  // The line has no names of stats that show the distribution.
  const description = { name, percentiles: [], mean: undefined };
  const fractional = isFloat(text, "min");
  return {
    apply: applyHistogram(description, fractional, histogram),
    description,
  };
}

function applyHistogram(
  description: Head["description"],
  fractional: boolean,
  histogram: Histogram,
): Meaning["apply"] {
  return (to) => to.distribution(description, fractional).histogram = histogram;
}

/**
 * Parses a line of `# histogram` that begins as the last snapshot's did.
 *
 * @returns `undefined` if it must be parsed as any other line.
 */
export function parseHistogramLike(
  line: Uint8Array,
  head: Head,
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
  // A writer with another order of keys may repeat the name here.
  if (Object.keys(content).length !== KEYS) return undefined;
  const histogram = toHistogram(content, Number(match[2]));
  if (histogram === undefined) return undefined;
  const fractional = isFloat(match[1], "min");
  const { description } = head;
  return {
    bytes: line.slice(),
    head,
    apply: applyHistogram(description, fractional, histogram),
  };
}
