/**
 * The set-up that each peer needs before it measures anything.
 *
 * A peer is loaded on demand, so that a missing one is skipped and an unused one
 * costs nothing.
 *
 * @module
 */

import type { Meter } from "@opentelemetry/api";
import type { PrometheusExporter } from "@opentelemetry/exporter-prometheus";
import type { StatsD } from "hot-shots";
import { Child } from "./child.ts";
import type { Pass } from "./versus.ts";

/** The two Prometheus clients, which share one API. */
export const PROMETHEUS_CLIENTS = {
  "prom-client": () => import("prom-client"),
  "@prometheus-io/client": () =>
    import("@prometheus-io/client") as unknown as Promise<
      typeof import("prom-client")
    >,
};

/** A meter of OpenTelemetry and its reader. */
export interface OpenTelemetry {
  readonly meter: Meter;
  readonly reader: PrometheusExporter;
}

/** Sets OpenTelemetry up with a reader that opens no port. */
export async function openTelemetry(): Promise<OpenTelemetry> {
  const { MeterProvider } = await import("@opentelemetry/sdk-metrics");
  const { PrometheusExporter } = await import(
    "@opentelemetry/exporter-prometheus"
  );
  const reader = new PrometheusExporter({ preventServerStart: true });
  const provider = new MeterProvider({ readers: [reader] });
  return { meter: provider.getMeter("bench"), reader };
}

/** The number of datagrams between two waits. */
const BURST = 1_000;

/** A pass of hot-shots, which ends when all datagrams are sent. */
export async function hotShots(
  names: readonly string[],
  mock: boolean,
): Promise<Pass> {
  const { StatsD } = await import("hot-shots");
  const port = mock ? 1 : Number(await new Child("udp_sink.ts").receive());
  const client: StatsD = new StatsD({ mock, host: "127.0.0.1", port });
  const send = (name: string) =>
    new Promise<void>((resolve, reject) =>
      client.increment(name, 1, (error) => error ? reject(error) : resolve())
    );
  const run = async () => {
    // A mock keeps every datagram.
    if (mock) client.mockBuffer!.length = 0;
    for (let i = 1; i < BURST; i++) client.increment(names[i % names.length]);
    await send(names[0]);
    return BURST;
  };
  return { calls: BURST, run };
}
