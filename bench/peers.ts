/**
 * The peers: what each has to be given before it measures anything.
 *
 * Each is loaded when it is asked for, so that one that is not there is
 * skipped, and one that is not asked for is in nobody's way.
 *
 * @module
 */

import type { Meter } from "@opentelemetry/api";
import type { PrometheusExporter } from "@opentelemetry/exporter-prometheus";
import type { StatsD } from "hot-shots";
import { Child } from "./child.ts";
import type { Pass } from "./versus.ts";

/** The two clients of Prometheus, which have the same calls. */
export const PROMETHEUS_CLIENTS = {
  "prom-client": () => import("prom-client"),
  "@prometheus-io/client": () =>
    import("@prometheus-io/client") as unknown as Promise<
      typeof import("prom-client")
    >,
};

/** A meter of OpenTelemetry, and the reader of all that it counts. */
export interface OpenTelemetry {
  readonly meter: Meter;
  readonly reader: PrometheusExporter;
}

/** Sets OpenTelemetry up with a reader, which listens nowhere. */
export async function openTelemetry(): Promise<OpenTelemetry> {
  const { MeterProvider } = await import("@opentelemetry/sdk-metrics");
  const { PrometheusExporter } = await import(
    "@opentelemetry/exporter-prometheus"
  );
  const reader = new PrometheusExporter({ preventServerStart: true });
  const provider = new MeterProvider({ readers: [reader] });
  return { meter: provider.getMeter("bench"), reader };
}

/** How many datagrams are sent before they are waited for. */
const BURST = 1_000;

/** Calls of hot-shots, and the wait until all of them have been sent. */
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
    // A mock keeps all that was sent.
    if (mock) client.mockBuffer!.length = 0;
    for (let i = 1; i < BURST; i++) client.increment(names[i % names.length]);
    await send(names[0]);
    return BURST;
  };
  return { calls: BURST, run };
}
