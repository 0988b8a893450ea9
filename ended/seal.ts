/**
 * The checksum by which a file proves that it was written whole, and has not
 * changed since.
 *
 * Pure: no clock, no I/O.
 *
 * @module
 */

import { CRC32, EOF } from "../format/annotation_words.ts";
import { checksumOf } from "../format/checksum.ts";
import { crc32 } from "../runtime/crc32.ts";

const encoder = new TextEncoder();

/** Whether a file has the checksum that it carries. */
export function isSealed(bytes: Uint8Array): boolean {
  const sum = checksumOf(bytes);
  return sum !== undefined &&
    crc32(bytes.subarray(0, sum.length)) === sum.crc32;
}

/** Whether two files carry the same checksum of as many bytes, so that both say the same. */
export function hasSameSum(one: Uint8Array, other: Uint8Array): boolean {
  const sums = [one, other].map(checksumOf);
  return sums[0] !== undefined && sums[0].crc32 === sums[1]?.crc32 &&
    sums[0].length === sums[1].length;
}

/**
 * A snapshot with a checksum, for a file.
 *
 * @param bytes A whole snapshot, as it came from a pipe or stands in a file.
 */
export function seal(bytes: Uint8Array): Uint8Array {
  if (isSealed(bytes)) return bytes;
  return sealContent(
    bytes.subarray(0, bytes.lastIndexOf(10, bytes.length - 2) + 1),
  );
}

/** The lines of a snapshot with a checksum and the last line. */
export function sealContent(content: Uint8Array): Uint8Array {
  const { length } = content;
  const line = `${CRC32}["${crc32(content)}"]: ${length}\n`;
  const end = encoder.encode(`${line}${EOF}: ${length + line.length}\n`);
  const sealed = new Uint8Array(length + end.length);
  sealed.set(content);
  sealed.set(end, length);
  return sealed;
}
