/**
 * The figures that say what the totals of a host may lack, and why.
 *
 * Pure: no clock, no I/O.
 *
 * @module
 */

import type { Collected } from "../collect/collector.ts";
import type { OwnMetric } from "../prometheus/exposition.ts";

/** The figures, by their names in answers. */
export type Figures = Pick<
  Collected,
  "unbooked" | "killed" | "missed" | "late" | "badLines"
>;

/** The figures of what was read. */
export function figuresOf(
  { unbooked, killed, missed, late, badLines }: Figures,
): Figures {
  return { unbooked, killed, missed, late, badLines };
}

/** The figures as metrics. */
export function figureMetrics(
  { unbooked, killed, missed, late, badLines }: Figures,
): OwnMetric[] {
  return [
    {
      name: "statvent_unbooked_processes",
      type: "gauge",
      value: unbooked,
      help: "Killed processes whose last values only this service knows.",
    },
    {
      name: "statvent_killed_processes_total",
      type: "counter",
      value: killed,
      help: "Processes that were killed.",
    },
    {
      name: "statvent_missed_processes_total",
      type: "counter",
      value: missed,
      help: "Processes whose last values could not be kept.",
    },
    {
      name: "statvent_late_processes_total",
      type: "counter",
      value: late,
      help: "Killed processes of which more was read here than was booked.",
    },
    {
      name: "statvent_bad_lines",
      type: "gauge",
      value: badLines,
      help: "Lines of simple writers that have no valid number.",
    },
  ];
}
