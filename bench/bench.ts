/**
 * Compares statvent with the bare operations, and with prom-client.
 *
 * `deno task bench` prints a table for each question; `deno task bench --only 4`
 * answers one of them. A target that is missed is marked, and nothing more:
 * machines differ.
 *
 * @module
 */

import { cpus } from "node:os";
import { run } from "./child.ts";
import { idle } from "./idle.ts";
import { memory } from "./memory.ts";
import { metrics } from "./metrics.ts";
import { merging } from "./merging.ts";
import { reading } from "./reading.ts";
import { snapshot } from "./snapshot.ts";
import { print, type Table } from "./table.ts";
import { writes } from "./writes.ts";

const QUESTIONS: readonly (() => Promise<Table>)[] = [
  writes,
  snapshot,
  merging,
  reading,
  idle,
  memory,
  metrics,
];

/** The question that `--only` asks for, or `undefined` to ask all. */
function only(): (() => Promise<Table>) | undefined {
  if (Deno.args.length === 0) return undefined;
  const question = QUESTIONS[Number(Deno.args[1]) - 1];
  if (Deno.args[0] === "--only" && question !== undefined) return question;
  console.error(`usage: deno task bench [--only 1-${QUESTIONS.length}]`);
  Deno.exit(2);
}

const question = only();
if (question !== undefined) print(await question());
else {
  const processors = cpus();
  console.log(
    `Deno ${Deno.version.deno}, ${processors.length} × ${processors[0].model}`,
  );
  for (const i of QUESTIONS.keys()) {
    // In a process of its own: what one leaves behind must not slow the next.
    await run("bench.ts", ["--only", `${i + 1}`]);
  }
}
