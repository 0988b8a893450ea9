/**
 * The file in which a process keeps its counters and histograms for the case
 * that it is killed: two slots that are written in turn, each with a number and
 * a checksum, so that one of them is always whole.
 *
 * `PIPE_FORMAT.md` is the contract.
 *
 * Pure: no clock, no I/O.
 *
 * @module
 */

import { crc32 } from "../runtime/crc32.ts";

/** The first words of the file. */
const MAGIC = "statvent checkpoint 1";

/** Where the first slot begins, and what slots are a multiple of: a page. */
const PAGE_BYTES = 4_096;

/** How long the head of a slot is. */
const HEAD_BYTES = 64;

const HEADER = new RegExp(`^${MAGIC} (\\d{1,10})\n`);
const HEAD = /^(\d{1,16}) (\d{1,10}) ([0-9a-f]{8}) *\n$/;

const encoder = new TextEncoder();
const latin1 = new TextDecoder("latin1");

/** What a slot holds. */
export interface Checkpoint {
  /** The number of the snapshot. */
  readonly seq: number;
  /** The snapshot. */
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** Bytes, and the place in the file where they belong. */
export interface Placed {
  readonly offset: number;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/**
 * How large the slots must be for a snapshot, with room for as much again.
 *
 * @param length The length of the snapshot, in bytes.
 */
export function slotBytesFor(length: number): number {
  return PAGE_BYTES * Math.ceil(2 * (HEAD_BYTES + length) / PAGE_BYTES);
}

/** The header of the file, which stands at its beginning. */
export function encodeHeader(slotBytes: number): Uint8Array<ArrayBuffer> {
  return encoder.encode(`${MAGIC} ${slotBytes}\n`);
}

/**
 * A snapshot as it is written into a slot.
 *
 * @param slot 0 or 1.
 * @returns Where to write what, or `undefined` if the slot is too small.
 */
export function encodeSlot(
  { seq, bytes }: Checkpoint,
  slot: number,
  slotBytes: number,
): Placed | undefined {
  const length = HEAD_BYTES + bytes.length;
  if (length > slotBytes) return undefined;
  const placed = new Uint8Array(length);
  const head = `${seq} ${bytes.length} ${crc32(bytes)}`;
  encoder.encodeInto(`${head.padEnd(HEAD_BYTES - 1)}\n`, placed);
  placed.set(bytes, HEAD_BYTES);
  return { offset: PAGE_BYTES + slot * slotBytes, bytes: placed };
}

/**
 * The newest snapshot that stands whole in a checkpoint.
 *
 * @param file All bytes of the file.
 * @returns `undefined` if there is none, or if this is another kind of file.
 */
export function decodeCheckpoint(
  file: Uint8Array<ArrayBuffer>,
): Checkpoint | undefined {
  const header = HEADER.exec(latin1.decode(file.subarray(0, HEAD_BYTES)));
  if (header === null) return undefined;
  const slotBytes = Number(header[1]);
  const slots = [0, 1].map((slot) =>
    decodeSlot(file, PAGE_BYTES + slot * slotBytes)
  );
  const whole = slots.filter((slot) => slot !== undefined);
  return whole.sort((a, b) => b.seq - a.seq)[0];
}

function decodeSlot(
  file: Uint8Array<ArrayBuffer>,
  offset: number,
): Checkpoint | undefined {
  const start = offset + HEAD_BYTES;
  const head = HEAD.exec(latin1.decode(file.subarray(offset, start)));
  if (head === null) return undefined;
  const bytes = file.subarray(start, start + Number(head[2]));
  if (bytes.length !== Number(head[2]) || crc32(bytes) !== head[3]) {
    return undefined;
  }
  return { seq: Number(head[1]), bytes };
}
