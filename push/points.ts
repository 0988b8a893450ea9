/**
 * What one push sends: the stats of a host that the rules let through.
 *
 * Pure: no clock, no I/O.
 *
 * @module
 */

import type { HostDistribution, HostStats } from "../collect/host_stats.ts";
import { countOf, type Histogram } from "../model/histogram.ts";
import { COUNTER, GAUGE, type Kind } from "../model/kinds.ts";
import { derivedName } from "../model/derived_name.ts";
import type { LabelledName } from "../model/labels.ts";
import { NameCache } from "./name_cache.ts";
import { type ProcessFigure, processPoints } from "./process_points.ts";

/** One number to push. */
export interface Point {
  /** The id of its name in the host's table. */
  readonly id: number;
  readonly value: number;
  readonly fractional: boolean;
  readonly kind: Kind;
  /** Whether it is the count or the sum of a distribution. */
  readonly derived: boolean;
  /** What it says of processes, if it does. */
  readonly figure?: ProcessFigure;
}

/** A distribution that has a histogram. */
export interface FullDistribution extends HostDistribution {
  /** The id of its name in the host's table. */
  readonly id: number;
  readonly histogram: Histogram;
}

/** Everything that is pushed at one time. Senders share it and leave it as it is. */
export interface Tick {
  /** When it was collected, in milliseconds since 1970. */
  readonly time: number;
  readonly host: HostStats;
  readonly points: readonly Point[];
  /** The distributions that have a histogram. */
  readonly recorded: readonly FullDistribution[];
}

/** Makes ticks of what is collected. */
export function tickMaker(
  isAllowed: (name: string, labelled: LabelledName) => boolean,
): (host: HostStats, time: number) => Tick {
  const allowed = new NameCache(isAllowed);
  const counts = new NameCache((...name) => derivedName(...name, "count"));
  const sums = new NameCache((...name) => derivedName(...name, "sum"));
  let hasProcesses = false;
  return (host, time) => {
    const { table, ids, values, fractional, kinds } = host;
    const points: Point[] = [];
    const add = (point: Point) => {
      if (allowed.get(table, point.id)) points.push(point);
    };
    for (let i = 0; i < ids.length; i++) {
      add({
        id: ids[i],
        value: values[i],
        fractional: fractional[i] === 1,
        kind: kinds[i] as Kind,
        derived: false,
      });
    }
    const recorded: FullDistribution[] = [];
    const withHistogram = host.recorded.filter((stat) => stat.histogram);
    // A host that never had a process, such as one of a program's own, has no figures of them.
    hasProcesses ||= host.processes.length > 0;
    const figures = hasProcesses ? processPoints(host.processes, time) : [];
    const hasMore = withHistogram.length > 0 || figures.length > 0;
    const taken = new Set(hasMore ? ids : []);
    for (const stat of withHistogram) {
      const id = table.idOf(stat.name);
      const histogram = stat.histogram!;
      if (allowed.get(table, id)) recorded.push({ ...stat, id, histogram });
      const count = table.idOf(counts.get(table, id));
      if (!taken.has(count)) {
        add({
          id: count,
          value: countOf(histogram),
          fractional: false,
          kind: COUNTER,
          derived: true,
        });
      }
      const sum = table.idOf(sums.get(table, id));
      if (!taken.has(sum)) {
        add({
          id: sum,
          value: histogram.sum,
          fractional: stat.fractional,
          kind: histogram.min < 0 ? GAUGE : COUNTER,
          derived: true,
        });
      }
    }
    for (const { name, value, kind, figure } of figures) {
      const id = table.idOf(name);
      // Two processes may say that they are the same one.
      if (taken.has(id)) continue;
      taken.add(id);
      const fractional = !Number.isInteger(value);
      add({ id, value, fractional, kind, derived: false, figure });
    }
    return { time, host, points, recorded };
  };
}
