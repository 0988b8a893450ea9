/**
 * Parses `# window`: the last values that were recorded into a distribution.
 *
 * Pure: no clock, no I/O.
 *
 * @module
 */

import type { Head, KnownAnnotation, Meaning } from "./annotations.ts";
import { CLOSING_BRACKET, COMMA, MINUS, NINE, ZERO } from "./ascii.ts";
import { numberEnd, numberFractional, readNumber } from "./byte_reader.ts";
import { isFloat, isName } from "./json_checks.ts";
import type { DistributionNames } from "../model/descriptions.ts";

const latin1 = new TextDecoder("latin1");

function isDistributionNames(value: unknown): value is DistributionNames {
  const { name, percentiles, mean } = value as Partial<DistributionNames>;
  return isName(name) && isName(mean) && Array.isArray(percentiles) &&
    percentiles.every((pair: unknown) =>
      Array.isArray(pair) && pair.length === 2 && Number.isFinite(pair[0]) &&
      pair[0] >= 0 && pair[0] <= 100 && isName(pair[1])
    );
}

/**
 * Parses the content of `# window`.
 *
 * @param content The JSON.
 * @param count The number behind it: how many values the line has.
 * @param text The whole line.
 * @returns `undefined` if it is malformed.
 */
export function parseWindow(
  content: DistributionNames & { values: number[] } | null,
  count: number,
  text: string,
): Meaning | undefined {
  if (content === null || !isDistributionNames(content)) return;
  const { name, percentiles, mean, values } = content;
  if (
    !Array.isArray(values) || values.length !== count ||
    !values.every(Number.isFinite)
  ) return;
  const description = { name, percentiles, mean };
  const fractional = isFloat(text, "values");
  const window = Float64Array.from(values);
  const apply: Meaning["apply"] = (to) =>
    to.addWindow(description, fractional, window);
  return { apply, description };
}

/**
 * Parses a line of `# window` that begins as the last snapshot's did.
 *
 * @returns `undefined` if it must be parsed as any other line.
 */
export function parseWindowLike(
  line: Uint8Array,
  head: Head,
): KnownAnnotation | undefined {
  let at = head.length;
  let values = new Float64Array(128);
  let count = 0;
  let fractional = false;
  for (;;) {
    const first = line[at] === MINUS ? at + 1 : at;
    const value = readNumber(line, at);
    if (numberEnd === -1) return undefined;
    // JSON has no leading zeros, so the slow path must refuse the line.
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
    const after = line[numberEnd];
    if (after === CLOSING_BRACKET) break;
    if (after !== COMMA) return undefined;
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
