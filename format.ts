/**
 * The text of the pipe: names, labels, numbers and whole snapshots.
 *
 * `PIPE_FORMAT.md` is the contract.
 *
 * @module
 */

export {
  type LabelledName,
  type Labels,
  splitLabels,
  withLabels,
} from "./model/labels.ts";
export { checkName, formatName, MAX_NAME_LENGTH } from "./model/names.ts";
export { formatNumber, type Stat } from "./model/numbers.ts";
export { type LedgerInfo, type ProcessInfo } from "./model/identity.ts";
export type { Buckets, Histogram } from "./model/histogram.ts";
export type { Description } from "./model/descriptions.ts";
export type { GaugeMerge } from "./model/gauge_merge.ts";
export type { DistributionNames } from "./model/descriptions.ts";
export {
  type BadLines,
  NameTable,
  type Snapshot,
  SnapshotError,
} from "./format/snapshot.ts";
export type { ParsedDistribution } from "./format/annotations.ts";
export { parseSnapshot } from "./format/snapshot_parser.ts";
