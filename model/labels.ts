/**
 * Labels at the end of a stat's name, such as
 * `http.requests{code="200",method="GET"}`.
 *
 * Pure: no clock, no I/O.
 *
 * @module
 */

import { jsonLine } from "./names.ts";
import { show } from "./show.ts";

/** The labels that tell the series of one name apart. */
export interface Labels {
  /** The value of a label. Numbers and booleans are converted to strings. */
  readonly [key: string]: string | number | boolean;
}

/** A name taken apart. */
export interface LabelledName {
  /** The name without labels, which all its series share. */
  readonly family: string;
  /** Each label and its value, in the order of the name. Empty for a plain name. */
  readonly labels: readonly (readonly [key: string, value: string])[];
}

const KEY = /^[A-Za-z_][A-Za-z0-9_.]*$/;
const LABEL = String.raw`[A-Za-z_][A-Za-z0-9_.]*="(?:[^"\\]|\\.)*"`;
const BLOCK = new RegExp(String.raw`\{${LABEL}(?:,${LABEL})*\}$`);
const ONE_LABEL = /([A-Za-z_][A-Za-z0-9_.]*)=("(?:[^"\\]|\\.)*")/g;

/** Refuses labels that are not an object, of which some have keys all the same. */
export function checkLabels(name: string, labels: unknown): void {
  if (typeof labels !== "object" || labels === null || Array.isArray(labels)) {
    throw new TypeError(
      `Cannot label "${name}": the labels must be an object, got ${
        show(labels)
      }`,
    );
  }
}

/**
 * The name of a series. Labels are sorted by their keys, so that equal labels
 * always make the same name.
 *
 * @example Two labels
 * ```ts
 * import { withLabels } from "@statvent/statvent/format";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(
 *   withLabels("http.requests", { method: "GET", code: 200 }),
 *   'http.requests{code="200",method="GET"}',
 * );
 * ```
 *
 * @param name The name without labels.
 * @param labels The labels. Without any, the result is `name`.
 * @returns The name with the labels.
 * @throws {TypeError} If the labels are not an object, a key is not made of ASCII letters, digits, `_` and
 * `.`, beginning with a letter or `_`, or a value is not a string, a number or a
 * boolean.
 */
export function withLabels(name: string, labels: Labels): string {
  checkLabels(name, labels);
  const keys = Object.keys(labels).sort();
  if (keys.length === 0) return name;
  if (name === "") {
    throw new TypeError(
      "Cannot label a stat: its name must not be empty with labels",
    );
  }
  const pairs = keys.map((key) => {
    const value = labels[key];
    if (!KEY.test(key)) {
      throw new TypeError(
        `Cannot label "${name}": a key must be made of letters, digits, "_" and "." and not begin with a digit or ".", got ${
          show(key)
        }`,
      );
    }
    if (!["string", "number", "boolean"].includes(typeof value)) {
      throw new TypeError(
        `Cannot label "${name}": the value of ${key} must be a string, a number or a boolean, got ${
          show(value)
        }`,
      );
    }
    return `${key}=${jsonLine(`${value}`)}`;
  });
  return `${name}{${pairs.join(",")}}`;
}

/**
 * Splits the name of a series into its name without labels and its labels. A name
 * that does not end in well-formed labels with distinct keys is a plain name,
 * whatever braces it has.
 *
 * @example A series and a plain name
 * ```ts
 * import { splitLabels } from "@statvent/statvent/format";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(splitLabels('hits{path="/"}'), {
 *   family: "hits",
 *   labels: [["path", "/"]],
 * });
 * assertEquals(splitLabels("hits{0}"), { family: "hits{0}", labels: [] });
 * ```
 *
 * @param name The name, with or without labels.
 * @returns The parts.
 */
export function splitLabels(name: string): LabelledName {
  const plain = { family: name, labels: [] };
  if (!name.endsWith('"}')) return plain;
  const start = name.search(BLOCK);
  if (start < 1) return plain;
  const labels: [string, string][] = [];
  try {
    for (const [, key, value] of name.slice(start).matchAll(ONE_LABEL)) {
      labels.push([key, JSON.parse(value)]);
    }
  } catch {
    return plain;
  }
  return new Set(labels.map(([key]) => key)).size === labels.length
    ? { family: name.slice(0, start), labels }
    : plain;
}
