import { assert, assertEquals, assertThrows } from "@std/assert";
import { createSocket } from "node:dgram";
import { UsageError } from "../../cli/flags.ts";
import { parsePushFlags } from "../../cli/push_flags.ts";
import type { HostStats } from "../../collect/host_stats.ts";
import { compileGlob } from "../../model/glob.ts";
import { splitLabels } from "../../model/labels.ts";
import { GAUGE, SHOWN, UNKNOWN } from "../../model/kinds.ts";
import { type PushOptions, type PushTarget, startPush } from "../../push.ts";
import { graphiteSeries } from "../../push/graphite.ts";
import { NameCache } from "../../push/name_cache.ts";
import { compileRules, type Rule } from "../../push/rules.ts";
import { statsdSeries } from "../../push/statsd.ts";
import { freePort, hasProgram, output, until } from "../helpers/program.ts";
import {
  FakeClock,
  hostOf,
  NOW,
  python,
  recordedAs,
  TcpSink,
} from "../helpers/push.ts";

const hasPython = await hasProgram("python3", "--version");

if (!hasPython) console.log("skipped: there is no python3");

/** The time of the first push, in seconds. */
const T = NOW / 1000 + 5;

/** Starts a push every 10 s, with all that it logs and a clock. */
function start(
  targets: PushTarget[],
  collect: () => HostStats,
  options: Partial<PushOptions> = {},
) {
  const clock = new FakeClock();
  const lines: string[] = [];
  const push = startPush({
    collect: () => Promise.resolve(collect()),
    targets,
    host: "Web1",
    log: (line) => lines.push(line),
    clock,
    ...options,
  });
  return { clock, lines, push };
}

function graphite(port: number): PushTarget {
  return { protocol: "graphite", host: "127.0.0.1", port };
}

Deno.test("parsePushFlags() takes its flags, in their order, and leaves the others", () => {
  assertEquals(
    parsePushFlags([
      "--port",
      "80",
      "--graphite",
      "carbon",
      "--forbid=*",
      "--graphite=10.0.0.1:99",
      "--allow",
      "web.*",
      "--graphite-pickle",
      "[::1]",
      "--forbid",
      "*.ms",
      "--statsd=[fe80::1%eth0]:1",
      "-h",
      "--prune=jobs",
      "--otlp",
      "http://otel:4318",
      "--otlp=https://otel/api/v1?a=b",
      "--interval=2.5",
      "--prefix=",
      "--",
      "--allow",
    ]),
    {
      push: {
        targets: [
          { protocol: "graphite", host: "carbon", port: 2003 },
          { protocol: "graphite", host: "10.0.0.1", port: 99 },
          { protocol: "graphite-pickle", host: "::1", port: 2004 },
          { protocol: "statsd", host: "fe80::1%eth0", port: 1 },
          { protocol: "otlp", url: "http://otel:4318/v1/metrics" },
          { protocol: "otlp", url: "https://otel/api/v1?a=b" },
        ],
        rules: [
          { action: "forbid", glob: "*" },
          { action: "allow", glob: "web.*" },
          { action: "forbid", glob: "*.ms" },
          { action: "prune", glob: "jobs" },
        ],
        interval: 2.5,
        prefix: "",
      },
      rest: ["--port", "80", "-h", "--", "--allow"],
    },
  );
  assertEquals(parsePushFlags(["--port", "80", "--allowed"]), {
    push: undefined,
    rest: ["--port", "80", "--allowed"],
  });
});

Deno.test("parsePushFlags() says what a flag must be", () => {
  const address = (flag: string, got: string) =>
    `${flag} must be HOST or HOST:PORT, with an IPv6 address in brackets, got "${got}"`;
  const url = (got: string) =>
    `--otlp must be a URL that begins with http:// or https://, without a user and a fragment, got "${got}"`;
  const interval = (got: string) =>
    `--interval must be a number of seconds from 1 to 86400, got "${got}"`;
  const port = (flag: string, got: string) =>
    `the port of ${flag} must be a number from 1 to 65535, got "${got}"`;
  for (
    const [args, message] of [
      ["--graphite", "--graphite needs a value"],
      ["--graphite=", "--graphite needs a value"],
      ["--prefix", "--prefix needs a value"],
      ["--allow --forbid", "--allow needs a value"],
      ["--graphite ::1", address("--graphite", "::1")],
      ["--graphite :2003", address("--graphite", ":2003")],
      ["--graphite [::1", address("--graphite", "[::1")],
      ["--graphite [web]:1", address("--graphite", "[web]:1")],
      ["--statsd udp://a:1", address("--statsd", "udp://a:1")],
      ["--graphite a:b", port("--graphite", "b")],
      ["--graphite a:", port("--graphite", "")],
      ["--graphite-pickle a:0", port("--graphite-pickle", "0")],
      ["--statsd a:65536", port("--statsd", "65536")],
      ["--otlp otel:4318", url("otel:4318")],
      ["--otlp http://", url("http://")],
      ["--otlp http://me:pw@otel", url("http://me:pw@otel")],
      ["--otlp http://otel/#a", url("http://otel/#a")],
      ["--interval 0.5", interval("0.5")],
      ["--interval 1e3", interval("1e3")],
      ["--interval 86401", interval("86401")],
      [
        "--allow a",
        "--allow needs --graphite, --graphite-pickle, --statsd or --otlp",
      ],
    ]
  ) {
    assertThrows(() => parsePushFlags(args.split(" ")), UsageError, message);
    try {
      parsePushFlags(args.split(" "));
    } catch (error) {
      assertEquals((error as Error).message, message);
    }
  }
});

