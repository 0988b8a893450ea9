import { assertEquals } from "@std/assert";
import fc from "fast-check";
import type { HostStats, ProcessStatus } from "../../collect/host_stats.ts";
import { NameTable } from "../../format/snapshot.ts";
import { PrometheusExposition } from "../../prometheus/exposition.ts";
import type { OwnMetric } from "../../prometheus/families.ts";
import { anyHost, ESCAPINGS, samples, write } from "../helpers/exposition.ts";
import {
  type CheckedFamily,
  checkExposition,
  unescapeValues,
} from "../helpers/exposition_checker.ts";
import {
  accept,
  COUNTER,
  GAUGE,
  histogramOf,
  type HostInput,
  makeHost,
  recordedOf,
  SHOWN,
  withoutHistogram,
} from "../helpers/host.ts";
import { decodeFamilies } from "../helpers/prometheus_proto.ts";
import { someProcesses } from "../helpers/push.ts";

Deno.test("respond() keeps to what a format allows when values are negative, or none are kept", () => {
  const host = makeHost({
    recorded: [
      recordedOf("n", [-3, -0.5, 0, 6], { percentiles: [50, 99.9, 50, 50.0] }),
      withoutHistogram("w", [-1, 2]),
      withoutHistogram("v", [2]),
    ],
  });
  const quantiles = ['n{quantile="0.5"} -0.5', 'n{quantile="0.999"} 0'];
  const buckets = (point: string) => [
    `n_histogram_bucket{le="-4${point}"} 0`,
    `n_histogram_bucket{le="-2${point}"} 1`,
    `n_histogram_bucket{le="-1${point}"} 1`,
    'n_histogram_bucket{le="-0.5"} 1',
    'n_histogram_bucket{le="-0.25"} 2',
    `n_histogram_bucket{le="0${point}"} 3`,
    `n_histogram_bucket{le="4${point}"} 3`,
    `n_histogram_bucket{le="8${point}"} 4`,
    'n_histogram_bucket{le="+Inf"} 4',
  ];
  const few = (name: string, point: string, values: number[]) =>
    [0.5, 0.95, 0.99].map((q) => `${name}{quantile="${q}"} ${values[0]}`)
      .concat(`${name}{quantile="1${point}"} ${values[1]}`);
  assertEquals(samples(write(host, "text")), [
    ...quantiles,
    "n_sum 2.5",
    "n_count 4",
    ...buckets(""),
    "n_histogram_sum 2.5",
    "n_histogram_count 4",
    ...few("v", "", [2, 2]),
    ...few("w", "", [-1, 2]),
  ]);
  const open = write(host, "openmetrics");
  assertEquals(samples(open), [
    ...quantiles,
    ...buckets(".0"),
    ...few("v", ".0", [2, 2]),
    ...few("w", ".0", [-1, 2]),
  ]);
  assertEquals(open.match(/# TYPE .*/g), [
    "# TYPE n gauge",
    "# TYPE n_histogram histogram",
    "# TYPE v summary",
    "# TYPE w gauge",
  ]);
  const { body } = new PrometheusExposition()
    .respond(host, accept("protobuf"), []);
  assertEquals(
    decodeFamilies(body).map((
      { name, type, metric },
    ) => [name, type, metric?.length]),
    [
      ["statvent_processes", "GAUGE", 6],
      ["n", "SUMMARY", 1],
      ["n_histogram", "HISTOGRAM", 1],
      ["v", "GAUGE", 4],
      ["w", "GAUGE", 4],
    ],
  );
});

Deno.test("respond() writes buckets for the extremes of doubles", () => {
  const host = (values: number[], scale?: number) =>
    makeHost({
      recorded: [
        recordedOf("x", values, { histogram: histogramOf(values, scale) }),
      ],
    });
  const buckets = (values: number[], scale?: number) =>
    samples(write(host(values, scale), "openmetrics"))
      .filter((line) => line.includes("bucket"))
      .map((line) => line.replace(/.*le="(.*)"}/, "$1"));
  assertEquals(buckets([Number.MAX_VALUE]), [
    "8.98846567431158e+307 0",
    "+Inf 1",
  ]);
  assertEquals(buckets([-Number.MAX_VALUE]), [
    "-8.98846567431158e+307 1",
    "+Inf 1",
  ]);
  assertEquals(buckets([Number.MIN_VALUE], 0), ["5e-324 1", "+Inf 1"]);
  assertEquals(buckets([-Number.MIN_VALUE], 0), ["-5e-324 0", "+Inf 1"]);
  assertEquals(
    buckets([Number.MIN_VALUE, Number.MAX_VALUE], 0).length,
    2099,
  );
  assertEquals(buckets([3], -2), ["1.0 0", "16.0 1", "+Inf 1"]);
  assertEquals(buckets([3, 1e-300], -10), [
    "5.562684646268003e-309 0",
    "1.0 1",
    "+Inf 2",
  ]);
  assertEquals(buckets([3], 20), ["2.0 0", "4.0 1", "+Inf 1"]);
});

