/**
 * The options that a handle is made with.
 *
 * Pure: no clock, no I/O.
 *
 * @module
 */

import type { GaugeMerge } from "../model/gauge_merge.ts";
import type { Labels } from "../model/labels.ts";
import { show } from "../model/show.ts";
import { MAX_WINDOW_SIZE } from "./config.ts";

/** Makes the name of a percentile of a distribution, such as `latency.95th`. */
export type FormatFunc = (name: string, label: string) => string;

/** What a counter can be made with. */
export interface CounterOptions {
  /** Tell the series of one name apart, in any order. */
  readonly labels?: Labels;
  /** What the stat is, in a sentence. Holds for all series of the name. */
  readonly help?: string;
  /** Its unit, such as `seconds` or `bytes`. Holds for all series of the name. */
  readonly unit?: string;
}

/** What a gauge can be made with. */
export interface GaugeOptions extends CounterOptions {
  /**
   * How the values of several threads and processes become one, `sum` by
   * default. Holds for all series of the name.
   */
  readonly merge?: GaugeMerge;
}

/** What a distribution can be made with. */
export interface DistributionOptions extends CounterOptions {
  /**
   * Makes a name for each percentile and the mean; by default it replaces
   * `{0}`. Called when the distribution is first made, and ignored if it exists.
   */
  readonly format?: FormatFunc;
  /**
   * How many values are kept, from 1 to 1 000 000; `config.windowSize` by
   * default. Once the distribution exists in this thread, its window cannot
   * change.
   */
  readonly window?: number;
  /**
   * The upper bounds of its classic histogram in Prometheus, in ascending order
   * and without infinity; powers of two by default. Holds for all series of the
   * name.
   */
  readonly buckets?: readonly number[];
}

const COMMON = ["labels", "help", "unit"];

/** The names of the options, by the function that takes them. */
export const OPTION_KEYS: Readonly<
  Record<"counter" | "gauge" | "distribution", readonly string[]>
> = {
  counter: COMMON,
  gauge: [...COMMON, "merge"],
  distribution: [...COMMON, "format", "window", "buckets"],
};

/** Refuses what is not an object of known options, so that no typing error goes unseen. */
export function checkOptions(
  name: string,
  options: object,
  kind: keyof typeof OPTION_KEYS,
): void {
  if (
    typeof options !== "object" || options === null || Array.isArray(options)
  ) {
    throw new TypeError(
      `Cannot create "${name}": the options must be an object, got ${
        show(options)
      }`,
    );
  }
  const keys = OPTION_KEYS[kind];
  for (const key of Object.keys(options)) {
    if (!keys.includes(key)) {
      throw new TypeError(
        `Cannot create "${name}": the options of a ${kind} must be ${
          keys.join(", ")
        }, got ${show(key)}`,
      );
    }
  }
}

/** Refuses a window of a length that `config.windowSize` would refuse. */
export function checkWindow(name: string, window: number): void {
  if (typeof window !== "number") {
    throw new TypeError(
      `Cannot create "${name}": the window must be a number, got ${
        show(window)
      }`,
    );
  }
  if (!Number.isInteger(window) || window < 1 || window > MAX_WINDOW_SIZE) {
    throw new RangeError(
      `Cannot create "${name}": the window must be a whole number from 1 to ${MAX_WINDOW_SIZE}, got ${window}`,
    );
  }
}
