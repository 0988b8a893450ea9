import { assertEquals } from "@std/assert";
import fc from "fast-check";
import type { HostDistribution, HostStats } from "../../collect/host_stats.ts";
import { NameTable } from "../../format/snapshot.ts";
import { countOf, type Histogram, upperBound } from "../../model/histogram.ts";
import type { Kind } from "../../model/kinds.ts";
import { PrometheusExposition } from "../../prometheus/exposition.ts";
import type { OwnMetric } from "../../prometheus/families.ts";
import { goNumber } from "../../prometheus/names.ts";
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
  type PlainStat,
  recordedOf,
  SHOWN,
  UNKNOWN,
  withoutHistogram,
} from "../helpers/host.ts";
import { output, withDir } from "../helpers/program.ts";
import { bucketsOf, decodeFamilies } from "../helpers/prometheus_proto.ts";

const ESCAPINGS = ["allow-utf-8", "underscores", "dots", "values"];

/** The text without the families that every answer has. */
function write(
  host: HostStats | HostInput,
  format: "text" | "openmetrics",
  escaping?: string,
  own: readonly OwnMetric[] = [],
): string {
  const { body } = new PrometheusExposition().respond(
    "table" in host ? host : makeHost(host),
    accept(format, escaping),
    own,
  );
  const text = new TextDecoder("utf-8", { fatal: true }).decode(body);
  checkExposition(text, format === "openmetrics");
  return text.replaceAll(/.*\bstatvent_+processes\b.*\n/g, "");
}

/** The names and values of the samples. */
function samples(text: string): string[] {
  return text.split("\n").filter((line) => line !== "" && line[0] !== "#");
}

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

Deno.test("respond() writes a host in the text format when there is no Accept header", () => {
  const { contentType, body } = new PrometheusExposition().respond(
    makeHost(SMALL),
    null,
    [],
  );
  assertEquals(
    contentType,
    "text/plain; version=0.0.4; charset=utf-8; escaping=underscores",
  );
  assertEquals(
    new TextDecoder().decode(body),
    String
      .raw`# HELP statvent_processes Processes of this host by whether they answer.
# TYPE statvent_processes gauge
statvent_processes{state="ok"} 2
statvent_processes{state="dead"} 1
statvent_processes{state="timeout"} 1
statvent_processes{state="invalid"} 0
# HELP bytes_total The stat bytes_total
# TYPE bytes_total counter
bytes_total 1.5
# HELP gr__e The stat größe
# TYPE gr__e untyped
gr__e 1.0e+22
# HELP http_requests_total Requests "so far"\n\\ all
# TYPE http_requests_total counter
http_requests_total{http_method="a\"\\\n"} 2
http_requests_total{method="GET"} 5
# HELP latency_seconds How long
# TYPE latency_seconds gauge
latency_seconds 0.25
# HELP queue_length The stat queue.length
# TYPE queue_length gauge
queue_length -3
# HELP db_ms The stat db.{0}.ms
# TYPE db_ms summary
db_ms{table="users",quantile="0.5"} 2
db_ms{table="users",quantile="0.95"} 3
db_ms{table="users",quantile="0.99"} 3
db_ms{table="users",quantile="1"} 1000
db_ms_sum{table="users"} 1006
db_ms_count{table="users"} 4
# HELP db_ms_histogram The stat db.{0}.ms
# TYPE db_ms_histogram histogram
db_ms_histogram_bucket{table="users",le="0.5"} 0
db_ms_histogram_bucket{table="users",le="1"} 1
db_ms_histogram_bucket{table="users",le="2"} 2
db_ms_histogram_bucket{table="users",le="4"} 3
db_ms_histogram_bucket{table="users",le="8"} 3
db_ms_histogram_bucket{table="users",le="16"} 3
db_ms_histogram_bucket{table="users",le="32"} 3
db_ms_histogram_bucket{table="users",le="64"} 3
db_ms_histogram_bucket{table="users",le="128"} 3
db_ms_histogram_bucket{table="users",le="256"} 3
db_ms_histogram_bucket{table="users",le="512"} 3
db_ms_histogram_bucket{table="users",le="1024"} 4
db_ms_histogram_bucket{table="users",le="+Inf"} 4
db_ms_histogram_sum{table="users"} 1006
db_ms_histogram_count{table="users"} 4
`,
  );
});

