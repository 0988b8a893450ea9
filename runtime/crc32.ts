/**
 * CRC-32, which tells a file that was written whole from one that was not.
 *
 * Pure: no clock, no I/O.
 *
 * @module
 */

// That of the runtime takes a fiftieth of the time of one in JavaScript.
import { crc32 as zlibCrc32 } from "node:zlib";

/**
 * The CRC-32 of bytes, as IEEE 802.3, gzip and PNG have it.
 *
 * @returns Eight hexadecimal digits in lower case.
 */
export function crc32(bytes: Uint8Array): string {
  return zlibCrc32(bytes).toString(16).padStart(8, "0");
}
