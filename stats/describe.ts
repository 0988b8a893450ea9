/**
 * The descriptions that a thread has given its stats.
 *
 * Pure: no clock, no I/O.
 *
 * @module
 */

import {
  areBuckets,
  type Description,
  isSameDescription,
  MAX_BUCKETS,
} from "../model/descriptions.ts";
import { GAUGE_MERGES, type GaugeMerge } from "../model/gauge_merge.ts";
import { splitLabels } from "../model/labels.ts";
import { MAX_NAME_LENGTH } from "../model/names.ts";
import { show } from "../model/show.ts";

const TEXTS = ["help", "unit", "merge"] as const;
const PARTS = [...TEXTS, "buckets"] as const;

/** What is known of each name, and how its gauges merge. */
export class Descriptions {
  readonly #byName: Map<string, Description> = new Map();
  #hasMerge = false;

  /** How a stat merges, if a description says so. */
  mergeOf(name: string): GaugeMerge | undefined {
    if (!this.#hasMerge) return undefined;
    return this.#byName.get(splitLabels(name).family)?.merge;
  }

  /**
   * Adds to what is known of a name. Parts that are `undefined` stay as they are.
   *
   * @param name The name, without labels.
   * @param description A checked description.
   * @returns All that is now known, or `undefined` if nothing of it is new.
   */
  add(
    name: string,
    { help, unit, merge, buckets }: Description,
  ): Description | undefined {
    const known = this.#byName.get(name);
    const now = {
      help: help ?? known?.help,
      unit: unit ?? known?.unit,
      merge: merge ?? known?.merge,
      // A copy, since the caller may change the list.
      buckets: buckets?.slice() ?? known?.buckets,
    };
    if (known !== undefined && isSameDescription(known, now)) return undefined;
    this.#byName.set(name, now);
    this.#hasMerge ||= merge !== undefined;
    return now;
  }
}

/**
 * Refuses a description with a part of the wrong type, or one that is too long.
 *
 * @throws {TypeError} If a text is not a string, or `buckets` not an array.
 * @throws {RangeError} If a part is too long, there is no such `merge`, or the
 * bounds do not ascend.
 */
export function checkDescription(name: string, description: Description): void {
  const fail = (key: string, rule: string) =>
    `Cannot describe "${name}": ${key} must be ${rule}, got ${
      show(description[key as keyof Description])
    }`;
  for (const key of TEXTS) {
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
  const { merge, buckets } = description;
  if (merge !== undefined && !GAUGE_MERGES.includes(merge)) {
    throw new RangeError(fail("merge", "sum, min, max, mean or last"));
  }
  if (buckets !== undefined && !areBuckets(buckets)) {
    const ErrorClass = Array.isArray(buckets) ? RangeError : TypeError;
    const rule =
      `an array of 1 to ${MAX_BUCKETS} finite numbers in ascending order`;
    throw new ErrorClass(fail("buckets", rule));
  }
}

/** Refuses what is not an object of known parts, so that no typing error goes unseen. */
export function checkParts(name: string, description: Description): void {
  if (
    typeof description !== "object" || description === null ||
    Array.isArray(description)
  ) {
    throw new TypeError(
      `Cannot describe "${name}": the description must be an object, got ${
        show(description)
      }`,
    );
  }
  for (const key of Object.keys(description)) {
    if (!PARTS.includes(key as keyof Description)) {
      throw new TypeError(
        `Cannot describe "${name}": the parts of a description must be ${
          PARTS.join(", ")
        }, got ${show(key)}`,
      );
    }
  }
}

/** Whether `stat` is a name without labels, or one of its series. */
export function isSeriesOf(stat: string, name: string): boolean {
  // Most stats are told apart without taking their names apart.
  return stat.startsWith(name) && splitLabels(stat).family === name;
}