const FEW: HostInput = {
  ...SMALL,
  recorded: [recordedOf("db.{0}.ms", [1.5, 0], { percentiles: [50, 100] })],
};

Deno.test("respond() writes a host in OpenMetrics", () => {
  assertEquals(
    write(FEW, "openmetrics"),
    String.raw`# TYPE bytes counter
# HELP bytes The stat bytes_total
bytes_total 1.5
# TYPE gr__e unknown
# HELP gr__e The stat größe
gr__e 1.0e+22
# TYPE http_requests counter
# HELP http_requests Requests \"so far\"\n\\ all
http_requests_total{http_method="a\"\\\n"} 2
http_requests_total{method="GET"} 5
# TYPE latency_seconds gauge
# UNIT latency_seconds seconds
# HELP latency_seconds How long
latency_seconds 0.25
# TYPE queue_length gauge
# HELP queue_length The stat queue.length
queue_length -3
# TYPE db_ms summary
# HELP db_ms The stat db.{0}.ms
db_ms{quantile="0.5"} 0
db_ms{quantile="1.0"} 1.5
db_ms_sum 1.5
db_ms_count 2
# TYPE db_ms_histogram histogram
# HELP db_ms_histogram The stat db.{0}.ms
db_ms_histogram_bucket{le="0.0"} 1
db_ms_histogram_bucket{le="1.0"} 1
db_ms_histogram_bucket{le="2.0"} 2
db_ms_histogram_bucket{le="+Inf"} 2
db_ms_histogram_sum 1.5
db_ms_histogram_count 2
# EOF
`,
  );
});

Deno.test("respond() puts names that need it in quotes when UTF-8 is allowed", () => {
  assertEquals(
    write(FEW, "text", "allow-utf-8"),
    String.raw`# HELP bytes_total The stat bytes_total
# TYPE bytes_total counter
bytes_total 1.5
# HELP "größe" The stat größe
# TYPE "größe" untyped
{"größe"} 1.0e+22
# HELP "http.requests_total" Requests "so far"\n\\ all
# TYPE "http.requests_total" counter
{"http.requests_total","http.method"="a\"\\\n"} 2
{"http.requests_total",method="GET"} 5
# HELP latency_seconds How long
# TYPE latency_seconds gauge
latency_seconds 0.25
# HELP "queue.length" The stat queue.length
# TYPE "queue.length" gauge
{"queue.length"} -3
# HELP "db.ms" The stat db.{0}.ms
# TYPE "db.ms" summary
{"db.ms",quantile="0.5"} 0
{"db.ms",quantile="1"} 1.5
{"db.ms_sum"} 1.5
{"db.ms_count"} 2
# HELP "db.ms_histogram" The stat db.{0}.ms
# TYPE "db.ms_histogram" histogram
{"db.ms_histogram_bucket",le="0"} 1
{"db.ms_histogram_bucket",le="1"} 1
{"db.ms_histogram_bucket",le="2"} 2
{"db.ms_histogram_bucket",le="+Inf"} 2
{"db.ms_histogram_sum"} 1.5
{"db.ms_histogram_count"} 2
`,
  );
});

