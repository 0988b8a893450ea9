import { assert, assertEquals } from "@std/assert";
import { SlabWriter } from "../../memory/slab_writer.ts";
import {
  EPOCH,
  lifeOf,
  NEWEST,
  RECORDED,
  SCALAR,
  SUMMARY_CELLS,
} from "../../slab/layout.ts";
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

Deno.test("refresh() reads a small slab that outgrows its buffers, whenever the reader hears of the larger ones", () => {
  for (const late of [1, 7, 100]) {
    const writer = new SlabWriter("other thread");
    const reader = new SlabReader(writer.slab, nap);
    const cells: number[] = [];
    const names: string[] = [];
    // What the buffers that the reader knows held at last.
    let last = writer.cells;
    let heard = writer.slab.version;
    for (let n = 0; n < 2_000; n++) {
      cells.push(writer.add(SCALAR, `stat.${n}`, [n])!);
      for (const cell of cells.slice(-10)) writer.cells[cell]++;
      if (writer.slab.version === heard) last = writer.cells;
      if (n % late === 0) {
        reader.follow(writer.slab);
        heard = writer.slab.version;
        last = writer.cells;
      }
      names.push(...reader.refresh().map(({ text }) => text));
      assertEquals(reader.cells[cells[0]], last[cells[0]]);
      const newest = cells[names.length - 1];
      assertEquals(reader.cells[newest], last[newest]);
    }
    reader.follow(writer.slab);
    names.push(...reader.refresh().map(({ text }) => text));
    assertEquals(names, cells.map((_, n) => `stat.${n}`));
    assertEquals(
      cells.map((cell) => reader.cells[cell]),
      cells.map((_, n) => n + Math.min(10, cells.length - n)),
    );
    assertEquals(
      Atomics.load(lifeOf(writer.slab), NEWEST),
      writer.slab.version,
    );
  }
});

Deno.test("the buffers of a thread that counts little take less than a page", () => {
  const writer = new SlabWriter("other thread");
  for (let n = 0; n < 20; n++) writer.add(SCALAR, `stat.${n}`, [n]);
  const { version, life, cells, marks, catalog } = writer.slab;
  assertEquals(version, 1);
  const bytes = [life, cells, marks, catalog].map((buffer) => buffer.byteLength)
    .reduce((a, b) => a + b);
  assert(bytes < 4096, `${bytes}`);
});
