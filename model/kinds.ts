/**
 * The kinds of stats.
 *
 * On its way from a call to an answer, a kind and whether a stat shows a decimal
 * point are encoded in five ways:
 *
 * | where                    | kind                            | decimal point              |
 * | ------------------------ | ------------------------------- | -------------------------- |
 * | marks in a slab          | `IS_GAUGE`                      | `IS_FRACTIONAL`            |
 * | lines of a pipe          | the annotation `# gauge`        | a `.` in the number        |
 * | `kinds` of a snapshot    | a {@linkcode Kind} for each id  | `fractional`, 0 or 1       |
 * | bits in `merge.ts`       | a bit for each kind reported    | its own `IS_FRACTIONAL`    |
 * | `kinds` of a host        | a {@linkcode Kind} for each id  | `fractional`, 0 or 1       |
 *
 * The calls set marks, `SnapshotWriter` turns them into lines, `SnapshotParser`
 * turns lines into kinds, and the merge collects bits, since processes may
 * disagree on a kind.
 *
 * Pure: no clock, no I/O. Imports nothing.
 *
 * @module
 */

/** Only goes up, from 0 at the start of its process. */
export const COUNTER = 0;

/** Goes up and down. */
export const GAUGE = 1;

/** Of unknown kind: its process sends no annotations. */
export const UNKNOWN = 2;

/** Shows a percentile or the mean of a distribution. */
export const SHOWN = 3;

/** One of {@linkcode COUNTER}, {@linkcode GAUGE}, {@linkcode UNKNOWN} and {@linkcode SHOWN}. */
export type Kind = 0 | 1 | 2 | 3;
