import root from "@opentelemetry/otlp-transformer/build/src/generated/root.js";
import { assert, assertEquals } from "@std/assert";
import type { HostStats } from "../../collect/host_stats.ts";
import { emptyHistogram } from "../../model/histogram.ts";
import { GAUGE, SHOWN, UNKNOWN } from "../../model/kinds.ts";
import { VERSION } from "../../model/version.ts";
import { histogramJson, retryAfter } from "../../push/otlp.ts";
import { Schedule } from "../../push/schedule.ts";
import { until } from "../helpers/program.ts";
import {
  FakeClock,
  hostOf,
  NOW,
  recordedAs,
  someProcesses,
} from "../helpers/push.ts";

// deno-lint-ignore no-explicit-any
const Request = (root as any).opentelemetry.proto.collector.metrics.v1
  .ExportMetricsServiceRequest;

/** A request, as a receiver in JavaScript sees it. */
// deno-lint-ignore no-explicit-any
type Json = any;

/** What the answer to a request is. */
type Answer = () => Response | Promise<Response>;

/** A receiver that answers in turn, and then with the last answer for good. */
function listen(...answers: Answer[]) {
  const bodies: string[] = [];
  const requests: string[] = [];
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    async (request) => {
      const { method, url, headers } = request;
      requests.push(
        `${method} ${new URL(url).pathname} ${headers.get("content-type")}`,
      );
      bodies.push(await request.text());
      const answer = answers.length > 1 ? answers.shift()! : answers[0];
      return answer();
    },
  );
  return {
    bodies,
    requests,
    url: `http://127.0.0.1:${server.addr.port}/v1/metrics`,
    [Symbol.asyncDispose]: () => server.shutdown(),
  };
}

const ok: Answer = () => Response.json({});

function start(url: string, collect: () => HostStats, prefix?: string) {
  const clock = new FakeClock();
  const lines: string[] = [];
  const push = new Schedule({
    collect: () => Promise.resolve(collect()),
    targets: [{ protocol: "otlp", url }],
    host: "Web1",
    log: (line) => lines.push(line),
    prefix,
  }, clock);
  return { clock, lines, push };
}

/** The metrics of a body, which must be right by the published definition. */
function metricsOf(body: string): Json[] {
  const json = JSON.parse(body);
  const decoded = Request.toObject(
    Request.decode(Request.encode(Request.fromObject(json)).finish()),
    { longs: String, enums: Number },
  );
  // What was sent, nothing more and nothing less, with no field unknown.
  assertEquals(normalize(decoded), normalize(json));
  assertEquals(json.resourceMetrics.length, 1);
  const [{ resource, scopeMetrics }] = json.resourceMetrics;
  assertEquals(resource, {
    attributes: [
      { key: "service.name", value: { stringValue: "statvent" } },
      { key: "host.name", value: { stringValue: "Web1" } },
    ],
  });
  assertEquals(scopeMetrics.length, 1);
  assertEquals(scopeMetrics[0].scope, { name: "statvent", version: VERSION });
  return scopeMetrics[0].metrics;
}

/** Leaves out empty lists, which protobuf does not tell from none. */
function normalize(json: Json): Json {
  if (Array.isArray(json)) return json.map(normalize);
  if (typeof json !== "object" || json === null) return json;
  return Object.fromEntries(
    Object.entries(json).filter(([, value]) =>
      !Array.isArray(value) || value.length > 0
    ).map(([key, value]) => [key, normalize(value)]),
  );
}

const ns = (ms: number) => `${BigInt(ms) * 1_000_000n}`;

