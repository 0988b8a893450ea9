import { assertEquals } from "@std/assert";
import {
  type Checkpoint,
  decodeCheckpoint,
  encodeHeader,
  encodeSlot,
  slotBytesFor,
} from "../../ended/checkpoint.ts";

const SLOT_BYTES = slotBytesFor(100);

function checkpoint(seq: number, text: string): Checkpoint {
  return { seq, bytes: new TextEncoder().encode(text) };
}

/** A file in which these were written, one after the other. */
function fileOf(...checkpoints: Checkpoint[]): Uint8Array<ArrayBuffer> {
  const file = new Uint8Array(4_096 + 2 * SLOT_BYTES);
  file.set(encodeHeader(SLOT_BYTES));
  for (const [i, each] of checkpoints.entries()) {
    const placed = encodeSlot(each, i % 2, SLOT_BYTES)!;
    file.set(placed.bytes, placed.offset);
  }
  return file;
}

function decoded(file: Uint8Array<ArrayBuffer>): [number, string] | undefined {
  const found = decodeCheckpoint(file);
  return found && [found.seq, new TextDecoder().decode(found.bytes)];
}

Deno.test("decodeCheckpoint() gives the newest snapshot that was written", () => {
  assertEquals(decoded(fileOf()), undefined);
  assertEquals(decoded(fileOf(checkpoint(7, "a: 1\n"))), [7, "a: 1\n"]);
  const [a, b, c] = [
    checkpoint(7, "a: 1\n"),
    checkpoint(8, "a: 2\n"),
    checkpoint(12, "a: 3\n"),
  ];
  assertEquals(decoded(fileOf(a, b)), [8, "a: 2\n"]);
  assertEquals(decoded(fileOf(a, b, c)), [12, "a: 3\n"]);
});

Deno.test("decodeCheckpoint() gives the one before, whichever byte of the newest was not written", () => {
  const before = checkpoint(8, "a: 2\n");
  const older = fileOf(checkpoint(7, "a: 1\n"), before);
  const newer = fileOf(
    checkpoint(7, "a: 1\n"),
    before,
    checkpoint(9, "b: 3\n"),
  );
  const changed = [...newer.keys()].filter((i) => newer[i] !== older[i]);
  for (const i of changed) {
    const torn = newer.slice();
    torn[i] = older[i];
    assertEquals(decoded(torn), [8, "a: 2\n"]);
  }
});

Deno.test("decodeCheckpoint() takes no other file for a checkpoint", () => {
  const file = fileOf(checkpoint(7, "a: 1\n"));
  assertEquals(decoded(file.slice(0, 4_096 + 66)), undefined);
  assertEquals(decoded(new Uint8Array(0)), undefined);
  assertEquals(decoded(new TextEncoder().encode("a: 1\n")), undefined);
  const future = file.slice();
  future.set(new TextEncoder().encode("statvent checkpoint 2 "));
  assertEquals(decoded(future), undefined);
});

Deno.test("encodeSlot() says if a slot is too small", () => {
  const text = "a".repeat(SLOT_BYTES - 64);
  const full = encodeSlot(checkpoint(1, text), 1, SLOT_BYTES)!;
  assertEquals([full.offset, full.bytes.length], [
    4_096 + SLOT_BYTES,
    SLOT_BYTES,
  ]);
  assertEquals(encodeSlot(checkpoint(1, `${text}a`), 0, SLOT_BYTES), undefined);
  // The next size holds it, and grows by steps of a page.
  assertEquals(slotBytesFor(text.length + 1) % 4_096, 0);
  assertEquals(slotBytesFor(text.length + 1) > SLOT_BYTES, true);
});
