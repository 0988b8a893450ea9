/**
 * When checkpoints are written.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import {
  CheckpointWriter,
  restAfter,
} from "../../recorder/checkpoint_writer.ts";
import { sleep } from "../../runtime/pause.ts";
import { idOf } from "../helpers/last_values.ts";
import { withDir } from "../helpers/program.ts";

/** How often a checkpoint is written in two seconds, of which those with these indexes take 60 ms. */
async function countOf(isSlow: (index: number) => boolean): Promise<number> {
  let written = 0;
  await withDir(async (dir) => {
    const writer = new CheckpointWriter({
      dir,
      mode: 0o644,
      user: Deno.uid()!,
      presence: { base: "7", id: idOf(7) },
      stamp: () => written,
      snapshot: () => {
        const end = performance.now() + (isSlow(written) ? 60 : 0);
        while (performance.now() < end);
        return { seq: ++written, bytes: new TextEncoder().encode("n: 1\n") };
      },
    });
    const end = performance.now() + 2_000;
    while (performance.now() < end) {
      writer.tick();
      await sleep(10);
    }
    writer.close();
  });
  return written;
}

Deno.test("a checkpoint that takes long once delays none, and those that always do come rarely", async () => {
  const count = await countOf((index) => index === 0);
  assert(count >= 3, `${count}`);
  assertEquals(await countOf(() => true), 2);
});

Deno.test("restAfter() is long after checkpoints that take long, but bounded", () => {
  assertEquals(restAfter(5_000, 1), 500);
  assertEquals(restAfter(20, 30), 2_000);
  assertEquals(restAfter(5_000, 5_000), 10_000);
});
