/**
 * Checks of the JSON in annotations, which may come from any writer.
 *
 * Pure: no clock, no I/O.
 *
 * @module
 */

import { whyNoName } from "../model/names.ts";

/** Whether a value can name a stat. */
export function isName(value: unknown): value is string {
  return whyNoName(value) === undefined;
}

/** Whether a value is a list of names of stats. */
export function isNames(value: unknown): value is string[] {
  return Array.isArray(value) && value.every(isName);
}

/** Whether a value is a list of names of stats, each with a number. */
export function isPairs(value: unknown): value is [string, number][] {
  return Array.isArray(value) &&
    value.every((pair) =>
      Array.isArray(pair) && pair.length === 2 && isName(pair[0]) &&
      Number.isFinite(pair[1])
    );
}

/** Whether a value is a text or missing. */
export function isText(value: unknown): value is string | undefined {
  return value === undefined || typeof value === "string";
}

/** Whether a value is a boolean or missing. */
export function isFlag(value: unknown): value is boolean | undefined {
  return value === undefined || typeof value === "boolean";
}

/**
 * Whether the number at a key, or any number of the list at the key, is written
 * as a float, which `JSON.parse()` does not tell.
 */
export function isFloat(json: string, key: string): boolean {
  const start = json.lastIndexOf(`"${key}":`) + key.length + 3;
  return /^\s*(\[[^\]]*?|-?\d+)[.eE]/.test(json.slice(start));
}
