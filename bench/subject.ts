/**
 * A small program that is measured from outside. Ends when its input does.
 *
 * `subject.ts <kind> <pipe directory> <stats>` prints a line after it has counted:
 * the path of its pipe, if it has one. Peers answer a line `read <n>` after they
 * have made their text `n` times.
 *
 * @module
 */

import { execFileSync } from "node:child_process";
import { argv, exit, kill, pid, stdin } from "node:process";
import { createInterface } from "node:readline";
import { Worker } from "node:worker_threads";
import { startEmptyThread } from "./empty_thread.ts";
import { integers, names } from "./inputs.ts";

const [kind, pipeDir, count] = argv.slice(2);
const values = integers(Number(count));

async function statvent(recording: boolean): Promise<string> {
  const { config, incr, startRecorder } = await import("../mod.ts");
  config.pipeDir = pipeDir;
  config.maxStats = values.length;
  names(values.length, (i) => `http.requests.${i}`)
    .forEach((name, i) => incr(name, values[i]));
  return recording ? (await startRecorder()).path : "";
}

const theirNames = () => names(values.length, (i) => `http_requests_${i}`);

type Client = typeof import("prom-client");

function prometheus({ Counter, Registry }: Client): () => Promise<string> {
  const registry = new Registry();
  theirNames().forEach((name, i) =>
    new Counter({ name, help: "Requests", registers: [registry] })
      .inc(values[i])
  );
  return () => registry.metrics();
}

async function openTelemetry(): Promise<() => Promise<string>> {
  const peer = await (await import("./peers.ts")).openTelemetry();
  const { PrometheusSerializer } = await import(
    "@opentelemetry/exporter-prometheus"
  );
  theirNames().forEach((name, i) =>
    peer.meter.createCounter(name).add(values[i])
  );
  const serializer = new PrometheusSerializer();
  return async () =>
    serializer.serialize((await peer.reader.collect()).resourceMetrics);
}

/** The floor of a recorder: a thread that writes constant bytes to a pipe. */
function bare(): string {
  const path = `${pipeDir}/${pid}.bare`;
  execFileSync("mkfifo", [path]);
  const lines = values.map((value, i) => `http.requests.${i}: ${value}\n`);
  const program = `
    import { closeSync, openSync, writeSync } from "node:fs";
    const bytes = new TextEncoder().encode(${JSON.stringify(lines.join(""))});
    const never = new Int32Array(new SharedArrayBuffer(4));
    for (;;) {
      const fd = openSync(${JSON.stringify(path)}, "w");
      for (let at = 0; at < bytes.length;) {
        at += writeSync(fd, bytes.subarray(at));
      }
      closeSync(fd);
      // Wait until the reader has left.
      Atomics.wait(never, 0, 0, 4);
    }`;
  const url = `data:text/javascript,${encodeURIComponent(program)}`;
  // An exit would wait for the thread, which is blocked in a system call.
  new Worker(new URL(url)).unref();
  stdin.on("end", () => kill(pid, "SIGKILL"));
  return path;
}

/** The start of each kind of program, which returns its pipe or makes its text. */
const KINDS: Record<string, () => Promise<string | (() => Promise<string>)>> = {
  empty: () => Promise.resolve(""),
  bare: () => Promise.resolve(bare()),
  counting: () => statvent(false),
  threaded: async () => {
    await startEmptyThread();
    return await statvent(false);
  },
  recording: () => statvent(true),
  "prom-client": async () => prometheus(await import("prom-client")),
  "@prometheus-io/client": async () =>
    prometheus(await import("@prometheus-io/client") as unknown as Client),
  OpenTelemetry: openTelemetry,
};

const made = await KINDS[kind]();
console.log(typeof made === "string" ? made : "");
if (typeof made === "string") stdin.resume().on("end", () => exit());
else {
  for await (const line of createInterface({ input: stdin })) {
    let length = 0;
    for (let i = Number(line.split(" ")[1]); i > 0; i--) {
      length += (await made()).length;
    }
    console.log(length);
  }
}
