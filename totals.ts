/**
 * What stays of processes that have ended: the sums of their counters and of
 * the histograms of their recorded stats.
 *
 * Pure: no clock, no I/O.
 *
 * @module
 */

import type { RecordedSource, SnapshotSource } from "./exposition.ts";
import { addHistogram, emptyHistogram } from "./histogram.ts";
import { COUNTER, type Description } from "./host_stats.ts";
import { add, type LedgerInfo, type Stat } from "./lines.ts";
import type { EndedTotals, RecordedTotal } from "./merge.ts";
import { FRACTIONAL } from "./slab.ts";
import type { Snapshot } from "./snapshot.ts";

/** How many names there may be. A program that puts ids into names must not fill the disk. */
const MAX_NAMES = 100_000;

/** Counts what would have been one name too many. */
const REFUSED = "statvent.refused";

/** Sums that only grow. */
export class Totals implements EndedTotals {
  /** The counters by name. */
  readonly counters: Map<string, Stat> = new Map();
  /** The recorded stats by name. */
  readonly recorded: Map<string, RecordedTotal> = new Map();
  /** What was said of them, by their names without labels. */
  readonly descriptions: Map<string, Description> = new Map();

  /** Adds what stays of a process. Gauges and windows end with it. */
  add(snapshot: Snapshot): void {
    const { table: { names }, ids, kinds, values, fractional } = snapshot;
    for (let i = 0; i < ids.length; i++) {
      if (kinds[i] !== COUNTER) continue;
      this.#count(names[ids[i]], values[i], fractional[i] === 1);
    }
    for (const { description, fractional, histogram } of snapshot.recorded) {
      if (histogram === undefined) continue;
      let total = this.recorded.get(description.name);
      if (total === undefined) {
        if (this.#isFull) {
          this.#count(REFUSED, 1, false);
          continue;
        }
        total = {
          description,
          fractional,
          histogram: emptyHistogram(histogram.scale),
        };
        this.recorded.set(description.name, total);
      }
      addHistogram(total.histogram, histogram);
      total.fractional ||= fractional;
    }
    for (const [name, description] of snapshot.descriptions) {
      if (this.descriptions.size < MAX_NAMES) {
        this.descriptions.set(name, description);
      }
    }
  }

  get #isFull(): boolean {
    return this.counters.size + this.recorded.size >= MAX_NAMES;
  }

  #count(name: string, value: number, fractional: boolean): void {
    const sum = this.counters.get(name);
    if (sum !== undefined) {
      sum.value = add(sum.value, value);
      sum.fractional ||= fractional;
    } else if (!this.#isFull) this.counters.set(name, { value, fractional });
    else if (name === REFUSED) this.counters.set(name, { value, fractional });
    else this.#count(REFUSED, 1, false);
  }

  /** The same, to be written as a snapshot. */
  source(ledger?: LedgerInfo): SnapshotSource {
    const stats = [...this.counters.values()];
    const recorded = new Map<string, RecordedSource>();
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
        ({ fractional }) => fractional ? FRACTIONAL : 0,
      ),
      times: new Map(),
      recorded,
      descriptions: this.descriptions,
      ledger,
    };
  }
}
