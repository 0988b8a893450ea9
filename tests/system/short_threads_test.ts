/**
 * Programs that start a thread for each of many short tasks.
 *
 * @module
 */

import { assert } from "@std/assert";
import { home, ignores, Place, RUNTIMES } from "../helpers/place.ts";
import { parseSnapshot } from "../../format/snapshot_parser.ts";
import { cat, until } from "../helpers/program.ts";

const THREADS = 200;

/** After how many threads the program says so. */
const STEP = 20;

/** How many values one thread in three records. */
const VALUES = 200;

/** A thread that counts, and ends when it is told to. */
const TASK = `
import process from "node:process";
import { parentPort, threadId } from "node:worker_threads";
import { incr, record } from "./mod.js";

incr("tasks");
if (threadId % 3 === 0) {
  for (let i = 0; i < ${VALUES}; i++) record("times.{0}", 1);
}
// Only the recorded times need more than the first buffers.
parentPort.once("message", () => {
  // Deno's has no such method, and Bun's does not end the thread.
  if (process.versions.bun || !parentPort.close) process.exit();
  parentPort.close();
});
parentPort.postMessage(threadId % 3 === 0);
`;

/** Starts threads, and terminates every other one. */
const PROGRAM = `
import { readFileSync } from "node:fs";
import process from "node:process";
import { Worker } from "node:worker_threads";
import { config, getAll, incr, startRecorder } from "./mod.js";

config.pipeDir = process.argv[2];
const mappings = () => readFileSync("/proc/self/maps", "utf8").split("\\n").length;
let recorded = 0;
const task = (isTerminated) => new Promise((resolve, reject) => {
  const worker = new Worker(new URL("./task.mjs", import.meta.url));
  worker.on("error", reject);
  worker.on("exit", resolve);
  worker.on("message", (records) => {
    if (records) recorded++;
    if (isTerminated) worker.terminate().then(resolve);
    else worker.postMessage("");
  });
});
let begun = 0;
const run = async (count) => {
  for (const end = begun + count; begun < end;) {
    await Promise.all([task(begun++ % 2 === 0), task(begun++ % 2 === 0)]);
    if (begun % ${STEP} === 0) console.log(begun + " ended");
  }
};
incr("tasks", 0);
await startRecorder();
await run(${STEP});
const before = mappings();
await run(${THREADS - STEP});
// What a thread has told may arrive after its end.
while (getAll().tasks !== ${THREADS}) await new Promise((resolve) => setTimeout(resolve, 5));
console.log("result " + JSON.stringify({ before, after: mappings(), recorded }) + " live");
setInterval(() => {}, 1e6);
`;

for (const name of Object.keys(RUNTIMES)) {
  Deno.test({
    name:
      `${THREADS} threads on ${name} that end or are terminated are counted exactly, and leave no mappings`,
    ignore: ignores(name),
    async fn() {
      await using place = await Place.make();
      await Deno.writeTextFile(`${home}/task.mjs`, TASK);
      await Deno.writeTextFile(`${home}/threads.mjs`, PROGRAM);
      const { run } = RUNTIMES[name];
      await using program = place.start([
        ...run,
        `${home}/threads.mjs`,
        place.dir,
      ]);
      for (let ended = STEP; ended <= THREADS; ended += STEP) {
        await program.printed(`${ended} ended`);
      }
      await program.printed(" live");
      const [, result] = /result (.*) live/.exec(program.stdout)!;
      const { before, after, recorded } = JSON.parse(result);
      // Six for each thread, before ended ones were summed up.
      assert(after - before < THREADS, `${before} ${after}`);
      await until("all counts on the pipe", async () => {
        const bytes = new TextEncoder().encode(await cat(program.path));
        const { stats, recorded: [times] } = parseSnapshot(bytes);
        if (stats.get("tasks")?.value !== THREADS) return false;
        return times.histogram!.sum === recorded * VALUES;
      });
    },
  });
}
