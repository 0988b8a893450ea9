import { assertEquals } from "@std/assert";
import { SlabWriter } from "../../memory/slab_writer.ts";
import { EPOCH, RECORDED, SCALAR, SUMMARY_CELLS } from "../../slab/layout.ts";
import { nap } from "../../runtime/pause.ts";
import { SlabReader } from "../../slab/slab_reader.ts";

// Found by chaos.
Deno.test("refresh() never shows 0 for a stat that came while a recorded one was being counted", () => {
  const writer = new SlabWriter();
  writer.add(RECORDED, "{}", new Float64Array(SUMMARY_CELLS + 1));
  const reader = new SlabReader(writer.slab, nap);
  reader.refresh();
  const words = new Int32Array(writer.slab.cells);
  words[2 * EPOCH] = 1;
  // The reader looks at the epoch, at the catalog, and at the epoch again.
  const { load } = Atomics;
  let looks = 0;
  Atomics.load = (...args: [never, number]): never => {
    if (++looks === 3) {
      writer.add(SCALAR, "new", [5]);
      words[2 * EPOCH] = 2;
    }
    return load(...args) as never;
  };
  try {
    const [{ cell }] = reader.refresh();
    assertEquals(reader.cells[cell], 5);
  } finally {
    Atomics.load = load;
  }
});
