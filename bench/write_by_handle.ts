/**
 * Measures `incr` and `set` of handles, against the handles of peers.
 *
 * @module
 */

import { counter, gauge } from "../mod.ts";
import { calls, shape } from "./calls.ts";
import { names } from "./inputs.ts";
import { say } from "./measured.ts";
import { openTelemetry, PROMETHEUS_CLIENTS } from "./peers.ts";
import { type Peer, versus } from "./versus.ts";

const ours = names(shape.count, (i) => `http.requests.${i}`);
const theirs = names(shape.count, (i) => `http_requests_${i}`);
const cells = new Float64Array(new SharedArrayBuffer(8 * shape.count));
const places = Int32Array.from(ours, (_, i) => i);

/** A Prometheus client with a metric for each name. */
function prometheus(
  client: keyof typeof PROMETHEUS_CLIENTS,
  kind: "Counter" | "Gauge",
  call: string,
): Peer {
  return async () => {
    const module = await PROMETHEUS_CLIENTS[client]();
    const registers = [new module.Registry()];
    const items = theirs.map((name) =>
      new module[kind]({ name, help: "Requests", registers })
    );
    return calls(items, call);
  };
}

say([
  await versus(`handle.incr(), ${shape.label}`, {
    statvent: calls(ours.map((name) => counter(name)), "@.incr();"),
    floor: calls(places, "cells[@]++;", { cells }),
    peers: {
      "prom-client": prometheus("prom-client", "Counter", "@.inc();"),
      "@prometheus-io/client": prometheus(
        "@prometheus-io/client",
        "Counter",
        "@.inc();",
      ),
      OpenTelemetry: async () => {
        const { meter } = await openTelemetry();
        const items = theirs.map((name) => meter.createCounter(name));
        return calls(items, "@.add(1);");
      },
      "measured-core": async () => {
        const { Counter } = await import("measured-core");
        return calls(ours.map(() => new Counter()), "@.inc();");
      },
    },
  }),
  await versus(`handle.set(v), ${shape.label}`, {
    statvent: calls(
      ours.map((name) => gauge(`${name}.open`)),
      "@.set(#);",
    ),
    floor: calls(places, "cells[@] = #;", { cells }),
    peers: {
      "prom-client": prometheus("prom-client", "Gauge", "@.set(#);"),
      "@prometheus-io/client": prometheus(
        "@prometheus-io/client",
        "Gauge",
        "@.set(#);",
      ),
      OpenTelemetry: async () => {
        const { meter } = await openTelemetry();
        const items = theirs.map((name) => meter.createGauge(name));
        return calls(items, "@.record(#);");
      },
    },
  }),
]);
