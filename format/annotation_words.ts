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

/** What the annotations begin with that hold JSON before their number. */
export const PROCESS = "# process ";

/** Those who are gone. */
export const LEDGER = "# ledger ";

/** Gauges. */
export const GAUGES = "# gauge ";

/** Stats of a kind that is not known. */
export const UNKNOWNS = "# unknown ";

/** What is said of a stat. */
export const DESCRIBE = "# describe ";

/** When gauges were set. */
export const LAST_SET = "# last ";

/** The window behind a recorded stat. */
export const WINDOW = "# window ";

/** All values of a recorded stat. */
export const HISTOGRAM = "# histogram ";
