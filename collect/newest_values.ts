/**
 * Puts together the newest values of a process that does not answer: of what it
 * last sent, and of what it has kept for the case that it is killed.
 *
 * Pure: no clock, no I/O.
 *
 * @module
 */

import type { Snapshot } from "../format/snapshot.ts";
import { countOf } from "../model/histogram.ts";
import { COUNTER } from "../model/kinds.ts";
import type { Stat } from "../model/numbers.ts";

/** Whether a counter is lower than before, or missing. */
export function hasFallen(before: Snapshot, now: Snapshot): boolean {
  const values = new Map<number, number>();
  for (const [i, id] of now.ids.entries()) values.set(id, now.values[i]);
  return before.ids.some((id, i) =>
    before.kinds[i] === COUNTER && !((values.get(id) ?? 0) >= before.values[i])
  );
}

/**
 * Whether a snapshot of a process has anything that counts after its end and
 * that another one of the same process does not have. Numbers do not say so,
 * since every reading makes one.
 */
export function hasMore(snapshot: Snapshot, than: Snapshot): boolean {
  const { table: { names }, ids, kinds, values } = snapshot;
  const { stats } = than;
  const isCounterMissing = ids.some((id, i) =>
    kinds[i] === COUNTER && !((stats.get(names[id])?.value ?? 0) >= values[i])
  );
  if (isCounterMissing) return true;
  const counts = new Map(
    than.recorded.map(({ description, histogram }) => [
      description.name,
      histogram === undefined ? 0 : countOf(histogram),
    ]),
  );
  return snapshot.recorded.some(({ description, histogram }) =>
    histogram !== undefined &&
    countOf(histogram) > (counts.get(description.name) ?? 0)
  );
}

/**
 * Whether a checkpoint is newer than a snapshot of the same process. Without
 * annotations a snapshot has no number, but counters only grow.
 */
export function isNewer(checkpoint: Snapshot, than: Snapshot): boolean {
  return than.seq === undefined
    ? !hasFallen(than, checkpoint)
    : checkpoint.seq! > than.seq;
}

/**
 * The counters and histograms of a checkpoint, with the gauges and windows of an
 * older snapshot, which checkpoints do not have.
 */
export function withGauges(checkpoint: Snapshot, older: Snapshot): Snapshot {
  if (checkpoint.table !== older.table) return checkpoint;
  const has = new Set(checkpoint.ids);
  const added: number[] = [];
  for (let i = 0; i < older.ids.length; i++) {
    if (older.kinds[i] !== COUNTER && !has.has(older.ids[i])) added.push(i);
  }
  const windows = new Map(
    older.recorded.map((stat) => [stat.description.name, stat]),
  );
  const columns = {
    ids: joined(Int32Array, checkpoint.ids, older.ids, added),
    values: joined(Float64Array, checkpoint.values, older.values, added),
    fractional: joined(
      Uint8Array,
      checkpoint.fractional,
      older.fractional,
      added,
    ),
    kinds: joined(Uint8Array, checkpoint.kinds, older.kinds, added),
  };
  return {
    ...columns,
    annotated: true,
    table: checkpoint.table,
    recorded: checkpoint.recorded.map((stat) => {
      // The names of percentiles and means come with the windows.
      const { description, values } = windows.get(stat.description.name) ??
        stat;
      return { ...stat, description, values };
    }),
    descriptions: checkpoint.descriptions,
    lastSet: older.lastSet,
    rests: checkpoint.rests,
    seq: checkpoint.seq,
    process: older.process ?? checkpoint.process,
    ledger: undefined,
    get stats() {
      const { names } = checkpoint.table;
      const stats = new Map<string, Stat>();
      for (const [i, id] of columns.ids.entries()) {
        const fractional = columns.fractional[i] === 1;
        stats.set(names[id], { value: columns.values[i], fractional });
      }
      return stats;
    },
  };
}

function joined<T extends Int32Array | Float64Array | Uint8Array>(
  type: new (length: number) => T,
  first: T,
  second: T,
  places: readonly number[],
): T {
  const all = new type(first.length + places.length);
  all.set(first);
  for (const [i, place] of places.entries()) {
    all[first.length + i] = second[place];
  }
  return all;
}
