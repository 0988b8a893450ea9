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

/**
 * A snapshot with a checksum, for a file.
 *
 * @param bytes A whole snapshot, as it came from a pipe or stands in a file.
 */
export function seal(bytes: Uint8Array): Uint8Array {
  if (isSealed(bytes)) return bytes;
  const length = bytes.lastIndexOf(10, bytes.length - 2) + 1;
  const content = bytes.subarray(0, length);
  const line = `${CRC32}["${crc32(content)}"]: ${length}\n`;
  const end = encoder.encode(`${line}${EOF}: ${length + line.length}\n`);
  const sealed = new Uint8Array(length + end.length);
  sealed.set(content);
  sealed.set(end, length);
  return sealed;
}
