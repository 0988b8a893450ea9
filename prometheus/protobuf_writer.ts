/**
 * Writes protocol buffers.
 *
 * Pure: no clock, no I/O.
 *
 * @module
 */

import type { ByteBuffer } from "../format/byte_buffer.ts";

/** Appends the fields of messages. */
export class ProtobufWriter {
  readonly #out: ByteBuffer;
  readonly #double = new DataView(new ArrayBuffer(8));
  readonly #doubleBytes = new Uint8Array(this.#double.buffer);

  constructor(out: ByteBuffer) {
    this.#out = out;
  }

  /** Appends a whole number from 0 to 2^53. */
  varint(value: number): void {
    for (; value >= 128; value = Math.floor(value / 128)) {
      this.#out.char(128 + value % 128);
    }
    this.#out.char(value);
  }

  uint(field: number, value: number): void {
    this.varint(8 * field);
    this.varint(value);
  }

  /** A field of the type sint32 or sint64. */
  sint(field: number, value: number): void {
    this.varint(8 * field);
    this.zigzag(value);
  }

  /** Appends a whole number of either sign. */
  zigzag(value: number): void {
    this.varint(value < 0 ? -2 * value - 1 : 2 * value);
  }

  double(field: number, value: number): void {
    this.varint(8 * field + 1);
    this.#double.setFloat64(0, value, true);
    this.#out.text(this.#doubleBytes);
  }

  string(field: number, text: string): void {
    this.message(field, () => this.#out.string(text));
  }

  message(field: number, write: () => void): void {
    this.varint(8 * field + 2);
    this.delimited(write);
  }

  /** Appends what `write` appends, preceded by its length. */
  delimited(write: () => void): void {
    const out = this.#out;
    out.char(0);
    const start = out.length;
    write();
    const size = out.length - start;
    // Only now it is known how many bytes the length takes. It is mostly one.
    if (size >= 128) {
      let more = 0;
      for (let rest = size; rest >= 128; rest = Math.floor(rest / 128)) more++;
      out.reserve(more);
      out.bytes.copyWithin(start + more, start, out.length);
    }
    out.length = start - 1;
    this.varint(size);
    out.length += size;
  }
}
