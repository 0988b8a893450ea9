/**
 * A primary of `node:cluster` with workers that count with prom-client.
 *
 * `cluster_peer.ts <workers> <stats>` prints a line when all workers have
 * counted. It answers each line of its input after it has aggregated their
 * metrics, and ends when its input does.
 *
 * @module
 */

import cluster from "node:cluster";
import process, { argv, exit, stdin } from "node:process";
import { createInterface } from "node:readline";
import { AggregatorRegistry, Counter } from "prom-client";
import { integers, names } from "./inputs.ts";

const [workers, stats] = argv.slice(2).map(Number);

// The constructor also makes a worker answer requests.
const registry = new AggregatorRegistry();

if (cluster.isPrimary) {
  let counted = 0;
  cluster.on("message", (_, message) => {
    if (message === "counted" && ++counted === workers) console.log("counted");
  });
  for (let i = 0; i < workers; i++) cluster.fork();
  for await (const _ of createInterface({ input: stdin })) {
    console.log((await registry.clusterMetrics()).length);
  }
  for (const worker of Object.values(cluster.workers!)) worker!.kill("SIGKILL");
  exit();
} else {
  const values = integers(stats);
  names(stats, (i) => `http_requests_${i}`).forEach((name, i) =>
    new Counter({ name, help: "Requests" }).inc(values[i])
  );
  process.send!("counted");
}
