/**
 * Finds the checksum that a file carries.
 *
 * Pure: no clock, no I/O.
 *
 * @module
 */

import { CRC32, EOF } from "./annotation_words.ts";

/** How long the last two lines of a file are at most. */
const MAX_END_BYTES = 100;

const END = new RegExp(
  `\n(${CRC32}\\["([0-9a-f]{8})"\\]: (\\d{1,15})\n)${EOF}: \\d{1,15}\n$`,
);

const latin1 = new TextDecoder("latin1");

/** The checksum of a file. */
export interface Checksum {
  /** The CRC-32, as eight hexadecimal digits. */
  readonly crc32: string;
  /** How many bytes it is of: those before its line. */
  readonly length: number;
}

/**
 * The checksum that stands before the last line of a snapshot.
 *
 * @returns `undefined` if there is none, or none of all bytes before its line.
 */
export function checksumOf(bytes: Uint8Array): Checksum | undefined {
  const start = Math.max(0, bytes.length - MAX_END_BYTES);
  const match = END.exec(latin1.decode(bytes.subarray(start)));
  if (match === null) return undefined;
  const length = start + match.index + 1;
  return Number(match[3]) === length ? { crc32: match[2], length } : undefined;
}