Deno.test("respond() escapes names by dots and by values", () => {
  assertEquals(
    [...samples(write(FEW, "text", "dots")).slice(0, 8), "…"],
    [
      "bytes__total 1.5",
      "gr____e 1.0e+22",
      String.raw`http_dot_requests__total{http_dot_method="a\"\\\n"} 2`,
      'http_dot_requests__total{method="GET"} 5',
      "latency__seconds 0.25",
      "queue_dot_length -3",
      'db_dot_ms{quantile="0.5"} 0',
      'db_dot_ms{quantile="1"} 1.5',
      "…",
    ],
  );
  assertEquals(
    [...samples(write(FEW, "openmetrics", "values")).slice(0, 9), "…"],
    [
      "U__gr_f6__df_e 1.0e+22",
      String.raw`U__http_2e_requests__total{U__http_2e_method="a\"\\\n"} 2`,
      'U__http_2e_requests__total{method="GET"} 5',
      "U__queue_2e_length -3",
      "bytes_total 1.5",
      "latency_seconds 0.25",
      'U__db_2e_ms{quantile="0.5"} 0',
      'U__db_2e_ms{quantile="1.0"} 1.5',
      "U__db_2e_ms_sum 1.5",
      "…",
    ],
  );
});

Deno.test("respond() writes a host as protocol buffers", () => {
  const { contentType, body } = new PrometheusExposition()
    .respond(makeHost(FEW), accept("protobuf", "allow-utf-8"), []);
  assertEquals(
    contentType,
    "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited; escaping=allow-utf-8",
  );
  const [processes, ...families] = decodeFamilies(body);
  assertEquals(processes, {
    name: "statvent_processes",
    help: "Processes of this host by whether they answer.",
    type: "GAUGE",
    metric: Object.entries({ ok: 2, dead: 1, timeout: 1, invalid: 0 }).map(
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

Deno.test("respond() keeps series apart that escaping makes the same", () => {
  const stats: PlainStat[] = [
    ["a_b", GAUGE, 1],
    ["a.b", GAUGE, 2],
    ['a_b{name="a_b"}', GAUGE, 3],
    ['a.b{x=""}', GAUGE, 4],
    ['c{k="1",j="2"}', COUNTER, 5],
    ['c{j="2",k="1"}', COUNTER, 6],
    ['d{a.b="1",a_b="2",__name__="3",_.x="4"}', GAUGE, 7],
    ['e{x="\\ud800"}', GAUGE, 8],
    ['e{x="\\udfff"}', GAUGE, 9],
  ];
  assertEquals(samples(write({ stats }, "text")), [
    "a_b 2",
    String.raw`a_b{name="a.b{x=\"\"}"} 4`,
    'a_b{name="a_b"} 1',
    String.raw`a_b{exported_name="a_b{name=\"a_b\"}",name="a_b"} 3`,
    'c_total{j="2",k="1"} 6',
    String.raw`c_total{j="2",k="1",name="c{k=\"1\",j=\"2\"}"} 5`,
    'd{a_b="1",exported___name__="3",exported___x="4",exported_a_b="2"} 7',
    'e{x="\ufffd"} 8',
    String.raw`e{name="e{x=\"\\udfff\"}",x="` + '\ufffd"} 9',
  ]);
});

Deno.test("respond() gives a family whose samples would be another's its type as a suffix", () => {
  const names = (input: HostInput, own?: readonly OwnMetric[]) =>
    samples(write(input, "openmetrics", undefined, own))
      .map((line) => line.split(/[ {]/)[0])
      .filter((name, i, all) => name !== all[i - 1]);
  const summary = ["x", "x_sum", "x_count"];
  const histogram = ["bucket", "sum", "count"].map((s) => `x_histogram_${s}`);
  const recorded = [recordedOf("x", [1])];
  assertEquals(names({ stats: [["x_count", GAUGE, 1]], recorded }), [
    "x_count_gauge",
    ...summary,
    ...histogram,
  ]);
  assertEquals(
    names({ stats: [["x", COUNTER, 1], ["x", GAUGE, 1]], recorded }),
    [
      "x_counter_total",
      "x_gauge",
      ...summary,
      ...histogram,
    ],
  );
  assertEquals(
    names({ stats: [["x_histogram_bucket", UNKNOWN, 1]], recorded }),
    ["x_histogram_bucket_untyped", ...summary, ...histogram],
  );
  assertEquals(names({ stats: [["a", COUNTER, 1], ["a_total", GAUGE, 1]] }), [
    "a_total",
    "a_total_gauge",
  ]);
  assertEquals(
    names({ stats: [["a", COUNTER, 1], ["a", GAUGE, 1], ["a", UNKNOWN, 1]] }),
    ["a_total", "a_gauge", "a_untyped"],
  );
  assertEquals(
    names({ stats: [["a", COUNTER, 1], ["a_created", GAUGE, 1]] }),
    ["a_total", "a_created_gauge"],
  );
  assertEquals(
    names({
      stats: [["a", COUNTER, 1], ["a", GAUGE, 1], ["a_gauge", UNKNOWN, 1]],
    }),
    ["a_total", "a_gauge", "a_gauge_untyped"],
  );
  assertEquals(
    names({ stats: [["a", COUNTER, 1], ["a.total", COUNTER, 2]] }),
    ["a_total"],
  );
  // Prometheus has one of its own.
  assertEquals(names({ stats: [["up", GAUGE, 1]] }), ["up_gauge"]);
  const own: OwnMetric[] = [
    { name: "process_open_fds", help: "h", type: "gauge", value: 9 },
    { name: "process_cpu_seconds_total", help: "h", type: "counter", value: 1 },
  ];
  assertEquals(
    names({
      stats: [
        ["process.open.fds", GAUGE, 1],
        ['statvent_processes{state="ok"}', GAUGE, 1],
        ["process_cpu_seconds", GAUGE, 1],
        ["process.cpu_seconds", COUNTER, 1],
      ],
    }, own),
    [
      "process_cpu_seconds_total",
      "process_open_fds",
      "process_cpu_seconds_counter_total",
      "process_cpu_seconds_gauge",
      "process_open_fds_gauge",
      "statvent_processes_gauge",
    ],
  );
});

Deno.test("respond() names a family by its unit, without a second one", () => {
  const table: [name: string, kind: Kind, unit: string, shown: string][] = [
    ["a", GAUGE, "seconds", "a_seconds"],
    ["b_seconds", GAUGE, "seconds", "b_seconds"],
    ["c.seconds", GAUGE, "seconds", "c_seconds"],
    ["d", COUNTER, "bytes", "d_bytes_total"],
    ["e_bytes_total", COUNTER, "bytes", "e_bytes_total"],
    ["f.total", COUNTER, "", "f_total"],
    ["g", GAUGE, " km/h ", "g_km_h"],
    ["h", GAUGE, "%", "h"],
    ["seconds", GAUGE, "seconds", "seconds_seconds"],
    ["total", COUNTER, "", "total_total"],
    ["ñtotal", COUNTER, "", "_total_total"],
    ["x💥total", COUNTER, "", "x_total_total"],
  ];
  const host = makeHost({
    stats: table.map(([name, kind]) => [name, kind, 1]),
    descriptions: Object.fromEntries(
      table.map(([name, , unit]) => [name, { unit }]),
    ),
  });
  for (const format of ["text", "openmetrics"] as const) {
    assertEquals(
      samples(write(host, format)).sort(),
      table.map(([, , , shown]) => `${shown} 1`).sort(),
    );
  }
  assertEquals(
    ESCAPINGS.map((escaping) =>
      /# UNIT .*g.*/.exec(write(host, "openmetrics", escaping))?.[0]
    ),
    [
      "# UNIT g_km_h km_h",
      "# UNIT g_km_h km_h",
      "# UNIT g__km__h km__h",
      "# UNIT g_km_h km_h",
    ],
  );
});

Deno.test("respond() names a recorded stat without its placeholder", () => {
  const table = {
    "db.{0}.ms": "db_ms",
    "{0}.ms": "ms",
    "ms.{0}": "ms",
    "{0}": "recorded",
    "": "recorded",
    "a{0}b": "ab",
    "latency of {0}": "latency_of",
    ".{0}": "recorded",
    'x.{0}{le="1",quantile="2",__y="3"}':
      'x{exported___y="3",exported_le="1",exported_quantile="2"}',
  };
  for (const [name, shown] of Object.entries(table)) {
    const histogram = shown.replace(/\w+/, "$&_histogram");
    const text = samples(
      write({ recorded: [recordedOf(name, [])] }, "openmetrics"),
    );
    assertEquals(text, [
      `${shown.replace(/\w+/, "$&_sum")} 0`,
      `${shown.replace(/\w+/, "$&_count")} 0`,
      ...[
        `${histogram.replace(/\w+/, "$&_bucket")} 0`
          .replace("} 0", ',le="+Inf"} 0').replace(
            /bucket 0/,
            'bucket{le="+Inf"} 0',
          ),
        `${histogram.replace(/\w+/, "$&_sum")} 0`,
        `${histogram.replace(/\w+/, "$&_count")} 0`,
      ],
    ]);
  }
});

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
      ["statvent_processes", "GAUGE", 4],
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
    ).slice(4);
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

Deno.test("respond() gives a name to a stat that has none", () => {
  const stats: PlainStat[] = [["", GAUGE, 1]];
  for (const escaping of ESCAPINGS) {
    assertEquals(samples(write({ stats }, "text", escaping)), ["unnamed 1"]);
  }
});

Deno.test("goNumber() writes as Go's strconv does", () => {
  const table: [number, string, string][] = [
    [0, "0", "0.0"],
    [1, "1", "1.0"],
    [-2, "-2", "-2.0"],
    [0.5, "0.5", "0.5"],
    [0.0001, "0.0001", "0.0001"],
    [0.00001, "1e-05", "1e-05"],
    [100000, "100000", "100000.0"],
    [1e6, "1e+06", "1e+06"],
    [1048576, "1.048576e+06", "1.048576e+06"],
    [1e10, "1e+10", "1e+10"],
    [1e-10, "1e-10", "1e-10"],
    [1.5e300, "1.5e+300", "1.5e+300"],
    [5e-324, "5e-324", "5e-324"],
  ];
  assertEquals(
    table.map(([n]) => [n, goNumber(n, false), goNumber(n, true)]),
    table,
  );
});

// Names that come close to each other.
const name = fc.array(
  fc.constantFrom(
    ...'a b . _ : é {0} 9 U__ _2e_ total _total .total _sum _count _bucket _created histogram _histogram _gauge _counter seconds " \\ 💥'
      .split(" "),
    " ",
  ),
  { maxLength: 4 },
).map((parts) => parts.join(""));

const labels = fc.oneof(
  fc.constant(""),
  fc.uniqueArray(
    fc.tuple(
      fc.constantFrom(
        ..."a a.b a_b _x __x _.x le quantile name exported_name exported_le"
          .split(" "),
      ),
      fc.oneof(
        fc.constantFrom('""', '"1"', '"\\n\\\\\\""', '"\\ud800"', '"\\udbff"'),
        fc.string({ unit: "grapheme" }).map((text) => JSON.stringify(text)),
      ),
    ),
    { selector: ([key]) => key, minLength: 1, maxLength: 3 },
  ).map((pairs) => `{${pairs.map(([k, v]) => `${k}=${v}`).join(",")}}`),
);

const series = fc.tuple(name, labels)
  .map((parts) => parts.join("").replaceAll(/[\n\v\f\r\x85\u2028\u2029]/g, ""));

const anyHost = fc.record({
  stats: fc.uniqueArray(
    fc.tuple(series, fc.constantFrom<Kind>(COUNTER, GAUGE, UNKNOWN, SHOWN)),
    { selector: ([name]) => name, maxLength: 8 },
  ),
  recorded: fc.uniqueArray(
    fc.tuple(series, fc.boolean(), fc.boolean()),
    { selector: ([name]) => name, maxLength: 4 },
  ),
  descriptions: fc.dictionary(
    name,
    fc.record({
      help: fc.oneof(fc.string({ unit: "binary" }), fc.constant("\r\u2028\n")),
      unit: fc.constantFrom("", "seconds", "a_b", "é", "total"),
    }),
    { maxKeys: 4 },
  ),
}).map(({ stats, recorded, descriptions }): HostInput => ({
  // Each value is there once.
  stats: stats.map(([name, kind], i) => [name, kind, i + 1000]),
  recorded: recorded.map(([name, kept, negative], i) => {
    const values = [negative ? -0.5 : 1, 10 * i + 3000];
    return kept ? recordedOf(name, values) : withoutHistogram(name, values);
  }),
  descriptions,
}));

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

Deno.test("respond() takes the least of what differs in a family, whatever the order", () => {
  const stats: PlainStat[] = [
    ["m.n", GAUGE, 1],
    ["m_n", GAUGE, 2],
    ["x", GAUGE, 3],
    ["x.a", GAUGE, 4],
    ['y{a_b="1",a.b="2"}', GAUGE, 5],
  ];
  const descriptions = {
    "m.n": { help: "B" },
    "m_n": { help: "A" },
    x: { unit: "a_b" },
    "x.a": { unit: "b" },
  };
  for (const inOrder of [stats, stats.toReversed()]) {
    assertEquals(
      write({ stats: inOrder, descriptions }, "openmetrics"),
      `# TYPE m_n gauge
# HELP m_n A
m_n 1
m_n{name="m_n"} 2
# TYPE x_a_b gauge
# UNIT x_a_b a_b
# HELP x_a_b The stat x
x_a_b 3
x_a_b{name="x.a"} 4
# TYPE y gauge
# HELP y The stat y
y{a_b="2",exported_a_b="1"} 5
# EOF
`,
    );
  }
});

Deno.test("respond() names a host the same whatever the order of its stats", () => {
  fc.assert(fc.property(anyHost, fc.infiniteStream(fc.nat()), (input, keys) => {
    const order = input.stats!.map((stat) =>
      [keys.next().value, stat] as const
    );
    const shuffled = order.toSorted(([a], [b]) => a - b).map(([, s]) => s);
    for (const escaping of ESCAPINGS) {
      assertEquals(
        write({ ...input, stats: shuffled }, "openmetrics", escaping),
        write(input, "openmetrics", escaping),
      );
    }
  }));
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

const promtool = await output("sh", "-c", "command -v promtool");

const missing = promtool.code !== 0;

if (missing) console.log("skipped: there is no promtool");

Deno.test({
  name:
    "promtool finds nothing in an answer but that a histogram is called one",
  ignore: missing,
  async fn() {
    await withDir(async (dir) => {
      const text = write({
        ...SMALL,
        stats: [...SMALL.stats!, ["up", GAUGE, 1]],
        recorded: [
          recordedOf('db.{0}.seconds{table="users"}', [1, 2, 3, 1000]),
          recordedOf("negative", [-1, 0, 2]),
          withoutHistogram("window", [1, 2]),
        ],
      }, "text");
      await Deno.writeTextFile(`${dir}/metrics`, text);
      const { stdout, stderr } = await output(
        "sh",
        "-c",
        `promtool check metrics < ${dir}/metrics`,
      );
      assertEquals(stdout, "");
      assertEquals(stderr.trimEnd().split("\n"), [
        "db_seconds_histogram metric name should not include type 'histogram'",
        "negative_histogram metric name should not include type 'histogram'",
        "up_gauge metric name should not include type 'gauge'",
      ]);
    });
  },
});
