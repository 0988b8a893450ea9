/**
 * What does a recorder cost while nobody reads?
 *
 * @module
 */

import { Child } from "./child.ts";
import type { Row, Table } from "./table.ts";
import { type ProcessorUse, processorUse } from "./usage.ts";

const STATS = 100;
const SECONDS = 10;

/**
 * How long the programs are left alone before they are watched, in milliseconds.
 * The runtime ends threads that it needed at the start after ten seconds.
 */
const SETTLE_MS = 11_500;

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

async function measure(pipeDir: string): Promise<ProcessorUse[]> {
  // All at the same time, so that what the machine does meets all.
  await using without = new Child("program.ts", [
    "counting",
    pipeDir,
    `${STATS}`,
  ]);
  await without.receive();
  const args = ["recording", pipeDir, `${STATS}`];
  await using unread = new Child("program.ts", args);
  await unread.receive();
  await using read = new Child("program.ts", args);
  const path = await read.receive();
  for (let i = 0; i < 10; i++) await Deno.readFile(path);

  const use = () =>
    Promise.all([without, unread, read].map(({ pid }) => processorUse(pid)));
  await sleep(SETTLE_MS);
  const before = await use();
  await sleep(SECONDS * 1000);
  const after = await use();
  return after.map((threads, i) => {
    let ms = 0, runs = 0;
    for (const [thread, use] of threads) {
      ms += use.ms - (before[i].get(thread)?.ms ?? 0);
      runs += use.runs - (before[i].get(thread)?.runs ?? 0);
    }
    return { ms, runs };
  });
}

/** Measures programs that do nothing, with and without a recorder. */
export async function idle(): Promise<Table> {
  const pipeDir = await Deno.makeTempDir();
  const [without, unread, read] = await measure(pipeDir)
    .finally(() => Deno.remove(pipeDir, { recursive: true }));
  const row = (what: string, { ms, runs }: ProcessorUse): Row => ({
    what,
    values: [
      `${ms.toFixed(3)} ms`,
      `${runs}`,
      `${without.ms.toFixed(3)} ms`,
      `${without.runs}`,
    ],
    target: { text: "none", met: runs <= without.runs && ms <= without.ms },
  });
  return {
    question: `5. What does an idle recorder cost in ${SECONDS} seconds?`,
    notes: [
      "Processor time of all threads of the process, and how often one of them was",
      "given the processor. The floor is the same program without a recorder.",
    ],
    columns: ["statvent", "wake-ups", "floor", "wake-ups"],
    rows: [
      row("recorder, never read", unread),
      row("recorder, after 10 reads", read),
    ],
  };
}
