/**
 * The totals of processes that have ended: the sums of their counters and of
 * their histograms.
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
  countOf,
  emptyHistogram,
  type Histogram,
} from "../model/histogram.ts";
import type { LedgerInfo } from "../model/identity.ts";
import { COUNTER } from "../model/kinds.ts";
import { splitLabels } from "../model/labels.ts";
import { IS_FRACTIONAL } from "../model/marks.ts";
import { jsonLine, REFUSED } from "../model/names.ts";
import { addExactly, type ExactSum, type Stat } from "../model/numbers.ts";

/** How many names there may be, so that a program that puts ids into names does not fill the disk. */
const MAX_NAMES = 100_000;

/**
 * How long the text of a ledger may be, in bytes, before it takes in no more
 * names or buckets. A reader takes 16 MiB. One histogram more, with all of its
 * 65,504 buckets, adds 1.8 MiB.
 */
const MAX_BYTES = 13 * 2 ** 20;

/**
 * Which part of the room that is left one process may fill with new names, and
 * which one with their bytes: 2,000 distributions take a fifth of all.
 */
const SHARE_OF_NAMES = 1 / 10;
const SHARE_OF_BYTES = 1 / 4;

// The sizes of the parts of a ledger, at most, in bytes, without the texts that
// `bytesOf` measures.

/** `: 1.7976931348623157e+308` and a line break, with two bytes to spare. */
const NUMBER_BYTES = 28;

/** `[-16384,9007199254740991],` as a run of one bucket, with two bytes to spare. */
const BUCKET_BYTES = 28;

/** `# describe : 1` and a line break, with some bytes to spare. */
const DESCRIPTION_BYTES = 20;

/**
 * A histogram without buckets: its sum, minimum and maximum are integers of up
 * to 309 digits each, its counts have up to 16, and its keys take the rest.
 */
const HISTOGRAM_BYTES = 1_100;

/** How long a description may be, in bytes: half of the longest line that a reader takes. */
const MAX_DESCRIPTION_BYTES = 2 ** 20;

/** From here on an integer is written as a float, since it would have too many digits. */
const MANY_DIGITS = 1e21;

const encoder = new TextEncoder();

/** A text whose JSON is itself in quotes. */
const PLAIN = /^[\x20\x21\x23-\x5b\x5d-\x7e]*$/;

/** How long a value is as JSON, in bytes. */
function bytesOf(value: unknown): number {
  // Most are names, of which a ledger may have a hundred thousand.
  if (typeof value === "string" && PLAIN.test(value)) return value.length + 2;
  return encoder.encode(jsonLine(value)).length;
}

function bucketsOf({ positive, negative }: Histogram): number {
  return positive.size + negative.size;
}

/** Whether a stat is meant, by its whole name and by its name without labels. */
export type Matches = (name: string, family: string) => boolean;

/** The sum of a counter. */
export interface CounterTotal extends Stat, ExactSum {}

/** A stat that was removed from totals. */
export interface Forgotten {
  readonly name: string;
  /** What it has counted, or how many values were recorded into it. */
  readonly total: Stat;
  /** Whether it is a distribution. */
  readonly isRecorded: boolean;
}

/** Totals that only grow, unless a person asks to forget a name. */
export class Totals implements EndedTotals {
  /** The counters by name. */
  readonly counters: Map<string, CounterTotal> = new Map();
  /** The recorded stats by name. */
  readonly recorded: Map<string, DistributionTotal> = new Map();
  /** The descriptions, by the names of their stats without labels. */
  readonly descriptions: Map<string, Description> = new Map();
  #bytes = 0;
  // How many names and bytes there may be, as far as what is being added goes.
  #maxNames = MAX_NAMES;
  #maxBytes = MAX_BYTES;

  /**
   * Adds a process. A part of the room that is left is all that its new names
   * get, so that a program that puts ids into names does not starve the others:
   * what it has beyond that is refused.
   */
  addProcess(snapshot: Snapshot): void {
    const { size } = this.counters;
    const names = size + this.recorded.size;
    this.#maxNames = names + Math.ceil(SHARE_OF_NAMES * (MAX_NAMES - names));
    this.#maxBytes = this.#bytes + SHARE_OF_BYTES * (MAX_BYTES - this.#bytes);
    this.add(snapshot);
    this.#maxNames = MAX_NAMES;
    this.#maxBytes = MAX_BYTES;
  }

