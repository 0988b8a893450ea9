import { assert, assertEquals } from "@std/assert";
import { PROMISES } from "../../memory/life.ts";
import { SlabWriter } from "../../memory/slab_writer.ts";
import { ENDED_AT_MOST, threads } from "../../memory/threads.ts";
import {
  LAYOUT,
  lifeOf,
  SCALAR,
  type Slab,
  WAITING,
} from "../../slab/layout.ts";
import { ProcessStats } from "../../slab/process_stats.ts";
import { until } from "../helpers/program.ts";

/** How many threads begin to count before anybody looks. */
const BATCH = 20;

/** A slab as a thread leaves it that has ended: nobody waits at its word. */
function leftSlab(i: number): Slab {
  const writer = new SlabWriter("other thread");
  writer.add(SCALAR, "count", [1]);
  // Now and then a thread that has outgrown its first buffers.
  for (let n = 0; i % 50 === 0 && n < 200; n++) {
    writer.add(SCALAR, `many.${n}`, [2]);
  }
  lifeOf(writer.slab)[WAITING] = PROMISES;
  return writer.slab;
}

Deno.test("thousands of threads that have ended are a few slabs, and no reader misses or repeats a count", async () => {
  const meeting = threads();
  const channel = new BroadcastChannel(`statvent.slabs.${LAYOUT}`);
  // Goes from slabs to their sums as the recorder's thread does.
  const stats = new ProcessStats(() => {});
  const value = (name: string) => {
    stats.refresh(meeting.known());
    return stats.values[stats.names.indexOf(name)];
  };
  try {
    for (let begun = 0; begun < 4_000;) {
      const slabs = Array.from({ length: BATCH }, () => leftSlab(begun++));
      for (const slab of slabs) {
        channel.postMessage({ slabs: [slab], ask: false });
      }
      await until(`${begun} counts`, () => {
        assert(!(value("count") > begun), "a count is repeated");
        return value("count") === begun;
      });
      assert(meeting.known().length <= ENDED_AT_MOST + BATCH);
    }
    assertEquals(value("many.199"), 2 * 4_000 / 50);
  } finally {
    channel.close();
  }
});
