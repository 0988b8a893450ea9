/**
 * Measures the longest pause of a program's event loop while the program is read
 * 100 times a second.
 *
 * @module
 */

import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { config, incr, startRecorder } from "../mod.ts";
import { Child } from "./child.ts";
import { rounds } from "./effort.ts";
import { integers, names } from "./inputs.ts";
import { type Measured, say } from "./measured.ts";
import { withPipeDir } from "./pipe_dir.ts";
import { inTurn, Result } from "./race.ts";
import { assemble, summary } from "./versus.ts";

const WINDOW_MS = 1_000;
const ROUNDS = 5;

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** The longest time between two turns of the event loop within a window. */
async function longestPause(): Promise<number> {
  let longest = 0;
  let last = performance.now();
  for (const end = last + WINDOW_MS; last < end;) {
    await sleep(1);
    const now = performance.now();
    longest = Math.max(longest, now - last);
    last = now;
  }
  return longest;
}

/** Serves the text of prom-client and returns its URL. */
async function servePrometheus(values: readonly number[]): Promise<string> {
  const { Counter, Registry } = await import("prom-client");
  const registry = new Registry();
  names(values.length, (i) => `http_requests_${i}`).forEach((name, i) =>
    new Counter({ name, help: "Requests", registers: [registry] })
      .inc(values[i])
  );
  const server = createServer(async (_, response) => {
    response.end(await registry.metrics());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  server.unref();
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/metrics`;
}

async function measure(pipeDir: string, stats: number): Promise<Measured> {
  const values = integers(stats);
  config.pipeDir = pipeDir;
  names(stats, (i) => `http.requests.${i}`)
    .forEach((name, i) => incr(name, values[i]));
  const recorder = await startRecorder();
  const args = ["recording", pipeDir, `${stats}`];
  const other = await new Child("subject.ts", args).receive();
  const reader = new Child("reader.ts");

  const whileReading = (target: string) => async () => {
    await reader.ask(target);
    const pause = await longestPause();
    await reader.ask("");
    return pause;
  };
  const { there, missing } = await assemble({
    "another program is read": () => whileReading(other),
    "prom-client": async () => whileReading(await servePrometheus(values)),
  });
  const measures = {
    statvent: whileReading(recorder.path),
    floor: longestPause,
    ...there,
  };
  await inTurn(measures, 1);
  const result = new Result(await inTurn(measures, rounds(ROUNDS)));
  await recorder[Symbol.asyncDispose]();
  return summary(`${stats} stats`, "ms", result, missing);
}

say([
  await withPipeDir((pipeDir) => measure(pipeDir, 1_000)),
  await withPipeDir((pipeDir) => measure(pipeDir, 10_000)),
]);