Deno.test("respond() keeps nothing of another host and follows what changes", () => {
  const exposition = new PrometheusExposition();
  const read = (host: HostStats, format: "text" | "openmetrics" = "text") =>
    samples(
      new TextDecoder().decode(
        exposition.respond(host, accept(format), []).body,
      ),
    ).slice(6);
  const host = makeHost({ stats: [["a", COUNTER, 1], ["b", GAUGE, 2]] });
  assertEquals(read(host), ["a_total 1", "b 2"]);
  host.values[0] = 10;
  assertEquals(read(host), ["a_total 10", "b 2"]);
  assertEquals(read(host, "openmetrics"), ["a_total 10", "b 2"]);
  host.kinds[0] = GAUGE;
  assertEquals(read(host), ["a 10", "b 2"]);
  host.ids.reverse();
  assertEquals(read(host), ["a 2", "b 10"]);
  host.table.idOf("c");
  const kinds = Uint8Array.of(COUNTER, GAUGE);
  const values = Float64Array.of(7, 8);
  assertEquals(read({ ...host, ids: Int32Array.of(2, 0), kinds, values }), [
    "a 8",
    "c_total 7",
  ]);
  const described = {
    ...host,
    descriptions: new Map([["a", { unit: "seconds" }]]),
  };
  assertEquals(read(described), ["a_seconds 2", "b 10"]);
  assertEquals(read(host), ["a 2", "b 10"]);
  assertEquals(read({ ...host, table: new NameTable(["x", "y", "z"]) }), [
    "x 2",
    "y 10",
  ]);
  assertEquals(
    read({ ...host, recorded: [withoutHistogram("r", [1])] }).length,
    6,
  );
});

Deno.test("respond() gives bytes that the next call leaves alone", () => {
  const exposition = new PrometheusExposition();
  const host = makeHost({ stats: [["a", GAUGE, 1]] });
  const { body } = exposition.respond(host, null, []);
  const before = body.slice();
  host.values[0] = 2;
  exposition.respond(host, null, []);
  assertEquals(body, before);
});

Deno.test("respond() leaves out own metrics that have no finite value", () => {
  const own = [NaN, 1.5, Infinity].map((value, i): OwnMetric => ({
    name: "own",
    help: "Own",
    type: "gauge",
    value,
    labels: { i: `${i}` },
  }));
  const input: HostInput = { stats: [["a", GAUGE, 3]] };
  assertEquals(samples(write(input, "text", undefined, own)), [
    'own{i="1"} 1.5',
    "a 3",
  ]);
});

/** Each value of the samples of plain stats, in order. */
function plainValues(families: readonly CheckedFamily[]): number[] {
  return families.flatMap(({ samples }) => samples)
    .map(({ value }) => value).filter((value) => value >= 1000 && value < 2000)
    .sort((a, b) => a - b);
}

/** The samples, by names of which each part is as `unescape` makes it. */
function samplesBy(
  unescape: (name: string) => string,
  families: readonly CheckedFamily[],
): string[] {
  return families.flatMap(({ name, type, samples }) =>
    samples.map((sample) => {
      const plain = type === "summary" || type === "histogram"
        ? unescape(name) + sample.name.slice(name.length)
        : unescape(sample.name);
      const labels = Object.entries(sample.labels)
        .map(([key, value]) => [unescape(key), value]).sort();
      return JSON.stringify([plain, labels, sample.value]);
    })
  ).sort();
}

