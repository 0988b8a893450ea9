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
export {
  checkName,
  formatName,
  formatNumber,
  type LedgerInfo,
  MAX_NAME_LENGTH,
  type ProcessInfo,
  type Stat,
} from "./model/names.ts";
export type { Buckets, Histogram } from "./model/histogram.ts";
export type { Description, GaugeMerge } from "./collect/host_stats.ts";
export type { RecordedDescription } from "./slab/process_stats.ts";
export {
  NameTable,
  type ParsedRecorded,
  parseSnapshot,
  type Snapshot,
  SnapshotError,
} from "./format/snapshot_parser.ts";
