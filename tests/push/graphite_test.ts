import { assert, assertEquals } from "@std/assert";
import { GAUGE, SHOWN, UNKNOWN } from "../../model/kinds.ts";
import { splitLabels } from "../../model/labels.ts";
import { graphiteSeries } from "../../push/graphite.ts";
import { freePort, output, until } from "../helpers/program.ts";
import {
  graphite,
  hostOf,
  recordedAs,
  someProcesses,
  start,
  T,
  TcpSink,
} from "../helpers/push.ts";

Deno.test("graphiteSeries() makes names and labels fit for Graphite", () => {
  for (
    const [name, expected] of [
      ["http.requests", "w.http.requests"],
      [" a b/c. d ", "w.a-b_c.d"],
      ["a..b.", "w.a._.b._"],
      ["hits{0}*?[x];,'\"|\\()", "w.hits_0____x_________"],
      ["ü.\u00a0x\u0000y", "w.ü.x_y"],
      ['hits{code="200",path="/a b"}', "w.hits;code=200;path=/a-b"],
      ['hits{name="a;b",x="~y~",z=""}', "w.hits;name_=a_b;x=_y~;z=_"],
      ['hits{a="{\\"b\\":1}"}', "w.hits;a={_b_:1}"],
    ]
  ) assertEquals(graphiteSeries("w.", splitLabels(name)), expected);
});

Deno.test("startPush() sends all kinds of stats to Graphite", async () => {
  await using server = new TcpSink();
  const { clock, push, lines } = start(
    [graphite(server.port)],
    () =>
      hostOf({
        requests: [3],
        'hits{code="200"}': [2, GAUGE],
        "load.5 min": [-0.25, UNKNOWN, 1],
        "db.median.ms": [3, SHOWN],
        "db.count.ms": [99, GAUGE],
        big: [1e300, GAUGE],
        // Carbon would hang up on it.
        ["x".repeat(5_000)]: [1],
      }, { recorded: [recordedAs("db.{0}.ms"), recordedAs("plain")] }),
    { prefix: "prod.{host}" },
  );
  await clock.pass(5_000);
  const expected = `prod.web1.requests 3 ${T}
prod.web1.hits;code=200 2 ${T}
prod.web1.load.5-min -0.25 ${T}
prod.web1.db.median.ms 3 ${T}
prod.web1.db.count.ms 99 ${T}
prod.web1.big 1e+300 ${T}
prod.web1.db.sum.ms 7 ${T}
prod.web1.plain.count 4 ${T}
prod.web1.plain.sum 7 ${T}
`;
  await until("the lines", () => server.text.length === expected.length);
  assertEquals(server.text, expected);
  await clock.pass(10_000);
  await until("more", () => push.stats()[0].sent === 18);
  assertEquals(server.connections, 1);
  await push.stop();
  assertEquals(push.stats(), [{
    target: `graphite://127.0.0.1:${server.port}`,
    sent: 27,
    dropped: 3,
    waiting: 0,
    failed: 0,
    lastError: undefined,
  }]);
  assertEquals(lines, []);
  assertEquals(clock.sleeps.size, 0);
});

