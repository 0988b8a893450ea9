/**
 * A program on Deno, Node or Bun that counts by itself, and keeps a log of what
 * it counts that needs nothing of statvent.
 *
 *     teller.mjs SLOT LOG STATVENT LISTENER SIGNALS START
 *
 * It writes `b TOTAL MILLISECONDS` before it counts and `a …` after it, and
 * `r PID PIPE` when it can be read. With the `LISTENER` `own` it has listeners
 * of its own, which end it; `SIGNALS` is an option of the recorder; with the
 * `START` `frozen` it says that it started when all of these did. It understands
 * `hang MILLISECONDS` and `end exit|return`.
 */
import { openSync, writeSync } from "node:fs";
import process from "node:process";

const [slot, path, statvent, listener, signals, start] = process.argv.slice(2);
if (start === "frozen") {
  Object.defineProperty(performance, "timeOrigin", { value: 1767225600000 });
}
const { incr, startRecorder } = await import(statvent);

const log = openSync(path, "a");
const say = (text) => writeSync(log, `${text}\n`);
let total = 0;

function count() {
  const amount = 1 + Math.floor(9 * Math.random());
  total += amount;
  say(`b ${total} ${Date.now()}`);
  incr("chaos.all", amount);
  incr(`chaos.own.${slot}`, amount);
  say(`a ${total} ${Date.now()}`);
}

if (listener === "own") {
  let calls = 0;
  for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"]) {
    process.on(signal, () => {
      // The second one means: now.
      if (++calls > 1) process.exit(9);
      setTimeout(() => process.exit(0), 60);
    });
  }
}
const recorder = await startRecorder({ signals: signals === "true" });
say(`r ${process.pid} ${recorder.path}`);
const timer = setInterval(count, 20);

const commands = {
  hang(ms) {
    for (const end = Date.now() + Number(ms); Date.now() < end;);
  },
  end(how) {
    if (how === "exit") process.exit(0);
    clearInterval(timer);
    process.stdin.destroy();
    // Deno's listeners for signals and its pending read would keep it.
    if (listener === "own" || "Deno" in globalThis) process.exitCode = 0;
  },
};
let text = "";
process.stdin.on("data", (data) => {
  text += data;
  const lines = text.split("\n");
  text = lines.pop();
  for (const line of lines) {
    const [command, ...args] = line.split(" ");
    commands[command](...args);
  }
});
