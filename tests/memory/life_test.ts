import { assertEquals } from "@std/assert";
import { hasEnded, PROMISES } from "../../memory/life.ts";
import { SlabWriter } from "../../memory/slab_writer.ts";
import type { Slab } from "../../slab/layout.ts";
import { sleep } from "../../runtime/pause.ts";
import { ROOT, until } from "../helpers/program.ts";

const LIFE = new URL("memory/life.ts", ROOT).href;

/** Starts a thread that shows its life, and then does what `text` says. */
async function startThread(text: string): Promise<[Worker, Slab]> {
  const source = `import { showLife } from ${JSON.stringify(LIFE)};
    onmessage = ({ data }) => { showLife(data); postMessage(""); ${text} };`;
  const url = `data:text/javascript,${encodeURIComponent(source)}`;
  const worker = new Worker(url, { type: "module" });
  const { slab } = new SlabWriter("other thread");
  worker.postMessage(slab);
  await new Promise((resolve) => worker.onmessage = resolve);
  return [worker, slab];
}

Deno.test("hasEnded() is true of a thread that ended or was terminated, and of no other", async () => {
  for (const isTerminated of [false, true]) {
    const [worker, slab] = await startThread(
      isTerminated ? "" : "setTimeout(close, 100);",
    );
    assertEquals(hasEnded(slab, 0), false);
    if (isTerminated) worker.terminate();
    await until("the end", () => hasEnded(slab, 0));
  }
});

Deno.test("hasEnded() is false of a thread that hangs, however often it is asked", async () => {
  // Deno never ends a thread that is terminated while it hangs, so this one stops.
  const [, slab] = await startThread(
    "const marks = new Uint8Array(data.marks); while (marks[0] === 0); close();",
  );
  for (let look = 1; look <= 1_000; look++) {
    assertEquals(hasEnded(slab, look), false);
  }
  new Uint8Array(slab.marks)[0] = 1;
  await until("the end", () => hasEnded(slab, 0));
});

Deno.test("hasEnded() can be asked of a thread that lives for ever", async () => {
  const [worker, slab] = await startThread("");
  for (let look = 1; look <= 10 * PROMISES; look++) {
    assertEquals(hasEnded(slab, look), false);
    await sleep(2);
  }
  worker.terminate();
  await until("the end", () => hasEnded(slab, 0));
});

Deno.test("hasEnded() is false of a slab whose thread shows no life", () => {
  assertEquals(hasEnded(new SlabWriter("other thread").slab, 0), false);
});
