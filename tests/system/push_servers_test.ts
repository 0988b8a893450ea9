import { assert, assertEquals } from "@std/assert";
import { GAUGE } from "../../model/kinds.ts";
import { type PushTarget, startPush } from "../../push.ts";
import { freePort, hasProgram, until, withDir } from "../helpers/program.ts";
import { hostOf, python, recordedAs } from "../helpers/push.ts";

// Debian's Python has what carbon needs. There may be another one.
const PYTHON = "/usr/bin/python3";

const hasCarbon = await hasProgram("carbon-cache", "--help") &&
  await hasProgram(PYTHON, "-c", "import whisper");

if (!hasCarbon) console.log("skipped: there is no carbon-cache");

const hasVictoria = await hasProgram("victoria-metrics", "--version");

if (!hasVictoria) console.log("skipped: there is no victoria-metrics");

// It runs on Node, and on Deno as well.
const STATSD = "npm:statsd@0.9.0";

const hasStatsd = await hasProgram(
  Deno.execPath(),
  "cache",
  "--no-config",
  "--no-lock",
  STATSD,
);

if (!hasStatsd) console.log(`skipped: cannot install ${STATSD}`);

/** Starts a server, and waits until it listens on a port. */
async function startServer(
  command: string,
  args: string[],
  port: number,
): Promise<AsyncDisposable> {
  const child = new Deno.Command(command, {
    args,
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).spawn();
  const server = {
    [Symbol.asyncDispose]: async () => {
      try {
        child.kill("SIGKILL");
      } catch {
        // It has ended.
      }
      await child.status;
    },
  };
  try {
    await until(`${command} on port ${port}`, async () => {
      try {
        (await Deno.connect({ hostname: "127.0.0.1", port })).close();
        return true;
      } catch {
        return false;
      }
    });
  } catch (error) {
    await server[Symbol.asyncDispose]();
    throw error;
  }
  return server;
}

/** What it takes to start carbon, as often as needed. */
async function carbonIn(dir: string) {
  const [line, pickle, query] = [freePort(), freePort(), freePort()];
  await Deno.writeTextFile(
    `${dir}/carbon.conf`,
    `[cache]
STORAGE_DIR = ${dir}
CONF_DIR = ${dir}
LOG_DIR = ${dir}
PID_DIR = ${dir}
LOCAL_DATA_DIR = ${dir}/whisper
LINE_RECEIVER_INTERFACE = 127.0.0.1
LINE_RECEIVER_PORT = ${line}
PICKLE_RECEIVER_INTERFACE = 127.0.0.1
PICKLE_RECEIVER_PORT = ${pickle}
CACHE_QUERY_INTERFACE = 127.0.0.1
CACHE_QUERY_PORT = ${query}
GRAPHITE_URL = http://127.0.0.1:${freePort()}
ENABLE_LOGROTATION = False
MAX_CREATES_PER_MINUTE = inf
MAX_UPDATES_PER_SECOND = inf
CARBON_METRIC_INTERVAL = 0
`,
  );
  await Deno.writeTextFile(
    `${dir}/storage-schemas.conf`,
    "[all]\npattern = .*\nretentions = 1s:2m\n",
  );
  return {
    line,
    pickle,
    start: () =>
      startServer("carbon-cache", [
        `--config=${dir}/carbon.conf`,
        "--nodaemon",
        "start",
      ], line),
    /** The values that are stored of each series, by time. */
    read: (series: string[]) =>
      python(
        `import hashlib, json, os, sys, time
import whisper
out = {}
for name in json.load(sys.stdin):
    path = name.replace(".", "/")
    if ";" in name:
        digest = hashlib.sha256(name.encode()).hexdigest()
        path = "/".join(["_tagged", digest[:3], digest[3:6], digest])
    path = "${dir}/whisper/" + path + ".wsp"
    if os.path.exists(path):
        (start, _, step), values = whisper.fetch(path, int(time.time()) - 100)
        out[name] = {start + i * step: v for i, v in enumerate(values) if v is not None}
print(json.dumps(out))`,
        new TextEncoder().encode(JSON.stringify(series)),
        PYTHON,
      ) as Promise<Record<string, Record<string, number>>>,
  };
}

const stats: Parameters<typeof hostOf>[0] = {
  requests: [3],
  "load.5 min": [-0.25, GAUGE, 1],
  'hits{code="200",path="/ü b",name="x"}': [2],
  'odd{json="{\\"a\\":1}",home="~me",empty=""}': [4],
};

/** How Graphite has these, and the count and the sum of `db.{0}.ms`. */
const stored = {
  "web1.requests": 3,
  "web1.load.5-min": -0.25,
  "web1.hits;code=200;name_=x;path=/ü-b": 2,
  "web1.odd;empty=_;home=_me;json={_a_:1}": 4,
  "web1.db.count.ms": 4,
  "web1.db.sum.ms": 7,
};

const host = hostOf(stats, { recorded: [recordedAs("db.{0}.ms")] });

/** Pushes once. */
async function pushTo(...targets: PushTarget[]): Promise<void> {
  let isFirst = true;
  const push = startPush({
    collect: () => {
      if (!isFirst) return Promise.reject(new Error("once is enough"));
      isFirst = false;
      return Promise.resolve(host);
    },
    targets,
    host: "web1",
    interval: 1,
  });
  // The last push may take two seconds, which a loaded machine may not have.
  await until(
    "all points",
    () => push.stats().every(({ waiting, sent }) => waiting === 0 && sent > 0),
  );
  await push.stop();
  for (const { sent, dropped } of push.stats()) {
    assertEquals({ sent, dropped }, { sent: 6, dropped: 0 });
  }
}

for (const protocol of ["graphite", "graphite-pickle"] as const) {
  Deno.test(`startPush() fills carbon by ${protocol}`, {
    ignore: !hasCarbon,
  }, async () => {
    await withDir(async (dir) => {
      const carbon = await carbonIn(dir);
      await using _ = await carbon.start();
      const port = protocol === "graphite" ? carbon.line : carbon.pickle;
      const before = Math.floor(Date.now() / 1000);
      await pushTo({ protocol, host: "localhost", port });
      const after = Date.now() / 1000;
      const names = Object.keys(stored);
      const values = await until("all series", async () => {
        const values = await carbon.read(names);
        return Object.keys(values).length === names.length && values;
      });
      const [[time]] = Object.values(values).map(Object.keys);
      assert(Number(time) >= before && Number(time) <= after);
      assertEquals(
        values,
        Object.fromEntries(
          Object.entries(stored).map(([name, value]) => [
            name,
            { [time]: value },
          ]),
        ),
      );
    });
  });
}

Deno.test("startPush() gives carbon what it missed", {
  ignore: !hasCarbon,
}, async () => {
  await withDir(async (dir) => {
    const carbon = await carbonIn(dir);
    const times: number[] = [];
    const push = startPush({
      collect: () => {
        times.push(Math.floor(Date.now() / 1000));
        return Promise.resolve(hostOf({ n: [times.length] }));
      },
      targets: [{ protocol: "graphite", host: "127.0.0.1", port: carbon.line }],
      host: "web1",
      interval: 1,
    });
    try {
      await until("two that it missed", () => push.stats()[0].waiting >= 2);
      await using _ = await carbon.start();
      await until(
        "that it has them",
        () => push.stats()[0].sent >= 3 && push.stats()[0].waiting === 0,
      );
      const values = await until("all points", async () => {
        const values = (await carbon.read(["web1.n"]))["web1.n"] ?? {};
        return Object.keys(values).length >= 3 && values;
      });
      const seen = Object.entries(values);
      assertEquals(
        seen,
        times.slice(0, seen.length).map((time, i) => [`${time}`, i + 1]),
      );
    } finally {
      await push.stop();
    }
  });
});

Deno.test("startPush() fills VictoriaMetrics by graphite", {
  ignore: !hasVictoria,
}, async () => {
  await withDir(async (dir) => {
    const [http, line] = [freePort(), freePort()];
    await using _ = await startServer("victoria-metrics", [
      `-storageDataPath=${dir}`,
      `-httpListenAddr=127.0.0.1:${http}`,
      `-graphiteListenAddr=127.0.0.1:${line}`,
    ], http);
    await pushTo({ protocol: "graphite", host: "127.0.0.1", port: line });
    const url = `http://127.0.0.1:${http}`;
    const query = new URLSearchParams({ "match[]": '{__name__=~"web1.*"}' });
    const lines = await until("all series", async () => {
      await (await fetch(`${url}/internal/force_flush`)).text();
      const response = await fetch(`${url}/api/v1/export?${query}`);
      const lines = (await response.text()).trim().split("\n");
      return lines.length === 6 && lines;
    });
    assertEquals(
      Object.fromEntries(
        lines.map((line) => {
          const { metric: { __name__, ...tags }, values } = JSON.parse(line);
          const labels = Object.keys(tags).sort().map((key) =>
            `;${key}=${tags[key]}`
          );
          return [`${__name__}${labels.join("")}`, values];
        }),
      ),
      Object.fromEntries(
        Object.entries(stored).map(([name, value]) => [name, [value]]),
      ),
    );
  });
});

/** What the management port of StatsD answers. */
async function ask(port: number, question: string): Promise<string> {
  using connection = await Deno.connect({ hostname: "127.0.0.1", port });
  await connection.write(new TextEncoder().encode(question));
  let answer = "";
  const buffer = new Uint8Array(4096);
  while (!answer.includes("END")) {
    const count = await connection.read(buffer);
    if (count === null) break;
    answer += new TextDecoder().decode(buffer.subarray(0, count));
  }
  return answer.replace(/\s*END\s*$/, "");
}

Deno.test("startPush() fills StatsD", { ignore: !hasStatsd }, async () => {
  await withDir(async (dir) => {
    const [port, management] = [freePort(), freePort()];
    await Deno.writeTextFile(
      `${dir}/config.js`,
      `{ address: "127.0.0.1", port: ${port}, mgmt_address: "127.0.0.1",
         mgmt_port: ${management}, flushInterval: 1e6, backends: [] }`,
    );
    await using _ = await startServer(Deno.execPath(), [
      "run",
      "--quiet",
      "--allow-all",
      "--no-config",
      "--no-lock",
      `${STATSD}/stats.js`,
      `${dir}/config.js`,
    ], management);
    let n = 0;
    const push = startPush({
      collect: () =>
        Promise.resolve(hostOf({
          requests: [100 + ++n],
          'hits{code="200"}': [2 * n],
          depth: [-3, GAUGE],
          'size{of="a"}': [1e-7, GAUGE, 1],
          idle: [5],
        })),
      targets: [{ protocol: "statsd", host: "127.0.0.1", port }],
      host: "web1",
      interval: 1,
    });
    await until("the first", () => push.stats()[0].sent >= 2);
    await push.stop();
    const grown = n - 1;
    const gauges = "{ 'web1.depth': -3, 'web1.size;of=a': 1e-7 }";
    await until(
      "the last",
      async () =>
        (await ask(management, "counters")).includes(
          `'web1.requests': ${grown},\n  'web1.hits;code=200': ${2 * grown}\n}`,
        ),
    );
    assertEquals(await ask(management, "gauges"), gauges);
    assert((await ask(management, "counters")).includes("bad_lines_seen': 0"));
  });
});
