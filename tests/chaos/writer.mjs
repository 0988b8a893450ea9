/**
 * A program on Deno, Node or Bun that does what it is told, and says when it
 * has done it.
 *
 *     writer.mjs SLOT HANDLER STATVENT
 *
 * `SLOT` is the number in the names of its stats. With the `HANDLER` `term` it
 * ends in an orderly way by SIGTERM. `STATVENT` is where it imports that from.
 * All writers of chaos understand the same lines, and answer `ok NUMBER`:
 *
 *     NUMBER count AMOUNT
 *     NUMBER record TIMES VALUE
 *     NUMBER set VALUE
 *     NUMBER hang MILLISECONDS
 *     NUMBER thread AMOUNT
 *     NUMBER exec SLOT left|lost
 *     NUMBER end HOW
 */
import { writeSync } from "node:fs";
import process from "node:process";
import { Worker } from "node:worker_threads";

const [slot, handler, statvent] = process.argv.slice(2);
const { getAll, incr, record, set, startRecorder } = await import(statvent);

const say = (text) => writeSync(1, `${text}\n`);

const commands = {
  count(amount) {
    incr("chaos.all", Number(amount));
    incr(`chaos.own.${slot}`, Number(amount));
  },
  record(times, value) {
    for (let i = 0; i < times; i++) {
      record("chaos.took.{0}", Number(value));
      record(`chaos.took.${slot}.{0}`, Number(value));
    }
  },
  set(value) {
    set(`chaos.gauge.${slot}`, Number(value));
  },
  hang(ms) {
    for (const end = Date.now() + Number(ms); Date.now() < end;);
  },
  /** Counts in a thread, which then ends. */
  async thread(amount) {
    const text = `
      import { incr } from ${JSON.stringify(statvent)};
      incr("chaos.all", ${amount});
      incr("chaos.own.${slot}", ${amount});`;
    const url = new URL(`data:text/javascript,${encodeURIComponent(text)}`);
    const before = getAll()["chaos.all"] ?? 0;
    const thread = new Worker(url);
    await new Promise((resolve, reject) => {
      thread.on("exit", resolve);
      thread.on("error", reject);
    });
    // The main thread hears of it by a message, which an end would forestall.
    while (getAll()["chaos.all"] !== before + Number(amount)) {
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  },
  async end(how) {
    if (how === "stop") await recorder.stop();
    if (how === "throw") {
      setTimeout(() => {
        throw new Error("As it was told");
      });
    } else if (how === "return") process.stdin.destroy();
    else process.exit(0);
    return new Promise(() => {});
  },
};

const recorder = await startRecorder();
if (handler === "term") process.on("SIGTERM", () => process.exit(0));
say("ready");

let text = "";
let turn = Promise.resolve();
process.stdin.on("data", (data) => {
  text += data;
  const lines = text.split("\n");
  text = lines.pop();
  for (const line of lines) {
    turn = turn.then(async () => {
      const [number, command, ...args] = line.split(" ");
      await commands[command](...args);
      say(`ok ${number}`);
    });
  }
});
process.stdin.on("end", () => {
  // After all that came before, of which `end` may be the last.
  turn.then(() => process.exit(0));
});