Deno.test("respond() gives every stat of any host once, in every form", () => {
  fc.assert(
    fc.property(anyHost, (input) => {
      const host = makeHost(input);
      const plain = input.stats!.filter(([, kind]) => kind !== SHOWN)
        .map(([, , value]) => value).sort((a, b) => a - b);
      const exposition = new PrometheusExposition();
      const read = (format: "text" | "openmetrics", escaping: string) =>
        checkExposition(
          new TextDecoder("utf-8", { fatal: true }).decode(
            exposition.respond(host, accept(format, escaping), []).body,
          ),
          format === "openmetrics",
        );
      for (const escaping of ESCAPINGS) {
        const text = read("text", escaping);
        const open = read("openmetrics", escaping);
        assertEquals(plainValues(text), plain);
        assertEquals(plainValues(open), plain);
        for (const [i, { window, histogram }] of host.recorded.entries()) {
          // The highest quantile of each is its own.
          const own = (families: CheckedFamily[]) =>
            families.flatMap(({ samples }) => samples)
              .filter(({ value }) => value === 3000 + 10 * i);
          assertEquals(own(text).length, 1);
          assertEquals(own(open).length, 1);
          const sums = text.filter(({ type }) => type === "summary")
            .flatMap(({ name, samples }) =>
              samples.filter((sample) =>
                sample.name === `${name}_sum` &&
                sample.value === window[0] + window[1]
              )
            );
          assertEquals(sums.length, histogram === undefined ? 0 : 1);
        }
        const decoded = decodeFamilies(
          exposition.respond(host, accept("protobuf", escaping), []).body,
        );
        assertEquals(
          decoded.map(({ name }) => name),
          text.map(({ name }) => name),
        );
        assertEquals(
          decoded.flatMap(({ metric = [] }) => metric)
            .map(({ counter, gauge, untyped }) =>
              (counter ?? gauge ?? untyped)?.value ?? 0
            ).filter((value) => value >= 1000 && value < 2000)
            .sort((a, b) => a - b),
          plain,
        );
      }
      for (const format of ["text", "openmetrics"] as const) {
        assertEquals(
          samplesBy(unescapeValues, read(format, "values")),
          samplesBy((name) => name, read(format, "allow-utf-8")),
        );
      }
    }),
    { numRuns: 500 },
  );
});

Deno.test("respond() writes the bounds that a program has chosen, in all formats", () => {
  const host = makeHost({
    recorded: [recordedOf("db.{0}.seconds", [0.05, 0.25, 0.5, 3])],
    descriptions: { "db.{0}.seconds": { buckets: [0.1, 0.5, 1] } },
  });
  const expected = (inf: string) => [
    'db_seconds_histogram_bucket{le="0.1"} 1',
    'db_seconds_histogram_bucket{le="0.5"} 3',
    `db_seconds_histogram_bucket{le="${inf}"} 3`,
    'db_seconds_histogram_bucket{le="+Inf"} 4',
  ];
  const bucketLines = (text: string) =>
    samples(text).filter((line) => line.includes("_bucket"));
  assertEquals(bucketLines(write(host, "text")), expected("1"));
  assertEquals(bucketLines(write(host, "openmetrics")), expected("1.0"));
  const { body } = new PrometheusExposition()
    .respond(host, accept("protobuf"), []);
  const { histogram } = decodeFamilies(body)
    .find(({ type }) => type === "HISTOGRAM")!.metric![0];
  assertEquals(histogram!.bucket, [
    { cumulativeCount: 1, upperBound: 0.1 },
    { cumulativeCount: 3, upperBound: 0.5 },
    { cumulativeCount: 3, upperBound: 1 },
  ]);
  assertEquals(histogram!.schema, 4);
});

Deno.test("respond() follows processes that come, go and change", () => {
  const exposition = new PrometheusExposition();
  const [program, silent] = someProcesses();
  const read = (processes: ProcessStatus[], format: "text" | "openmetrics") =>
    samples(
      new TextDecoder().decode(
        exposition.respond(
          { ...makeHost({}), processes },
          accept(format),
          [],
        ).body,
      ),
    ).filter((line) => /process_(up|cpu_seconds)/.test(line));
  const labels = 'pid="7",process="my app",process_instance="web"';
  for (const format of ["text", "openmetrics", "text"] as const) {
    assertEquals(read([program, silent], format), [
      `process_cpu_seconds_total{${labels}} 1.25`,
      `statvent_process_up{${labels}} 1`,
      'statvent_process_up{pid="8",process="unnamed"} 0',
    ]);
    assertEquals(read(someProcesses(9), format), [
      `process_cpu_seconds_total{${labels}} 9`,
      `statvent_process_up{${labels}} 1`,
      'statvent_process_up{pid="8",process="unnamed"} 0',
    ]);
    assertEquals(read([silent], format), [
      'statvent_process_up{pid="8",process="unnamed"} 0',
    ]);
    assertEquals(read([{ ...silent, name: "8" }, program], format), [
      `process_cpu_seconds_total{${labels}} 1.25`,
      'statvent_process_up{pid="8",process="8"} 0',
      `statvent_process_up{${labels}} 1`,
    ]);
    assertEquals(read([], format), []);
  }
});
