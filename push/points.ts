/**
 * What a push is made of: the stats of a host that the rules let through.
 *
 * Pure: no clock, no I/O.
 *
 * @module
 */

import type { HostDistribution, HostStats } from "../collect/host_stats.ts";
import { countOf, type Histogram } from "../model/histogram.ts";
import { COUNTER, GAUGE, type Kind } from "../model/kinds.ts";
import { splitLabels } from "../model/labels.ts";
import { formatName } from "../model/names.ts";

/** One number to push. */
export interface Point {
  readonly name: string;
  readonly value: number;
  readonly fractional: boolean;
  readonly kind: Kind;
  /** Whether it is the count or the sum of a recorded stat's histogram. */
  readonly derived: boolean;
}

/** A recorded stat that has a histogram. */
export interface RecordedInFull extends HostDistribution {
  readonly histogram: Histogram;
}

/** All that is pushed at one time. Nobody changes it. */
export interface Tick {
  /** When it was collected, in milliseconds since 1970. */
  readonly time: number;
  readonly host: HostStats;
  readonly points: readonly Point[];
  /** The recorded stats that have a histogram. */
  readonly recorded: readonly RecordedInFull[];
}

/** What a target is offered ticks with, and is made to send them. */
export interface Sender {
  /** How many points wait to be sent. */
  readonly waiting: number;
  /** How many were sent. */
  readonly sent: number;
  /** How many were given up. */
  readonly dropped: number;
  /** Takes a tick, and may give up older points for that. */
  offer(tick: Tick): void;
  /**
   * Sends some of what waits. To be called when something does, and not again
   * before it has ended.
   *
   * @returns What is wrong, if points had to be given up.
   * @throws If the target must be left alone for a while.
   */
  send(signal: AbortSignal): Promise<string | undefined>;
  /** Closes what is open. It may be opened again. */
  close(): void;
}

/** Thrown by a sender whose target says when to come again. */
export class RetryLater extends Error {
  /** In how many milliseconds. */
  readonly after: number;

  constructor(message: string, after: number) {
    super(message);
    this.after = after;
  }
}

/** Keeps what is made of a name for as long as the host's names stay the same. */
export class NameCache<T> {
  readonly #make: (name: string) => T;
  readonly #made = new Map<string, T>();
  #names: readonly string[] = [];

  constructor(make: (name: string) => T) {
    this.#make = make;
  }

  /** To be told the host's names before anything is asked for. */
  renew({ names }: HostStats): void {
    if (names !== this.#names) this.#made.clear();
    this.#names = names;
  }

  get(name: string): T {
    let made = this.#made.get(name);
    if (made === undefined) {
      this.#made.set(name, made = this.#make(name));
    }
    return made;
  }
}

/** The name of a number that is derived from a recorded stat. */
function derivedName(name: string, label: string): string {
  const derived = formatName(name, label);
  if (derived !== name) return derived;
  // Its names were made by a function.
  const { length } = splitLabels(name).family;
  return `${name.slice(0, length)}.${label}${name.slice(length)}`;
}

/** Makes ticks of what is collected. */
export function tickMaker(
  isAllowed: (name: string) => boolean,
): (host: HostStats, time: number) => Tick {
  const allowed = new NameCache(isAllowed);
  return (host, time) => {
    const { names, ids, values, fractional, kinds } = host;
    allowed.renew(host);
    const points: Point[] = [];
    const add = (
      name: string,
      value: number,
      fractional: boolean,
      kind: Kind,
      derived: boolean,
    ) => {
      if (allowed.get(name)) {
        points.push({ name, value, fractional, kind, derived });
      }
    };
    for (let i = 0; i < ids.length; i++) {
      const kind = kinds[i] as Kind;
      add(names[ids[i]], values[i], fractional[i] === 1, kind, false);
    }
    const recorded: RecordedInFull[] = [];
    const withHistogram = host.recorded.filter((stat) => stat.histogram);
    const taken = withHistogram.length === 0
      ? new Set()
      : new Set(Array.from(ids, (id) => names[id]));
    for (const stat of withHistogram) {
      const histogram = stat.histogram!;
      if (allowed.get(stat.name)) recorded.push({ ...stat, histogram });
      const count = derivedName(stat.name, "count");
      if (!taken.has(count)) {
        add(count, countOf(histogram), false, COUNTER, true);
      }
      const sum = derivedName(stat.name, "sum");
      if (!taken.has(sum)) {
        const kind = histogram.min < 0 ? GAUGE : COUNTER;
        add(sum, histogram.sum, stat.fractional, kind, true);
      }
    }
    return { time, host, points, recorded };
  };
}
