/**
 * Measures `incr` of stats with two labels, given with each call or once for a
 * handle.
 *
 * @module
 */

import { config, counter, incr } from "../mod.ts";
import { calls, shape } from "./calls.ts";
import { say } from "./measured.ts";
import { openTelemetry, PROMETHEUS_CLIENTS } from "./peers.ts";
import { type Peer, versus } from "./versus.ts";

config.maxSeries = shape.count;

const labels = Array.from({ length: shape.count }, (_, i) => ({
  method: ["GET", "POST"][i % 2],
  path: `/${i >> 1}`,
}));
const cells = new Float64Array(new SharedArrayBuffer(8 * shape.count));
const floor = calls(labels.map((_, i) => i), "cells[@]++;", { cells });

function prometheus(
  client: keyof typeof PROMETHEUS_CLIENTS,
  bound: boolean,
): Peer {
  return async () => {
    const { Counter, Registry } = await PROMETHEUS_CLIENTS[client]();
    const counter = new Counter({
      name: "http_requests",
      help: "Requests",
      labelNames: ["method", "path"],
      registers: [new Registry()],
    });
    return bound
      ? calls(labels.map((each) => counter.labels(each)), "@.inc();")
      : calls(labels, "counter.inc(@);", { counter });
  };
}

async function attributes() {
  const { meter } = await openTelemetry();
  const counter = meter.createCounter("http_requests");
  return calls(labels, "counter.add(1, @);", { counter });
}

say([
  await versus(`labels in the handle, ${shape.label}`, {
    statvent: calls(
      labels.map((each) => counter("http.requests", { labels: each })),
      "@.incr();",
    ),
    floor,
    peers: {
      "prom-client": prometheus("prom-client", true),
      "@prometheus-io/client": prometheus("@prometheus-io/client", true),
      OpenTelemetry: attributes,
    },
  }),
  await versus(`labels in the call, ${shape.label}`, {
    statvent: calls(labels, 'incr("http.requests", 1, @);', { incr }),
    floor,
    peers: {
      "prom-client": prometheus("prom-client", false),
      "@prometheus-io/client": prometheus("@prometheus-io/client", false),
      OpenTelemetry: attributes,
    },
  }),
]);
