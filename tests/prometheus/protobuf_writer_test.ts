import { assertEquals } from "@std/assert";
import protobuf from "protobufjs";
import { ByteBuffer } from "../../format/byte_buffer.ts";
import { ProtobufWriter } from "../../prometheus/protobuf_writer.ts";

const Message = protobuf.parse(`
syntax = "proto3";
message Message {
  uint64 uint = 1;
  sint64 sint = 2;
  double double = 3;
  string string = 4;
  Message message = 5;
  repeated sint64 packed = 16;
}`).root.lookupType("Message");

Deno.test("ProtobufWriter writes what another library reads", () => {
  for (const length of [0, 1, 127, 128, 16_383, 16_384, 70_000]) {
    const out = new ByteBuffer(1);
    const w = new ProtobufWriter(out);
    const numbers = [0, 1, -1, 63, -64, 64, -65, 2 ** 31, -(2 ** 40), 2 ** 52];
    const inner = { string: "ö".repeat(length), double: -1.5e-300 };
    w.delimited(() => {
      w.uint(1, 2 ** 52 + 1);
      w.sint(2, -(2 ** 51) - 1);
      w.message(5, () => {
        w.string(4, inner.string);
        w.double(3, inner.double);
      });
      w.message(16, () => numbers.forEach((n) => w.zigzag(n)));
    });
    w.delimited(() => w.uint(1, 300));
    const reader = protobuf.Reader.create(out.bytes.slice(0, out.length));
    const next = () =>
      Message.toObject(Message.decodeDelimited(reader), { longs: Number });
    assertEquals(next(), {
      uint: 2 ** 52 + 1,
      sint: -(2 ** 51) - 1,
      message: inner,
      packed: numbers,
    });
    assertEquals(next(), { uint: 300 });
    assertEquals(reader.pos, out.length);
  }
});
