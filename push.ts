/**
 * Pushes the stats of a host to Graphite, StatsD and OpenTelemetry.
 *
 * @module
 */

export { type Push, type PushOptions, startPush } from "./push/schedule.ts";
export type { PushStats, PushTarget } from "./push/target.ts";
export type { Rule } from "./push/rules.ts";
export { NameTable } from "./format/snapshot.ts";
export type { Buckets, Histogram } from "./model/histogram.ts";
export type {
  HostDistribution,
  HostStats,
  ProcessState,
  ProcessStatus,
} from "./collect/host_stats.ts";
export type { Description } from "./model/descriptions.ts";
export type { GaugeMerge } from "./model/gauge_merge.ts";
export type { Kind } from "./model/kinds.ts";
