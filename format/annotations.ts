/**
 * What the annotations of one snapshot say, together.
 *
 * Pure: no clock, no I/O.
 *
 * @module
 */

import type { Description, DistributionNames } from "../model/descriptions.ts";
import type { Histogram } from "../model/histogram.ts";
import type { LedgerInfo, ProcessInfo } from "../model/identity.ts";

/** A distribution: a recorded stat of one process. */
export interface ParsedDistribution {
  /** Its names: the object of the last snapshot, if they have not changed. */
  description: DistributionNames;
  /** Whether a fractional value was ever recorded. */
  fractional: boolean;
  /** The window, in any order; `undefined` if it was not sent. */
  values: Float64Array | undefined;
  /** All values ever recorded; `undefined` if they were not sent. */
  histogram: Histogram | undefined;
}

/** The content of all annotations of one snapshot. */
export class Annotations {
  readonly recorded: ParsedDistribution[] = [];
  readonly descriptions: Map<string, Description> = new Map();
  readonly lastSet: Map<string, number> = new Map();
  /** What rounding has taken from the values of counters, by name. */
  readonly rests: Map<string, number> = new Map();
  /** What rounding has taken from the sums of distributions, by name. */
  readonly sumRests: Map<string, number> = new Map();
  process: ProcessInfo | undefined;
  ledger: LedgerInfo | undefined;
  /** The number of the snapshot. */
  seq: number | undefined;
  /** Everything that the kinds of stats depend on: lists of names, and names of distributions. */
  readonly structure: unknown[] = [];
  readonly gauges: (readonly string[])[] = [];
  readonly unknowns: (readonly string[])[] = [];
  readonly #byName: Map<string, ParsedDistribution> = new Map();
  /** The parts of windows that stand on several lines. */
  readonly #windows: Map<ParsedDistribution, Float64Array[]> = new Map();

  /** The distribution of that name, which is new if no annotation has named it. */
  distribution(
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

  /** Adds a window, or the next part of a window that stands on several lines. */
  addWindow(
    description: DistributionNames,
    fractional: boolean,
    values: Float64Array,
  ): void {
    const stat = this.distribution(description, fractional);
    if (stat.values === undefined) {
      stat.values = values;
      return;
    }
    let parts = this.#windows.get(stat);
    if (parts === undefined) this.#windows.set(stat, parts = [stat.values]);
    parts.push(values);
  }

  /** Gives histograms the rests of their sums, which may stand on another line. */
  addRests(): void {
    for (const [name, rest] of this.sumRests) {
      const stat = this.#byName.get(name);
      // A copy, since the next snapshot may have the same line with another rest.
      if (stat?.histogram) stat.histogram = { ...stat.histogram, rest };
    }
  }

  /** Joins the parts of windows: once, at the end, since there may be very many lines. */
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

/** What one annotation says. */
export interface Meaning {
  /** Adds it to what the others say. */
  readonly apply: (to: Annotations) => void;
  /** The distribution that the annotation belongs to, if it belongs to one. */
  readonly description?: DistributionNames;
}

/** The beginning of a distribution's line, which the next snapshot will repeat. */
export interface Head {
  /** How many bytes it has. */
  readonly length: number;
  readonly description: DistributionNames;
}

/** An annotation that was read, to which the next snapshot's is compared. */
export interface KnownAnnotation {
  /** The whole line. */
  readonly bytes: Uint8Array;
  readonly apply: Meaning["apply"];
  readonly head?: Head;
}
