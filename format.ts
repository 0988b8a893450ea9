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
} from "./labels.ts";
export {
  checkName,
  formatName,
  formatNumber,
  type LedgerInfo,
  MAX_NAME_LENGTH,
  type ProcessInfo,
  type Stat,
} from "./lines.ts";
export type { Buckets, Histogram } from "./histogram.ts";
export type { Description, GaugeMerge } from "./host_stats.ts";
export type { RecordedDescription } from "./process_stats.ts";
export {
  NameTable,
  type ParsedRecorded,
  parseSnapshot,
  type Snapshot,
  SnapshotError,
} from "./snapshot.ts";