Deno.test("startPush() sends all kinds of stats by OTLP", async () => {
  await using server = listen(ok);
  const stats: Parameters<typeof hostOf>[0] = {
    'hits{code="200",path="/é"}': [3],
    'hits{code="404",path="/é"}': [2.5, 0, 1],
    depth: [-4, GAUGE],
    old: [9_007_199_254_740_993, UNKNOWN],
    huge: [1e300, GAUGE],
    "db.median.ms": [3, SHOWN],
  };
  const process = {
    pid: 1,
    name: undefined,
    runtime: undefined,
    state: "ok",
    age: 0,
    stalled: undefined,
    error: undefined,
  } as const;
  const more: Partial<HostStats> = {
    recorded: [recordedAs('db.{0}.ms{table="users"}')],
    descriptions: new Map([
      ["hits", { help: 'Says "hi".', unit: "requests" }],
      ["db.{0}.ms", { unit: "ms" }],
    ]),
    processes: [
      { ...process, start: NOW / 1000 - 50.5 },
      { ...process, start: NOW / 1000 - 20 },
    ],
  };
  const { clock, push, lines } = start(server.url, () => hostOf(stats, more));
  await clock.pass(5_000);
  await until("a request", () => push.stats()[0].sent === 7 + 9);
  stats['hits{code="200",path="/é"}'] = [1];
  stats.fresh = [1];
  await clock.pass(10_000);
  await until("another", () => push.stats()[0].sent === 15 + 18);
  stats['hits{code="200",path="/é"}'] = [2];
  await push.stop();

  const attribute = (key: string, stringValue: string) => ({
    key,
    value: { stringValue },
  });
  const first = (time: number, starts: [number, number, number?]) => {
    const timeUnixNano = ns(time);
    const from = (i: number) => ({
      startTimeUnixNano: ns(starts[i]!),
      timeUnixNano,
    });
    const gauge = (name: string, value: unknown) => ({
      name,
      gauge: {
        dataPoints: [{ attributes: [], timeUnixNano, ...value as object }],
      },
    });
    return {
      hits: (asInt: string) => ({
        name: "hits",
        description: 'Says "hi".',
        unit: "requests",
        sum: {
          aggregationTemporality: 2,
          isMonotonic: true,
          dataPoints: [{
            attributes: [attribute("code", "200"), attribute("path", "/é")],
            ...from(0),
            asInt,
          }, {
            attributes: [attribute("code", "404"), attribute("path", "/é")],
            ...from(1),
            asDouble: 2.5,
          }],
        },
      }),
      gauges: [
        gauge("depth", { asInt: "-4" }),
        gauge("old", { asInt: "9007199254740992" }),
        gauge("huge", { asDouble: 1e300 }),
        gauge("db.median.ms", { asInt: "3" }),
      ],
      fresh: {
        name: "fresh",
        sum: {
          aggregationTemporality: 2,
          isMonotonic: true,
          dataPoints: [{
            attributes: [],
            ...(starts[2] !== undefined && from(2)),
            asInt: "1",
          }],
        },
      },
      db: {
        name: "db.ms",
        unit: "ms",
        exponentialHistogram: {
          aggregationTemporality: 2,
          dataPoints: [{
            attributes: [attribute("table", "users")],
            ...from(1),
            count: "4",
            scale: 4,
            zeroCount: "1",
            sum: 7,
            min: 0,
            max: 3,
            positive: {
              offset: -1,
              bucketCounts: ["1", ...new Array(25).fill("0"), "2"],
            },
          }],
        },
      },
    };
  };
  const old = NOW - 50_500;
  const a = first(NOW + 5_000, [old, old]);
  const ofStats = (body: string) =>
    metricsOf(body).filter(({ name }) => !name.includes("process"));
  assertEquals(ofStats(server.bodies[0]), [a.hits("3"), ...a.gauges, a.db]);
  // What has fallen, and what is new, began after the push before.
  const b = first(NOW + 15_000, [NOW + 5_000, old, NOW + 5_000]);
  assertEquals(ofStats(server.bodies[1]), [
    b.hits("1"),
    ...b.gauges,
    b.fresh,
    b.db,
  ]);
  const c = first(NOW + 15_000, [NOW + 5_000, old, NOW + 5_000]);
  assertEquals(metricsOf(server.bodies[2])[0], c.hits("2"));
  assertEquals(server.requests[0], "POST /v1/metrics application/json");
  assertEquals(lines, []);
});

Deno.test("startPush() sends by OTLP what processes use, in its own words", async () => {
  await using server = listen(ok);
  const { clock, push } = start(
    server.url,
    () => hostOf({}, { processes: someProcesses() }),
  );
  await clock.pass(5_000);
  await until("a request", () => server.bodies.length === 1);
  await push.stop();
  const metrics = new Map(
    metricsOf(server.bodies[0]).map((metric: Json) => [metric.name, metric]),
  );
  const attributes = [
    { key: "process.pid", value: { intValue: "7" } },
    { key: "process.title", value: { stringValue: "my app" } },
    { key: "process.instance", value: { stringValue: "web" } },
  ];
  const timeUnixNano = ns(NOW + 5_000);
  assertEquals(metrics.get("process.cpu.time"), {
    name: "process.cpu.time",
    description: "Total CPU seconds.",
    unit: "s",
    sum: {
      aggregationTemporality: 2,
      isMonotonic: true,
      dataPoints: [{
        attributes,
        startTimeUnixNano: ns(NOW - 55_000),
        timeUnixNano,
        asDouble: 1.25,
      }],
    },
  });
  assertEquals(metrics.get("process.memory.usage"), {
    name: "process.memory.usage",
    description: "The amount of physical memory in use.",
    unit: "By",
    sum: {
      aggregationTemporality: 2,
      dataPoints: [{ attributes, timeUnixNano, asInt: "1000" }],
    },
  });
  assertEquals(
    metrics.get("statvent.process.up").gauge.dataPoints.map((
      { attributes: [{ value }], asInt }: Json,
    ) => [value.intValue, asInt]),
    [["7", "1"], ["8", "0"]],
  );
  assertEquals(
    metrics.get("statvent.processes").gauge.dataPoints.map((
      { attributes, asInt }: Json,
    ) => [attributes[0].key, attributes[0].value.stringValue, asInt]),
    [
      ["state", "ok", "0"],
      ["state", "hung", "1"],
      ["state", "unknown", "0"],
      ["state", "timeout", "1"],
      ["state", "invalid", "0"],
      ["state", "dead", "1"],
    ],
  );
});

