/**
 * Reads the stats of all processes of this host at once, and merges them.
 *
 * @module
 */

export {
  type Collected,
  Collector,
  type CollectorOptions,
} from "./collect/collector.ts";
export {
  countStates,
  type HostDistribution,
  type HostStats,
  PROCESS_STATES,
  type ProcessState,
  type ProcessStatus,
  type ProcessUsage,
  toMap,
} from "./collect/host_stats.ts";
export type { GroupUsage } from "./runtime/system.ts";
export { merge, type MergeInput } from "./collect/merge.ts";
export type {
  CounterTotal,
  DistributionTotal,
  EndedTotals,
} from "./ended/totals.ts";
export type { ExactSum } from "./model/numbers.ts";
export { NameTable, type Snapshot } from "./format/snapshot.ts";
export type { Description } from "./model/descriptions.ts";
export type { GaugeMerge } from "./model/gauge_merge.ts";
export type { Kind } from "./model/kinds.ts";
export type { DistributionNames } from "./model/descriptions.ts";