Deno.test("startPush() sends the newest first when Graphite is back, and counts what it gave up", async () => {
  const port = freePort();
  let n = 0;
  const { clock, push, lines } = start(
    [graphite(port)],
    () => hostOf({ n: [++n], twice: [2 * n] }),
    { maxWaiting: 5, rules: [{ action: "forbid", glob: "x" }] },
  );
  await clock.pass(5_000);
  await until("a failure", () => push.stats()[0].failed === 1);
  // Full jitter, of which the fake gives the half.
  for (const backoff of [500, 1_000, 2_000, 4_000]) {
    const { failed } = push.stats()[0];
    await clock.pass(backoff);
    await until("a failure", () => push.stats()[0].failed > failed);
  }
  await clock.pass(2_500);
  await until("another tick", () => n === 2);
  await clock.pass(5_500);
  await until("a failure", () => push.stats()[0].failed === 6);
  for (const tick of [3, 4]) {
    await clock.pass(tick === 3 ? 4_500 : 10_000);
    await until("another tick", () => n === tick);
  }
  // Three ticks of two points were more than five.
  await until("a drop", () => push.stats()[0].dropped === 4);
  assertEquals(push.stats()[0].waiting, 4);
  await using server = new TcpSink(port);
  await clock.pass(
    [...clock.sleeps].map(({ end }) => end - clock.time).sort(
      (a, b) => a - b,
    )[0],
  );
  await until("the lines", () => server.text.split("\n").length === 5);
  assertEquals(
    server.text,
    [
      `web1.n 4 ${T + 30}`,
      `web1.twice 8 ${T + 30}`,
      `web1.n 3 ${T + 20}`,
      `web1.twice 6 ${T + 20}`,
      "",
    ].join("\n"),
  );
  await push.stop();
  const [{ sent, dropped, waiting, lastError }] = push.stats();
  assertEquals({ sent, dropped, waiting, lastError }, {
    sent: 6,
    dropped: 4,
    waiting: 0,
    lastError: undefined,
  });
  assertEquals(lines.length, 2);
  assert(lines[0].startsWith(`cannot push to graphite://127.0.0.1:${port}: `));
  assertEquals(lines[1], `pushing to graphite://127.0.0.1:${port} again`);
});

/** Whether a client of ours believes to be connected to a port. */
async function hasConnection(port: number): Promise<boolean> {
  const remote = `:${port.toString(16).toUpperCase().padStart(4, "0")}`;
  // Established, or closed by the other side only.
  const open = new RegExp(`${remote} 0[18] `);
  return open.test((await output("cat", "/proc/net/tcp")).stdout);
}

Deno.test("startPush() connects again when Graphite has closed the connection", async () => {
  let server = new TcpSink();
  const { port } = server;
  const { clock, push, lines } = start(
    [graphite(port)],
    () => hostOf({ a: [1] }),
  );
  await clock.pass(5_000);
  await until("a line", () => server.text !== "");
  await server[Symbol.asyncDispose]();
  await until("that it is seen", async () => !await hasConnection(port));
  server = new TcpSink(port);
  await clock.pass(10_000);
  await until("a line", () => server.text !== "");
  assertEquals(server.text, `web1.a 1 ${T + 10}\n`);
  await push.stop();
  await server[Symbol.asyncDispose]();
  // Idle connections may be closed. That is no failure.
  assertEquals(push.stats()[0].sent, 3);
  assertEquals(lines, []);
});

Deno.test("startPush() sends Graphite what processes use, but for what is forbidden", async () => {
  await using server = new TcpSink();
  const options = {
    prefix: "",
    rules: [{ action: "forbid", glob: "process.memory.*" }] as const,
  };
  const { clock, push } = start(
    [graphite(server.port)],
    () => hostOf({ n: [1] }, { processes: someProcesses() }),
    options,
  );
  await clock.pass(5_000);
  const labels = "pid=7;process=my-app;process_instance=web";
  const expected = `n 1 ${T}
statvent.processes;state=ok 0 ${T}
statvent.processes;state=hung 1 ${T}
statvent.processes;state=unknown 0 ${T}
statvent.processes;state=timeout 1 ${T}
statvent.processes;state=invalid 0 ${T}
statvent.processes;state=dead 1 ${T}
statvent.process.up;${labels} 1 ${T}
statvent.process.stalled;${labels} 2.5 ${T}
statvent.process.value_age;${labels} 0 ${T}
process.cpu.time;${labels} 1.25 ${T}
process.thread.count;${labels} 3 ${T}
process.unix.file_descriptor.count;${labels} 4 ${T}
process.uptime;${labels} 60 ${T}
statvent.process.cgroup.memory.usage;${labels} 5000 ${T}
statvent.process.cgroup.memory.limit;${labels} 6000 ${T}
statvent.process.up;pid=8 0 ${T}
`;
  await until("the lines", () => server.text.length === expected.length);
  assertEquals(server.text, expected);
  await push.stop();
});
