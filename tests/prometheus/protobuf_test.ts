import { assertEquals } from "@std/assert";
import fc from "fast-check";
import type { HostDistribution } from "../../collect/host_stats.ts";
import { countOf, type Histogram, upperBound } from "../../model/histogram.ts";
import { PrometheusExposition } from "../../prometheus/exposition.ts";
import {
  accept,
  COUNTER,
  GAUGE,
  histogramOf,
  type HostInput,
  inStates,
  makeHost,
  recordedOf,
  SHOWN,
  UNKNOWN,
} from "../helpers/host.ts";
import { bucketsOf, decodeFamilies } from "../helpers/prometheus_proto.ts";

const SMALL: HostInput = {
  stats: [
    ['http.requests{method="GET"}', COUNTER, 5],
    ['http.requests{http.method="a\\"\\\\\\n"}', COUNTER, 2],
    ["bytes_total", COUNTER, 1.5],
    ["queue.length", GAUGE, -3],
    ["größe", UNKNOWN, 1e22],
    ["db.ms median", SHOWN, 2],
    ["latency", GAUGE, 0.25],
  ],
  recorded: [recordedOf('db.{0}.ms{table="users"}', [1, 2, 3, 1000])],
  descriptions: {
    "http.requests": { help: 'Requests "so far"\n\\ all' },
    latency: { unit: "seconds", help: "How long" },
  },
  processes: ["ok", "ok", "dead", "timeout"],
};

const FEW: HostInput = {
  ...SMALL,
  recorded: [recordedOf("db.{0}.ms", [1.5, 0], { percentiles: [50, 100] })],
};

Deno.test("respond() writes a host as protocol buffers", () => {
  const { contentType, body } = new PrometheusExposition()
    .respond(makeHost(FEW), accept("protobuf", "allow-utf-8"), []);
  assertEquals(
    contentType,
    "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited; escaping=allow-utf-8",
  );
  const [up, processes, ...families] = decodeFamilies(body);
  assertEquals(up, {
    name: "statvent_process_up",
    help: "Whether the process gave its values.",
    type: "GAUGE",
    metric: Object.entries({ 1: 1, 2: 1, 4: 0 }).map(([pid, value]) => ({
      label: [
        { name: "pid", value: pid },
        { name: "process", value: "unnamed" },
      ],
      gauge: { value },
    })),
  });
  assertEquals(processes, {
    name: "statvent_processes",
    help: "Processes of this host by whether they answer and respond.",
    type: "GAUGE",
    metric: Object.entries(inStates({ ok: 2, dead: 1, timeout: 1 })).map(
      ([state, value]) => ({
        label: [{ name: "state", value: state }],
        gauge: { value },
      }),
    ),
  });
  assertEquals(families, [
    {
      name: "bytes_total",
      help: "The stat bytes_total",
      type: "COUNTER",
      metric: [{ counter: { value: 1.5 } }],
    },
    {
      name: "größe",
      help: "The stat größe",
      type: "UNTYPED",
      metric: [{ untyped: { value: 1e22 } }],
    },
    {
      name: "http.requests_total",
      help: 'Requests "so far"\n\\ all',
      type: "COUNTER",
      metric: [
        {
          label: [{ name: "http.method", value: 'a"\\\n' }],
          counter: { value: 2 },
        },
        {
          label: [{ name: "method", value: "GET" }],
          counter: { value: 5 },
        },
      ],
    },
    {
      name: "latency_seconds",
      help: "How long",
      type: "GAUGE",
      unit: "seconds",
      metric: [{ gauge: { value: 0.25 } }],
    },
    {
      name: "queue.length",
      help: "The stat queue.length",
      type: "GAUGE",
      metric: [{ gauge: { value: -3 } }],
    },
    {
      name: "db.ms",
      help: "The stat db.{0}.ms",
      type: "SUMMARY",
      metric: [{
        summary: {
          sampleCount: 2,
          sampleSum: 1.5,
          quantile: [{ quantile: 0.5, value: 0 }, { quantile: 1, value: 1.5 }],
        },
      }],
    },
    {
      name: "db.ms_histogram",
      help: "The stat db.{0}.ms",
      type: "HISTOGRAM",
      metric: [{
        histogram: {
          sampleCount: 2,
          sampleSum: 1.5,
          bucket: [
            { cumulativeCount: 1, upperBound: 0 },
            { cumulativeCount: 1, upperBound: 1 },
            { cumulativeCount: 2, upperBound: 2 },
          ],
          schema: 4,
          zeroThreshold: 0,
          zeroCount: 1,
          // 2^(9/16) < 1.5 ≤ 2^(10/16)
          positiveSpan: [{ offset: 10, length: 1 }],
          positiveDelta: [1],
        },
      }],
    },
  ]);
});

