/**
 * What stays of processes that have ended: the sums of their counters and of
 * the histograms of their recorded stats.
 *
 * Pure: no clock, no I/O.
 *
 * @module
 */

import type { Snapshot } from "../format/snapshot.ts";
import type {
  DistributionSource,
  SnapshotSource,
} from "../format/snapshot_writer.ts";
import {
  type Description,
  type DistributionNames,
  isSameDescription,
} from "../model/descriptions.ts";
import {
  addHistogram,
  emptyHistogram,
  type Histogram,
} from "../model/histogram.ts";
import type { LedgerInfo } from "../model/identity.ts";
import { COUNTER } from "../model/kinds.ts";
import { IS_FRACTIONAL } from "../model/marks.ts";
import { jsonLine, REFUSED } from "../model/names.ts";
import { add, type Stat } from "../model/numbers.ts";

/** How many names there may be. A program that puts ids into names must not fill the disk. */
const MAX_NAMES = 100_000;

/**
 * When nothing new is taken, in bytes of the text: one more histogram, with all
 * buckets that there can be, still leaves less than what is read of a file.
 */
const MAX_BYTES = 13 * 2 ** 20;

// What takes part in that, at most.
const NUMBER_BYTES = 28;
const BUCKET_BYTES = 28;
const DESCRIPTION_BYTES = 20;
const HISTOGRAM_BYTES = 1_100;

/** How long a description may be: half of the line that a reader takes. */
const MAX_DESCRIPTION_BYTES = 2 ** 20;

/** A number that has many digits is written as a float. */
const MANY_DIGITS = 1e21;

const encoder = new TextEncoder();

/** How many bytes a value has in JSON. */
function bytesOf(value: unknown): number {
  return encoder.encode(jsonLine(value)).length;
}

function bucketsOf({ positive, negative }: Histogram): number {
  return positive.size + negative.size;
}

/** Sums that only grow. */
export class Totals implements EndedTotals {
  /** The counters by name. */
  readonly counters: Map<string, Stat> = new Map();
  /** The recorded stats by name. */
  readonly recorded: Map<string, DistributionTotal> = new Map();
  /** What was said of them, by their names without labels. */
  readonly descriptions: Map<string, Description> = new Map();
  #bytes = 0;

  /** Adds what stays of a process. Gauges and windows end with it. */
  add(snapshot: Snapshot): void {
    const { table: { names }, ids, kinds, values, fractional } = snapshot;
    for (let i = 0; i < ids.length; i++) {
      if (kinds[i] !== COUNTER || values[i] < 0) continue;
      this.#count(names[ids[i]], values[i], fractional[i] === 1);
    }
    for (const { description, fractional, histogram } of snapshot.recorded) {
      if (histogram === undefined) continue;
      this.#record(description, fractional, histogram);
    }
    for (const [name, description] of snapshot.descriptions) {
      this.#describe(name, description);
    }
  }

  get #isFull(): boolean {
    return this.counters.size + this.recorded.size >= MAX_NAMES ||
      this.#bytes >= MAX_BYTES;
  }

  #count(name: string, value: number, fractional: boolean): void {
    const sum = this.counters.get(name);
    if (sum !== undefined) {
      sum.value = add(sum.value, value);
      sum.fractional ||= fractional || sum.value >= MANY_DIGITS;
    } else if (this.#isFull && name !== REFUSED) this.#refuse();
    else {
      this.#bytes += bytesOf(name) + NUMBER_BYTES;
      fractional ||= value >= MANY_DIGITS;
      this.counters.set(name, { value, fractional });
    }
  }

  #refuse(): void {
    this.#count(REFUSED, 1, false);
  }

  #record(
    description: DistributionNames,
    fractional: boolean,
    histogram: Histogram,
  ): void {
    const known = this.recorded.get(description.name);
    const total = known ??
      { description, fractional, histogram: emptyHistogram() };
    if (this.#isFull && needsRoom(total.histogram, histogram)) {
      return this.#refuse();
    }
    if (known === undefined) {
      this.#bytes += bytesOf(description) + HISTOGRAM_BYTES;
      this.recorded.set(description.name, total);
    }
    const before = bucketsOf(total.histogram);
    addHistogram(total.histogram, histogram);
    this.#bytes += BUCKET_BYTES * (bucketsOf(total.histogram) - before);
    total.fractional ||= fractional;
  }

  #describe(name: string, description: Description): void {
    const known = this.descriptions.get(name);
    if (isSameDescription(known, description)) return;
    const bytes = DESCRIPTION_BYTES + bytesOf({ name, ...description });
    if (bytes > MAX_DESCRIPTION_BYTES || this.#bytes + bytes > MAX_BYTES) {
      return;
    }
    // Seldom another one, so what is gone still counts.
    this.#bytes += bytes;
    this.descriptions.set(name, description);
  }

  /** The same, to be written as a snapshot. */
  source(ledger?: LedgerInfo): SnapshotSource {
    const stats = [...this.counters.values()];
    const recorded = new Map<string, DistributionSource>();
    for (
      const [name, { description, fractional, histogram }] of this.recorded
    ) {
      recorded.set(name, {
        description,
        fractional,
        sorted: () => new Float64Array(0),
        histogram: () => histogram,
      });
    }
    return {
      names: [...this.counters.keys()],
      values: Float64Array.from(stats, ({ value }) => value),
      marks: Uint8Array.from(
        stats,
        ({ fractional }) => fractional ? IS_FRACTIONAL : 0,
      ),
      times: new Map(),
      recorded,
      descriptions: this.descriptions,
      ledger,
    };
  }
}

/** Whether a sum would have more buckets with another histogram. */
function needsRoom(sum: Histogram, other: Histogram): boolean {
  const isNew = (sign: "positive" | "negative") =>
    [...other[sign].keys()].some((index) => !sum[sign].has(index));
  return other.scale !== sum.scale || isNew("positive") || isNew("negative");
}

/** The sums of processes that have ended. */
export interface EndedTotals {
  /** The counters by name. */
  readonly counters: ReadonlyMap<string, Stat>;
  /** The recorded stats by name. */
  readonly recorded: ReadonlyMap<string, DistributionTotal>;
  /** What was said of them, by their names without labels. */
  readonly descriptions: ReadonlyMap<string, Description>;
}

/** A recorded stat of which only the histogram is left. */
export interface DistributionTotal {
  /** Its names. */
  readonly description: DistributionNames;
  /** Whether a fractional value was ever recorded. */
  fractional: boolean;
  /** All values ever recorded. */
  readonly histogram: Histogram;
}
