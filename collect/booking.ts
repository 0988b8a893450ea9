/**
 * Books the last values of killed processes, so that every reader finds them.
 *
 * Touches the pipe directory.
 *
 * @module
 */

import type { SignReading, Unbooked } from "./census.ts";
import { shortLivedPath } from "../directory/file_names.ts";
import { userOf } from "../directory/trust.ts";
import { bookUnknown } from "../ended/booking.ts";
import { writeLastValues } from "../ended/last_values.ts";
import type { Snapshot } from "../format/snapshot.ts";
import {
  type DistributionSource,
  SnapshotWriter,
} from "../format/snapshot_writer.ts";
import { COUNTER } from "../model/kinds.ts";
import { IS_FRACTIONAL } from "../model/marks.ts";
import { attempt, succeeds } from "../runtime/attempt.ts";
import { crc32 } from "../runtime/crc32.ts";
import { runtime } from "../runtime/runtime.ts";

/**
 * How many bookings of one answer wait until the disk has them, which takes some
 * milliseconds each. When more are killed at once, the disk gets the others while
 * the answer is made: if the system itself fails in these milliseconds, such a
 * file may be damaged, which the figure `missed` says.
 */
const SYNCED = 4;

/** How long a failure to find out as whom this process writes is not tried again, in milliseconds. */
const RETRY_MS = 1_000;

/** Books for the users for whom this process may do so. */
export class Booking {
  /** As whom this process writes, by directory. */
  readonly #selves: Map<string, number> = new Map();
  /** When to try again to find that out, by directory. */
  readonly #due: Map<string, number> = new Map();

  /** Whether this process may book in a directory for a user: its own, or all if it is root. */
  mayBookFor(dir: string, owner: number): boolean {
    const self = this.#selves.get(dir) ?? this.#findSelf(dir);
    return self === owner || self === 0;
  }

  /** A disk that is full or read-only does not stay so. */
  #findSelf(dir: string): number | undefined {
    const now = performance.now();
    if (now < (this.#due.get(dir) ?? -Infinity)) return undefined;
    const self = attempt(() => userOf(shortLivedPath(dir, runtime.pid)));
    if (self === undefined) this.#due.set(dir, now + RETRY_MS);
    else this.#selves.set(dir, self);
    return self;
  }

  /**
   * Books processes.
   *
   * @returns The keys of those that are booked now.
   */
  book(dir: string, processes: readonly Unbooked[]): Set<string> {
    const booked = new Set<string>();
    const later: string[] = [];
    for (const process of processes) {
      const { key, owner } = process;
      if (!this.mayBookFor(dir, owner)) continue;
      const sync = booked.size < SYNCED;
      const isForeign = this.#selves.get(dir) !== owner;
      attempt(() => {
        const { id, seq, mode = 0o600 } = process;
        const bytes = encodeLastValues(process);
        const options = isForeign ? { sync, owner } : { sync };
        const path = writeLastValues(
          dir,
          id,
          seq,
          bytes,
          mode & 0o666,
          options,
        );
        if (!sync) later.push(path);
        booked.add(key);
      });
    }
    if (later.length > 0) void runtime.syncAll(later);
    return booked;
  }

  /**
   * Books killed processes of which nothing is known.
   *
   * @returns The identities of those that could not be booked.
   */
  bookUnknown(dir: string, processes: readonly SignReading[]): Set<string> {
    const failed = processes.filter((process) =>
      !this.mayBookFor(dir, process.owner) ||
      !succeeds(() => bookUnknown(dir, process, process.mode))
    );
    return new Set(failed.map(({ id }) => id));
  }
}

/** The counters and histograms of a process as a file. */
function encodeLastValues({ id, seq, snapshot }: Unbooked): Uint8Array {
  const { table, ids, kinds, values, fractional, process } = snapshot;
  const places = [...ids.keys()].filter((i) => kinds[i] === COUNTER);
  const { start = 0, name, runtime } = process ?? {};
  const source = {
    names: places.map((i) => table.names[ids[i]]),
    values: Float64Array.from(places, (i) => values[i]),
    marks: Uint8Array.from(
      places,
      (i) => fractional[i] === 1 ? IS_FRACTIONAL : 0,
    ),
    times: new Map(),
    recorded: recordedOf(snapshot),
    descriptions: snapshot.descriptions,
    process: { id, start, name, runtime, stalled: 0 },
  };
  const options = { windows: false, seq, crc32 };
  return new SnapshotWriter().write(source, true, options).slice();
}

function recordedOf({ recorded }: Snapshot): Map<string, DistributionSource> {
  return new Map(recorded.map(({ description, fractional, histogram }) => [
    description.name,
    {
      description,
      fractional,
      sorted: () => new Float64Array(0),
      histogram: () => histogram,
    },
  ]));
}
