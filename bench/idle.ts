/**
 * Measures the cost of a recorder without readers.
 *
 * @module
 */

import { readFileSync } from "node:fs";
import { Child } from "./child.ts";
import { quick } from "./effort.ts";
import { against, type Measured, say } from "./measured.ts";
import { withPipeDir } from "./pipe_dir.ts";
import { type ProcessorUse, processorUse } from "./usage.ts";

const STATS = 100;
const SECONDS = quick ? 2 : 60;

/**
 * The wait before the measurement begins, in milliseconds. Runtimes end the
 * threads of their start after 10 seconds, and V8 runs one more garbage collection
 * per thread after 20 to 40 seconds.
 */
const SETTLE_MS = quick ? 5_000 : 45_000;

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

async function watch(pipeDir: string): Promise<ProcessorUse[]> {
  const args = [pipeDir, `${STATS}`];
  // All run at the same time, so that other work on the machine affects all.
  const children = ["counting", "recording", "recording"]
    .map((kind) => new Child("subject.ts", [kind, ...args]));
  const [, , path] = await Promise.all(
    children.map((child) => child.receive()),
  );
  for (let i = 0; i < 10; i++) readFileSync(path);
  const uses = () => children.map(({ pid }) => processorUse(pid));
  await sleep(SETTLE_MS);
  const before = uses();
  await sleep(SECONDS * 1000);
  return uses().map((after, i) => ({
    ms: after.ms - before[i].ms,
    mainMs: after.mainMs - before[i].mainMs,
    runs: after.runs - before[i].runs,
  }));
}

const [without, unread, read] = await withPipeDir(watch);

function row(
  what: string,
  unit: Measured["unit"],
  key: keyof ProcessorUse,
  use: ProcessorUse,
): Measured {
  const floor = against(without[key], use[key] / without[key]);
  return { what, unit, statvent: use[key], floor, spread: 0, peers: {} };
}

say([
  row("never read, processor time", "ms", "ms", unread),
  row("never read, wake-ups", "times", "runs", unread),
  row("after 10 reads, processor time", "ms", "ms", read),
  row("after 10 reads, wake-ups", "times", "runs", read),
]);