Deno.test("compileGlob() matches what Python's fnmatch matches", {
  ignore: !hasPython,
}, async () => {
  const atoms = ["a", "*", "?", "[ab]", "[!a]", "[]b]", "[!]]", "[", "[a-c.]"];
  atoms.push("[c-a]", "]", "!", ".", "[-a]", "[!", "[\\]", "[^a]");
  const globs = ["", ...atoms];
  for (const a of atoms) {
    for (const b of atoms) {
      globs.push(a + b, `*${a}*${b}`, `${a}*${b}?`);
    }
  }
  const alphabet = ["a", "b", ".", "]", "[", "!", "\\", "^", "😀"];
  const texts = ["", "\n", "abcab", "a.b.c", ...alphabet];
  for (const a of alphabet) {
    for (const b of alphabet) texts.push(a + b, `a${a}b${b}`);
  }
  const expected = await python(
    `import fnmatch, json, sys
globs, texts = json.load(sys.stdin)
print(json.dumps([[int(fnmatch.fnmatchcase(t, g)) for t in texts] for g in globs]))`,
    new TextEncoder().encode(JSON.stringify([globs, texts])),
  );
  const actual = globs.map((glob) => {
    const matches = compileGlob(glob);
    return texts.map((text) => Number(matches(text)));
  });
  assertEquals(actual, expected);
});

Deno.test("compileGlob() takes no time that explodes", () => {
  const matches = compileGlob("*a".repeat(50) + "b");
  assertEquals(matches("a".repeat(10_000)), false);
});

Deno.test("compileRules() lets the newest rule decide, as scales does", () => {
  const names = ["web.hits", "web.ms", "web.db.ms", 'jobs.done{kind="a.b"}'];
  for (
    const [text, expected] of [
      ["", names],
      ["allow web.*", ["web.hits", "web.ms", "web.db.ms"]],
      // What no rule applies to is only left out if something is allowed.
      ["forbid *.ms", ["web.hits", names[3]]],
      ["allow web.*,forbid *.ms", ["web.hits"]],
      ["forbid *.ms,allow web.*", ["web.hits", "web.ms", "web.db.ms"]],
      ["forbid *,allow *.db.*", ["web.db.ms"]],
      ["allow *,forbid web.*,allow web.hits", ["web.hits", names[3]]],
      ["allow *.ms,prune web.db", ["web.ms"]],
      ["prune web.db,allow *", ["web.hits", "web.ms", names[3]]],
      ["prune web", [names[3]]],
      ["prune web.*.ms,prune web.hits", ["web.ms", names[3]]],
      ["prune jobs", ["web.hits", "web.ms", "web.db.ms"]],
      ["allow jobs.done", [names[3]]],
      ['forbid *{*kind="a*', ["web.hits", "web.ms", "web.db.ms"]],
      // A dot in a label is no branch.
      ['prune jobs.done{kind="a', names],
    ] as const
  ) {
    const rules = text === "" ? [] : text.split(",").map((rule) => {
      const [action, glob] = rule.split(" ");
      return { action, glob } as Rule;
    });
    const isPushed = compileRules(rules);
    assertEquals(names.filter((name) => isPushed(name, splitLabels(name))), [
      ...expected,
    ], text);
  }
});

Deno.test("NameCache forgets what it has made when the host has other names", () => {
  const made: string[] = [];
  const cache = new NameCache((name, { family }) => {
    made.push(name, family);
    return name;
  });
  const name = 'a{b="c"}';
  const host = hostOf({ [name]: [1] });
  for (const { table } of [host, host, hostOf({ [name]: [1] })]) {
    assertEquals([cache.get(table, 0), cache.get(table, 0)], [name, name]);
  }
  assertEquals(made, [name, "a", name, "a"]);
});

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

