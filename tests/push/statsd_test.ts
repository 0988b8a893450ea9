import { assert, assertEquals } from "@std/assert";
import { createSocket } from "node:dgram";
import { GAUGE, SHOWN, UNKNOWN } from "../../model/kinds.ts";
import { splitLabels } from "../../model/labels.ts";
import { statsdSeries } from "../../push/statsd.ts";
import { until } from "../helpers/program.ts";
import { hostOf, someProcesses, start } from "../helpers/push.ts";

Deno.test("statsdSeries() makes names and labels fit for StatsD", () => {
  assertEquals(statsdSeries("w.", splitLabels("a:b|c@d#e f.g")), {
    name: "w.a_b_c_d_e-f.g",
    tags: "",
  });
  const name = 'hits{url="http://a/b,c|d",z="\\n#"}';
  assertEquals(statsdSeries("", splitLabels(name)), {
    name: "hits",
    tags: "|#url:http://a/b_c_d,z:__",
  });
});

/** A UDP server that keeps what it is sent. */
class UdpSink implements AsyncDisposable {
  readonly datagrams: string[] = [];
  readonly #socket = createSocket("udp4");

  static async listen(): Promise<UdpSink> {
    const sink = new UdpSink();
    sink.#socket.on("message", (bytes) => sink.datagrams.push(`${bytes}`));
    await new Promise<void>((resolve) =>
      sink.#socket.bind(0, "127.0.0.1", resolve)
    );
    return sink;
  }

  get port(): number {
    return this.#socket.address().port;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await new Promise<void>((resolve) => this.#socket.close(() => resolve()));
  }
}

Deno.test("startPush() sends increases and gauges to StatsD", async () => {
  await using server = await UdpSink.listen();
  let stats: Parameters<typeof hostOf>[0] = {
    requests: [100],
    'hits{code="200"}': [7],
    idle: [5],
    depth: [-2, GAUGE],
    old: [0.5, UNKNOWN, 1],
    "db.median.ms": [3, SHOWN],
  };
  const { clock, push } = start(
    [{ protocol: "statsd", host: "127.0.0.1", port: server.port }],
    () => hostOf(stats),
    { prefix: "p." },
  );
  await clock.pass(5_000);
  await until("the first", () => server.datagrams.length === 1);
  stats = {
    requests: [103],
    'hits{code="200"}': [9],
    idle: [5],
    depth: [4, GAUGE],
    fresh: [6],
  };
  await clock.pass(10_000);
  await until("the second", () => server.datagrams.length === 2);
  stats = { requests: [2], fresh: [6.5] };
  await push.stop();
  await until("the last", () => server.datagrams.length === 3);
  assertEquals(server.datagrams, [
    "p.depth:0|g\np.depth:-2|g\np.old:0.5|g\np.db.median.ms:3|g",
    "p.requests:3|c\np.hits:2|c|#code:200\np.depth:4|g\np.fresh:6|c",
    // It has begun again.
    "p.requests:2|c\np.fresh:0.5|c",
  ]);
  assertEquals(push.stats(), [{
    target: `statsd://127.0.0.1:${server.port}`,
    sent: 9,
    dropped: 0,
    waiting: 0,
    failed: 0,
    lastError: undefined,
  }]);
});

Deno.test("startPush() takes a counter for new that came after StatsD's first push", async () => {
  await using server = await UdpSink.listen();
  let stats: Parameters<typeof hostOf>[0] = {};
  const { clock, push } = start(
    [{ protocol: "statsd", host: "127.0.0.1", port: server.port }],
    () => hostOf(stats),
  );
  await clock.pass(5_000);
  await until("the first", () => clock.sleeps.size === 1);
  stats = { requests: [4] };
  await push.stop();
  await until("the second", () => server.datagrams.length === 1);
  assertEquals(server.datagrams, ["web1.requests:4|c"]);
});

Deno.test("startPush() packs datagrams for StatsD up to 1432 bytes", async () => {
  await using server = await UdpSink.listen();
  const lines = Array.from(
    { length: 300 },
    (_, i) => `web1.${"ü".repeat(10 + i % 40)}.${i}:${i}|g`,
  );
  const stats = Object.fromEntries(
    lines.map((line, i) => [line.slice(5, line.indexOf(":")), [i, GAUGE]]),
  ) as Parameters<typeof hostOf>[0];
  stats["x".repeat(1500)] = [1, GAUGE];
  const { push } = start(
    [{ protocol: "statsd", host: "localhost", port: server.port }],
    () => hostOf(stats),
  );
  await push.stop();
  await until(
    "all",
    () => server.datagrams.join("\n").split("\n").length === lines.length,
  );
  assertEquals(server.datagrams.join("\n").split("\n"), lines);
  const sizes = server.datagrams.map((text) =>
    new TextEncoder().encode(text).length
  );
  assert(sizes.every((size) => size <= 1432));
  assert(sizes.slice(0, -1).every((size) => size > 1300), `${sizes}`);
  const [{ sent, dropped }] = push.stats();
  assertEquals({ sent, dropped }, { sent: 300, dropped: 1 });
});

Deno.test("startPush() gives up what UDP does not take, once for each tick", async () => {
  // Not without being permitted to broadcast.
  const { clock, push, lines } = start(
    [{ protocol: "statsd", host: "255.255.255.255", port: 8125 }],
    () => hostOf({ a: [1, GAUGE], b: [2] }),
  );
  await clock.pass(5_000);
  await until("a drop", () => push.stats()[0].dropped === 1);
  await push.stop();
  const [{ sent, dropped, failed, waiting }] = push.stats();
  assertEquals({ sent, dropped, failed, waiting }, {
    sent: 0,
    dropped: 2,
    failed: 2,
    waiting: 0,
  });
  assertEquals(lines.length, 1);
});

Deno.test("startPush() sends StatsD the processor time of processes as increases", async () => {
  await using server = await UdpSink.listen();
  let processes = someProcesses();
  const { clock, push } = start(
    [{ protocol: "statsd", host: "127.0.0.1", port: server.port }],
    () => hostOf({ n: [1] }, { processes }),
    { prefix: "", rules: [{ action: "allow", glob: "*process.*" }] },
  );
  await clock.pass(5_000);
  await until("the first", () => server.datagrams.length === 1);
  const tags = "#pid:7,process:my app,process_instance:web";
  const lines = server.datagrams[0].split("\n");
  assertEquals(lines.filter((line) => line.startsWith("process.")), [
    `process.memory.usage:1000|g|${tags}`,
    `process.memory.virtual:2000|g|${tags}`,
    `process.thread.count:3|g|${tags}`,
    `process.unix.file_descriptor.count:4|g|${tags}`,
    `process.uptime:60|g|${tags}`,
  ]);
  processes = someProcesses(1.75);
  await clock.pass(10_000);
  await until("the second", () => server.datagrams.length === 2);
  assert(
    server.datagrams[1].includes(`\nprocess.cpu.time:0.5|c|${tags}\n`),
    server.datagrams[1],
  );
  await push.stop();
});
