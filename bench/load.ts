/**
 * Loads a library and prints how many milliseconds that took.
 *
 * `load.ts <what> <pipe directory>`
 *
 * @module
 */

import { argv, exit } from "node:process";

const [what, pipeDir] = argv.slice(2);

async function statvent() {
  // Node and Bun load the npm package, as a user's program does.
  const from = import.meta.url.endsWith(".ts") ? "../mod.ts" : "statvent";
  return await import(from) as typeof import("../mod.ts");
}

const LOADS: Record<string, () => Promise<unknown>> = {
  nothing: () => import("node:process"),
  thread: async () => {
    const { startEmptyThread } = await import("./empty_thread.ts");
    await startEmptyThread();
  },
  statvent,
  recorder: async () => {
    const { config, incr, startRecorder } = await statvent();
    config.pipeDir = pipeDir;
    incr("jobs.done");
    await startRecorder();
  },
  "prom-client": () => import("prom-client"),
  "@prometheus-io/client": () => import("@prometheus-io/client"),
  OpenTelemetry: () =>
    Promise.all([
      import("@opentelemetry/sdk-metrics"),
      import("@opentelemetry/exporter-prometheus"),
    ]),
  "hot-shots": () => import("hot-shots"),
  "measured-core": () => import("measured-core"),
};

const start = performance.now();
await LOADS[what]();
console.log(performance.now() - start);
exit();
