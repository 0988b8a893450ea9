/**
 * The words that annotations begin with, as `PIPE_FORMAT.md` lists them.
 *
 * Pure: no clock, no I/O. Imports nothing.
 *
 * @module
 */

/** The name of the last line's annotation. */
export const EOF = "# EOF";

/** The name of the annotation that numbers the snapshots of a process. */
export const SEQ = "# seq";

/** The checksum of a file. */
export const CRC32 = "# crc32 ";

/** The process that the snapshot is of. This and the words below are followed by JSON. */
export const PROCESS = "# process ";

/** The ledger that the snapshot is, and the processes that it lists. */
export const LEDGER = "# ledger ";

/** Gauges. */
export const GAUGES = "# gauge ";

/** Stats of a kind that is not known. */
export const UNKNOWNS = "# unknown ";

/** The description of a stat. */
export const DESCRIBE = "# describe ";

/** When gauges were last set. */
export const LAST_SET = "# last ";

/** What rounding has taken from sums. */
export const RESTS = "# rest ";

/** The last values of a distribution. */
export const WINDOW = "# window ";

/** The histogram of a distribution. */
export const HISTOGRAM = "# histogram ";
