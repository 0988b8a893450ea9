import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { ByteBuffer } from "../../format/byte_buffer.ts";
import { ScalarLines } from "../../format/scalar_lines.ts";
import { IS_FRACTIONAL } from "../../model/marks.ts";

const value = fc.oneof(
  fc.nat(12),
  fc.integer({ min: -1200, max: 1200 }),
  fc.maxSafeInteger(),
  fc.double({ noNaN: true, noDefaultInfinity: true }),
);

/** What happens from one snapshot to the next. */
const step = fc.record({
  added: fc.array(fc.string({ maxLength: 9 }), { maxLength: 3 }),
  // Up to more than are moved one by one.
  changed: fc.array(fc.tuple(fc.nat(60), value), { maxLength: 40 }),
  // What is written behind the lines, as annotations are.
  behind: fc.nat(200),
});

Deno.test("ScalarLines writes over its last lines what it would write anew", () => {
  let moved = 0;
  fc.assert(
    fc.property(fc.array(step, { maxLength: 12, size: "max" }), (steps) => {
      const names: string[] = [];
      const values = new Float64Array(100);
      const marks = new Uint8Array(100);
      const out = new ByteBuffer(16);
      const lines = new ScalarLines();
      for (const { added, changed, behind } of steps) {
        names.push(...added);
        for (const [at, value] of changed) {
          values[at] = value + 0;
          if (!Number.isInteger(value)) marks[at] |= IS_FRACTIONAL;
        }
        const before = out.length;
        lines.write(out, { names, values, marks });
        const expected = new ByteBuffer();
        new ScalarLines().write(expected, { names, values, marks });
        assertEquals(
          new TextDecoder().decode(out.bytes.subarray(0, out.length)),
          new TextDecoder().decode(
            expected.bytes.subarray(0, expected.length),
          ),
        );
        if (before > 0 && added.length === 0 && changed.length > 0) moved++;
        for (let i = 0; i < behind; i++) out.char(35);
      }
    }),
    { numRuns: 2_000 },
  );
  assertEquals(moved > 100, true);
});