/** How many values lie in each bucket, told by its upper bound. */
function decodedBuckets(
  histogram: Histogram,
): Record<string, [number, number][]> {
  const recorded: HostDistribution = recordedOf("x", [], { histogram });
  const { body } = new PrometheusExposition()
    .respond(makeHost({ recorded: [recorded] }), accept("protobuf"), []);
  const sent = decodeFamilies(body).find(({ type }) => type === "HISTOGRAM")!
    .metric![0].histogram!;
  assertEquals(sent.sampleCount, countOf(histogram));
  assertEquals(sent.sampleSum, histogram.sum);
  assertEquals(sent.zeroCount, histogram.zeros);
  assertEquals(sent.zeroThreshold, 0);
  const bounds = (buckets: [number, number][]): [number, number][] =>
    buckets.map(([i, n]) => [2 ** (i * 2 ** -sent.schema!), n]);
  return {
    positive: bounds(bucketsOf(sent.positiveSpan, sent.positiveDelta)),
    negative: bounds(bucketsOf(sent.negativeSpan, sent.negativeDelta)),
  };
}

Deno.test("respond() sends native histograms of which the bounds are right", () => {
  fc.assert(fc.property(
    fc.array(
      fc.oneof(
        fc.double({ noNaN: true, noDefaultInfinity: true }),
        fc.integer(),
      ),
      {
        maxLength: 30,
      },
    ),
    fc.integer({ min: -4, max: 8 }),
    (values, scale) => {
      const histogram = histogramOf(
        values.filter((v) => Math.abs(v) < 1e300),
        scale,
      );
      const expected = (buckets: Map<number, number>) =>
        [...buckets].map(([i, n]) =>
          [upperBound(i, scale), n] as [number, number]
        )
          .sort(([a], [b]) => a - b);
      assertEquals(decodedBuckets(histogram), {
        positive: expected(histogram.positive),
        negative: expected(histogram.negative),
      });
    },
  ));
});

Deno.test("respond() sends a native histogram at a scale that Prometheus knows, or none", () => {
  const sent = (scale: number, values = [3]) => {
    const histogram = histogramOf(values, scale);
    const { body } = new PrometheusExposition().respond(
      makeHost({ recorded: [recordedOf("x", values, { histogram })] }),
      accept("protobuf"),
      [],
    );
    return decodeFamilies(body).find(({ type }) => type === "HISTOGRAM")!
      .metric![0].histogram!;
  };
  assertEquals(sent(20).schema, 8);
  assertEquals(sent(8).schema, 8);
  assertEquals(sent(-4).schema, -4);
  assertEquals(sent(-5).schema, undefined);
  assertEquals(sent(-5).bucket?.length, 2);
  const fine = histogramOf([3], 20);
  new PrometheusExposition().respond(
    makeHost({ recorded: [recordedOf("x", [3], { histogram: fine })] }),
    accept("protobuf"),
    [],
  );
  assertEquals(fine, histogramOf([3], 20));
  // What tells an empty one from a classic one.
  assertEquals(sent(4, []).positiveSpan, [{ length: 0 }]);
});