Deno.test("startPush() puts a prefix that is given before OTLP's names", async () => {
  await using server = listen(ok);
  const { push } = start(server.url, () => hostOf({ a: [1] }), "my.{host}");
  await push.stop();
  const [{ name, sum }] = metricsOf(server.bodies[0]);
  assertEquals(name, "my.web1.a");
  // It is not known when it began.
  assertEquals(sum.dataPoints[0].startTimeUnixNano, ns(NOW));
});

Deno.test("startPush() waits as long as an OTLP server asks for", async () => {
  let n = 0;
  await using server = listen(
    () =>
      new Response("slow\ndown", {
        status: 429,
        headers: { "retry-after": "7" },
      }),
    () => new Response(null, { status: 503 }),
    ok,
  );
  const { clock, push, lines } = start(server.url, () => hostOf({ n: [++n] }));
  await clock.pass(5_000);
  await until("429", () => push.stats()[0].failed === 1);
  // Half a second of jitter, by the fake.
  await clock.pass(7_500);
  await until("503", () => push.stats()[0].failed === 2);
  await clock.pass(1_000);
  await until("200", () => push.stats()[0].sent === 1);
  assertEquals(server.bodies[2], server.bodies[0]);
  await push.stop();
  assertEquals(push.stats(), [{
    target: server.url,
    sent: 2,
    dropped: 0,
    waiting: 0,
    failed: 2,
    lastError: undefined,
  }]);
  assertEquals(lines, [
    `cannot push to ${server.url}: the server answered 429: slow down`,
    `pushing to ${server.url} again`,
  ]);
});

Deno.test("startPush() keeps only the newest for an OTLP server that is away", async () => {
  let n = 0;
  await using server = listen(
    () => new Response(null, { status: 503, headers: { "retry-after": "21" } }),
    ok,
  );
  const { clock, push } = start(server.url, () => hostOf({ n: [++n] }));
  await clock.pass(5_000);
  await until("503", () => push.stats()[0].failed === 1);
  await clock.pass(10_000);
  await until("a drop", () => push.stats()[0].dropped === 1);
  await clock.pass(10_000);
  await until("a drop", () => push.stats()[0].dropped === 2);
  assertEquals(push.stats()[0].waiting, 1);
  await clock.pass(1_500);
  await until("200", () => push.stats()[0].sent === 1);
  const [{ sum }] = metricsOf(server.bodies[1]);
  assertEquals(sum.dataPoints[0].asInt, "3");
  assertEquals(sum.dataPoints[0].timeUnixNano, ns(NOW + 25_000));
  await push.stop();
});

Deno.test("startPush() drops what an OTLP server refuses for good, and says so once", async () => {
  await using server = listen(
    () => new Response("no", { status: 400 }),
    () => new Response("broken", { status: 500 }),
    () =>
      Response.json({
        partialSuccess: { rejectedDataPoints: "2", errorMessage: "too old" },
      }),
    () => new Response("taken", { status: 200 }),
  );
  const { clock, push, lines } = start(
    server.url,
    () => hostOf({ a: [1], b: [2], c: [3] }),
  );
  for (const [ms, dropped] of [[5_000, 3], [10_000, 6], [10_000, 8]]) {
    await clock.pass(ms);
    await until("a drop", () => push.stats()[0].dropped === dropped);
  }
  assertEquals(push.stats()[0], {
    target: server.url,
    sent: 1,
    dropped: 8,
    waiting: 0,
    // The third one was taken, but for two points.
    failed: 2,
    lastError: "the server rejected 2 points: too old",
  });
  await push.stop();
  assertEquals(push.stats()[0].sent, 4);
  assertEquals(lines, [
    `cannot push to ${server.url}: the server answered 400: no`,
    `pushing to ${server.url} again`,
  ]);
});

