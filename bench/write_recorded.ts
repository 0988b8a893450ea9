/**
 * Measures `record` of handles, against the histograms of peers.
 *
 * @module
 */

import { distribution } from "../mod.ts";
import { calls, shape } from "./calls.ts";
import { names } from "./inputs.ts";
import { say } from "./measured.ts";
import { openTelemetry, PROMETHEUS_CLIENTS } from "./peers.ts";
import { type Peer, versus } from "./versus.ts";

const ours = names(shape.count, (i) => `http.latency.${i}.{0}`);
const theirs = names(shape.count, (i) => `http_latency_${i}`);

// The floor of each stat: a ring of 128 places, a sum, and 256 buckets, found by
// the leading bits of a value, so that 16 of them span a factor of two.
const rings = new Float64Array(128 * shape.count);
const places = new Int32Array(shape.count);
const sums = new Float64Array(shape.count);
const buckets = new Float64Array(256 * shape.count);
const scratch = new Float64Array(1);
const bits = new Uint16Array(scratch.buffer);

function keep(stat: number, value: number): void {
  rings[128 * stat + (places[stat]++ & 127)] = value;
  sums[stat] += value;
  scratch[0] = value;
  buckets[256 * stat + (bits[3] & 255)]++;
}

/** The values: whole numbers up to 4096, which all peers accept. */
const VALUE = "(#) & 4095";

/**
 * Records values in advance, so that all buckets exist as in a program that has
 * run for a while. Otherwise the measured part creates buckets: with 10 000 stats
 * at random the ratio to prom-client was 0.42 instead of 0.13.
 */
function grown<T>(items: T[], record: (item: T, value: number) => void): T[] {
  for (const [i, item] of items.entries()) {
    for (let value = 1; value < 4096; value *= 2) record(item, value);
    for (let value = 0; value < 4096; value += 16) record(item, value);
    // Periodic work of the stats must not fall due for all of them at once.
    for (let more = 37 * i % 128; more > 0; more--) record(item, 16 * more);
  }
  return items;
}

function prometheus(
  client: keyof typeof PROMETHEUS_CLIENTS,
  kind: "Histogram" | "Summary",
): Peer {
  return async () => {
    const module = await PROMETHEUS_CLIENTS[client]();
    const registers = [new module.Registry()];
    const items = theirs.map((name) =>
      new module[kind]({ name, help: "Latency", registers })
    );
    return calls(items, `@.observe(${VALUE});`);
  };
}

say([
  await versus(`handle.record(v), ${shape.label}`, {
    statvent: calls(
      grown(
        ours.map((name) => distribution(name)),
        (item, v) => item.record(v),
      ),
      `@.record(${VALUE});`,
    ),
    floor: calls(ours.map((_, i) => i), `keep(@, ${VALUE});`, { keep }),
    peers: {
      "prom-client histogram": prometheus("prom-client", "Histogram"),
      "prom-client summary": prometheus("prom-client", "Summary"),
      "@prometheus-io/client histogram": prometheus(
        "@prometheus-io/client",
        "Histogram",
      ),
      "@prometheus-io/client summary": prometheus(
        "@prometheus-io/client",
        "Summary",
      ),
      OpenTelemetry: async () => {
        const { meter } = await openTelemetry();
        const items = theirs.map((name) => meter.createHistogram(name));
        return calls(items, `@.record(${VALUE});`);
      },
      "hdr-histogram-js": async () => {
        const { build } = await import("hdr-histogram-js");
        return calls(ours.map(() => build()), `@.recordValue(${VALUE});`);
      },
      "@datadog/sketches-js": async () => {
        const { DDSketch } = await import("@datadog/sketches-js");
        const items = grown(
          ours.map(() => new DDSketch()),
          (item, v) => item.accept(v),
        );
        return calls(items, `@.accept(${VALUE});`);
      },
      "measured-core": async () => {
        const { Histogram } = await import("measured-core");
        return calls(ours.map(() => new Histogram()), `@.update(${VALUE});`);
      },
    },
  }),
]);