Deno.test("startPush() refuses an interval of less than a second", () => {
  assertThrows(
    () =>
      startPush({ collect: () => Promise.reject(), targets: [], interval: 0 }),
    RangeError,
    "Cannot push: the interval must be from 1 to 86400 seconds, got 0",
  );
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

Deno.test("startPush() lets no slow server delay the others, nor its own end", async () => {
  await using slow = new TcpSink(0, false);
  await using fast = new TcpSink();
  const many = Object.fromEntries(
    Array.from({ length: 200_000 }, (_, i) => [`s.${i}`, [i] as [number]]),
  );
  const host = hostOf(many);
  const { clock, push } = start(
    [graphite(slow.port), graphite(fast.port)],
    () => host,
    { maxWaiting: 300_000 },
  );
  await clock.pass(5_000);
  await until("the fast one", () => push.stats()[1].sent === 200_000);
  await clock.pass(10_000);
  await clock.pass(10_000);
  await until("the fast one", () => push.stats()[1].sent === 600_000);
  const [{ sent, dropped, waiting }] = push.stats();
  assert(waiting <= 300_000, `${waiting} wait`);
  assertEquals(sent + dropped + waiting, 600_000);
  assert(dropped > 100_000, `${dropped} dropped`);
  // What the fake clock gives it are two seconds.
  const stopped = push.stop();
  await until("the fast one", () => push.stats()[1].sent === 800_000);
  await clock.pass(2_000);
  const before = performance.now();
  await stopped;
  assert(performance.now() - before < 5_000);
  const after = push.stats()[0];
  assertEquals(after.waiting, 0);
  assertEquals(after.sent + after.dropped, 800_000);
  assertEquals(clock.sleeps.size, 0);
});

Deno.test("startPush() collects again after a failure, and says so once", async () => {
  await using server = new TcpSink();
  let collected = 0;
  const { clock, push, lines } = start([graphite(server.port)], () => {
    if (++collected <= 2) throw new Error("no pipes");
    return hostOf({ a: [1] });
  });
  await clock.pass(5_000);
  await clock.pass(10_000);
  await clock.pass(10_000);
  await until("a line", () => server.text !== "");
  await push.stop();
  assertEquals(lines, [
    "cannot collect stats to push: no pipes",
    "collecting stats to push again",
  ]);
});

Deno.test("startPush() skips what it missed while it collected", async () => {
  await using server = new TcpSink();
  const clock = new FakeClock();
  let finish = () => {};
  const push = startPush({
    collect: () =>
      new Promise((resolve) => finish = () => resolve(hostOf({ a: [1] }))),
    targets: [graphite(server.port)],
    host: "h",
    clock,
  });
  await clock.pass(5_000);
  await until(
    "a collection",
    () => finish.name !== "" && clock.sleeps.size === 0,
  );
  clock.time += 25_000;
  finish();
  await clock.pass(5_000);
  await until("a line", () => server.text !== "");
  const stopped = push.stop();
  // It hangs once more, but not for longer than it may.
  await clock.pass(2_000);
  await stopped;
  assertEquals(server.text, `h.a 1 ${T}\n`);
  finish();
});

Deno.test("startPush() goes on when the clock is set back", async () => {
  await using server = new TcpSink();
  const { clock, push } = start(
    [graphite(server.port)],
    () => hostOf({ a: [1] }),
  );
  await until("a sleep", () => clock.sleeps.size === 1);
  clock.time += 4_000;
  await clock.pass(1_000);
  await until("a line", () => server.text !== "");
  await until("a sleep", () => clock.sleeps.size === 1);
  [...clock.sleeps][0].wake();
  clock.time -= 3_600_000;
  await until("a sleep", () => clock.sleeps.size === 1);
  await clock.pass(10_000);
  await push.stop();
});

Deno.test("startPush() sends pickles that Python reads", {
  ignore: !hasPython,
}, async () => {
  await using server = new TcpSink();
  // Enough for several pieces.
  const stats = Object.fromEntries(
    Array.from({ length: 3_000 }, (_, i) => [`ü.${i}`, [i / 8] as [number]]),
  );
  const target: PushTarget = {
    protocol: "graphite-pickle",
    host: "127.0.0.1",
    port: server.port,
  };
  for (const time of [NOW, 2 ** 31 * 1000]) {
    server.received.length = 0;
    const { clock, push } = start([target], () => hostOf(stats));
    clock.time = time;
    await push.stop();
    await until("all", () => server.connections === 0);
    const pieces = await python(
      `import json, pickle, struct, sys
data = sys.stdin.buffer.read()
out = []
while data:
    size, = struct.unpack("!L", data[:4])
    assert size <= 2 ** 17
    out.append(pickle.loads(data[4:4 + size]))
    data = data[4 + size:]
print(json.dumps(out))`,
      server.received[0],
    ) as unknown[][];
    assert(pieces.length > 1);
    assertEquals(
      pieces.flat(),
      Array.from({ length: 3_000 }, (_, i) => [
        `web1.ü.${i}`,
        [time / 1000, i / 8],
      ]),
    );
    assertEquals(push.stats()[0].sent, 3_000);
  }
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

Deno.test("startPush() stops at once although a name cannot be found", async () => {
  const { push, lines } = start(
    [{ protocol: "statsd", host: "no-such-host.invalid", port: 8125 }],
    () => hostOf({ a: [1, GAUGE] }),
  );
  await push.stop();
  const [{ sent, dropped, failed }] = push.stats();
  assertEquals({ sent, dropped, failed }, { sent: 0, dropped: 1, failed: 1 });
  assertEquals(lines.length, 1);
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
    failed: 0,
    waiting: 0,
  });
  assertEquals(lines.length, 1);
});