  /** Adds the counters and histograms of a snapshot. Gauges and windows end with their process. */
  add(snapshot: Snapshot): void {
    const { table: { names }, ids, kinds, values, fractional, rests } =
      snapshot;
    for (let i = 0; i < ids.length; i++) {
      if (kinds[i] !== COUNTER || values[i] < 0) continue;
      const name = names[ids[i]];
      const rest = rests.get(name) ?? 0;
      this.#count(name, {
        value: values[i],
        rest,
        fractional: fractional[i] === 1,
      });
    }
    for (const { description, fractional, histogram } of snapshot.recorded) {
      if (histogram === undefined) continue;
      this.#record(description, fractional, histogram);
    }
    for (const [name, description] of snapshot.descriptions) {
      this.#describe(name, description);
    }
  }

  /**
   * Removes stats, with the descriptions that belong to them only. The bytes of
   * what was removed still count.
   */
  forget(matches: Matches): Forgotten[] {
    const forgotten: Forgotten[] = [];
    const kept = new Set<string>();
    const left = new Set<string>();
    /** Whether a stat is removed. */
    const isMeant = (name: string): boolean => {
      const { family } = splitLabels(name);
      const isMeant = matches(name, family);
      (isMeant ? left : kept).add(family);
      return isMeant;
    };
    for (const [name, total] of this.counters) {
      if (!isMeant(name)) continue;
      this.counters.delete(name);
      forgotten.push({ name, total, isRecorded: false });
    }
    for (const [name, { histogram }] of this.recorded) {
      if (!isMeant(name)) continue;
      this.recorded.delete(name);
      const total = { value: countOf(histogram), fractional: false };
      forgotten.push({ name, total, isRecorded: true });
    }
    for (const family of left) {
      if (!kept.has(family)) this.descriptions.delete(family);
    }
    return forgotten;
  }

  /** Whether there is nothing in the sums. */
  get isEmpty(): boolean {
    return this.counters.size + this.recorded.size === 0;
  }

  get #isFull(): boolean {
    return this.counters.size + this.recorded.size >= this.#maxNames ||
      this.#bytes >= this.#maxBytes;
  }

  #count(name: string, { value, rest, fractional }: CounterTotal): void {
    const sum = this.counters.get(name);
    if (sum !== undefined) {
      addExactly(sum, value, rest);
      sum.fractional ||= fractional || sum.value >= MANY_DIGITS;
    } else if (this.#isFull && name !== REFUSED) this.#refuse();
    else {
      this.#bytes += bytesOf(name) + NUMBER_BYTES;
      fractional ||= value >= MANY_DIGITS;
      this.counters.set(name, { value, rest, fractional });
    }
  }

  #refuse(): void {
    this.#count(REFUSED, { value: 1, rest: 0, fractional: false });
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
    if (bytes > MAX_DESCRIPTION_BYTES || this.#bytes + bytes > this.#maxBytes) {
      return;
    }
    // The bytes of a description that is replaced still count, which is seldom.
    this.#bytes += bytes;
    this.descriptions.set(name, description);
  }

  /** The totals as the source of a snapshot. */
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
      rests: [...this.counters].flatMap(([name, { rest }]) =>
        rest === 0 ? [] : [[name, rest] as const]
      ),
      recorded,
      descriptions: this.descriptions,
      ledger,
    };
  }
}

/** Whether adding a histogram to a sum may make more buckets. */
function needsRoom(sum: Histogram, other: Histogram): boolean {
  const isNew = (sign: "positive" | "negative") =>
    [...other[sign].keys()].some((index) => !sum[sign].has(index));
  return other.scale !== sum.scale || isNew("positive") || isNew("negative");
}

/** The totals of processes that have ended. */
export interface EndedTotals {
  /** The counters by name. */
  readonly counters: ReadonlyMap<string, CounterTotal>;
  /** The recorded stats by name. */
  readonly recorded: ReadonlyMap<string, DistributionTotal>;
  /** The descriptions, by the names of their stats without labels. */
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