Deno.test("startPush() counts what an OTLP server takes too slowly", async () => {
  let answer = (_: Response) => {};
  const hang = () => new Promise<Response>((resolve) => answer = resolve);
  await using server = listen(hang, hang, ok);
  let stats: Parameters<typeof hostOf>[0] = { a: [1] };
  const { clock, push } = start(server.url, () => hostOf(stats));
  const counts = () => {
    const [{ sent, dropped, waiting, failed }] = push.stats();
    return { sent, dropped, waiting, failed };
  };
  await clock.pass(5_000);
  await until("a request", () => server.bodies.length === 1);
  stats = { a: [1], b: [1] };
  await clock.pass(10_000);
  await until("a tick", () => counts().waiting === 2);
  // Under way, and neither sent nor given up.
  assertEquals(counts(), { sent: 0, dropped: 0, waiting: 2, failed: 0 });
  answer(Response.json({}));
  await until("a request", () => server.bodies.length === 2);
  assertEquals(counts(), { sent: 1, dropped: 0, waiting: 2, failed: 0 });
  stats = { a: [1], b: [1], c: [1] };
  await clock.pass(10_000);
  await until("a tick", () => counts().waiting === 3);
  answer(new Response(null, { status: 503 }));
  await until("a failure", () => counts().failed === 1);
  assertEquals(counts(), { sent: 1, dropped: 2, waiting: 3, failed: 1 });
  await push.stop();
  // What waited was given up for the last tick.
  assertEquals(counts(), { sent: 4, dropped: 5, waiting: 0, failed: 1 });
});

Deno.test("startPush() splits what is too much for one OTLP request", async () => {
  await using server = listen(ok);
  const stats = Object.fromEntries(Array.from({ length: 25_000 }, (_, i) => [
    `a{i="${i}"}`,
    [i] as [number],
  ]));
  for (let i = 0; i < 100; i++) {
    stats[`long{text="${"x".repeat(60_000)}${i}"}`] = [i];
  }
  const { push } = start(server.url, () => hostOf(stats));
  await push.stop();
  assertEquals(push.stats()[0].sent, 25_100);
  const points = server.bodies.flatMap((body) => {
    assert(body.length < 4_100_000, `${body.length}`);
    const points = metricsOf(body).flatMap(({ sum }) => sum.dataPoints);
    assert(points.length <= 10_000);
    return points;
  });
  assertEquals(
    points.map(({ asInt }) => asInt),
    Object.values(stats).map(([value]) => `${value}`),
  );
  assertEquals(server.bodies.length, 4);
});

Deno.test("startPush() stops in time although an OTLP server hangs", async () => {
  let answer = (_: Response) => {};
  await using server = listen(() => new Promise((resolve) => answer = resolve));
  const { clock, push, lines } = start(server.url, () => hostOf({ a: [1] }));
  const stopped = push.stop();
  await until("a request", () => server.bodies.length === 1);
  await clock.pass(2_000);
  const before = performance.now();
  await stopped;
  assert(performance.now() - before < 5_000);
  assertEquals(lines, [`cannot push to ${server.url}: it took too long`]);
  assertEquals(push.stats()[0].dropped, 1);
  assertEquals(clock.sleeps.size, 0);
  answer(Response.json({}));
});

Deno.test("histogramJson() sends at most 160 buckets of a sign", () => {
  const histogram = {
    ...emptyHistogram(),
    sum: -3,
    min: -1024,
    max: 1e9,
    positive: new Map([[-320, 1], [0, 2], [479, 3]]),
    negative: new Map([[159, 4]]),
  };
  const { positive, negative, ...rest } = JSON.parse(
    `{${histogramJson(histogram)}}`,
  );
  // No sum, because it may fall.
  assertEquals(rest, {
    count: "10",
    scale: 1,
    zeroCount: "0",
    min: -1024,
    max: 1e9,
  });
  assertEquals(positive.offset, -40);
  assertEquals(
    positive.bucketCounts.map(Number),
    Array.from(
      { length: 100 },
      (_, i) => i === 0 ? 1 : i === 40 ? 2 : i === 99 ? 3 : 0,
    ),
  );
  assertEquals(negative, { offset: 19, bucketCounts: ["4"] });
  assertEquals(histogram.positive.size, 3);
  assertEquals(
    histogramJson(emptyHistogram()),
    '"count":"0","scale":4,"zeroCount":"0","sum":0',
  );
});

Deno.test("retryAfter() reads seconds and dates", () => {
  for (
    const [header, ms] of [
      [null, undefined],
      ["", undefined],
      ["soon", undefined],
      ["0", 0],
      ["12", 12_000],
      ["99999999999", 3_600_000],
      [new Date(NOW + 5_000).toUTCString(), 5_000],
      [new Date(NOW - 5_000).toUTCString(), 0],
    ] as const
  ) assertEquals(retryAfter(header, NOW), ms, `${header}`);
});
