import { assert, assertEquals } from "@std/assert";
import type { HostStats } from "../../collect/host_stats.ts";
import { PrometheusExposition } from "../../prometheus/exposition.ts";
import { SMALL, write } from "../helpers/exposition.ts";
import {
  COUNTER,
  GAUGE,
  makeHost,
  recordedOf,
  withoutHistogram,
} from "../helpers/host.ts";
import { freePort, output, until, withDir } from "../helpers/program.ts";

const { code } = await output("sh", "-c", "command -v prometheus");

const missing = code !== 0;

if (missing) console.log("skipped: there is no prometheus");

/** What each job sends in place of the header that Prometheus has sent. */
const JOBS: Record<string, (accept: string | null) => string | null> = {
  text: () => null,
  // As a Prometheus without native histograms asks.
  openmetrics: (accept) => accept!.replace(/^[^,]*protobuf[^,]*,/, ""),
  protobuf: (accept) => accept,
};

/** After so many scrapes of each job the stats stay as they are. */
const SCRAPES = 8;

/** Values from 1 to 1024, of which the logarithms are spread evenly. */
const VALUES = Array.from({ length: 1001 }, (_, i) => 2 ** (i / 100));

/** A host as it is at a scrape. */
function hostAt(scrape: number): HostStats {
  const n = Math.min(scrape, SCRAPES);
  return makeHost({
    stats: [
      ['http.requests{method="GET"}', COUNTER, 10 * n],
      ['http.requests{method="POST",path="a\\"\\\\\\n"}', COUNTER, n],
      ["queue.length", GAUGE, 5 - n],
    ],
    recorded: [
      recordedOf("db.{0}", VALUES.slice(0, Math.ceil(n / SCRAPES * 1001))),
    ],
    descriptions: { "db.{0}": { unit: "seconds", help: "Time" } },
    processes: ["ok", "ok", "timeout"],
  });
}

/** The values that a query gives, by the labels that it is asked to show. */
async function query(
  url: string,
  text: string,
): Promise<Record<string, number>> {
  const response = await fetch(
    `${url}/api/v1/query?query=${encodeURIComponent(text)}`,
  );
  const { status, data, error } = await response.json();
  if (status !== "success") throw new Error(`${text}: ${error}`);
  return Object.fromEntries(
    data.result.map((
      { metric: { job, ...rest }, value }: {
        metric: Record<string, string>;
        value: [number, string];
      },
    ) => {
      const labels = Object.entries(rest)
        .filter(([name]) => name !== "__name__" && name !== "instance")
        .map(([, value]) => ` ${value}`);
      return [`${job}${labels.join("")}`, Number(value[1])];
    }),
  );
}

Deno.test({
  name: "Prometheus scrapes all forms and computes what was recorded",
  ignore: missing,
  async fn() {
    await withDir(async (dir) => {
      const scrapes: Record<string, number> = {};
      const types = new Map<string, string>();
      const expositions = new Map(
        Object.keys(JOBS).map((job) => [job, new PrometheusExposition()]),
      );
      await using server = Deno.serve(
        { hostname: "127.0.0.1", port: 0, onListen: () => {} },
        (request) => {
          const job = new URL(request.url).pathname.slice(1);
          const n = scrapes[job] = (scrapes[job] ?? 0) + 1;
          const { contentType, body } = expositions.get(job)!.respond(
            hostAt(n),
            JOBS[job](request.headers.get("accept")),
            [],
          );
          types.set(job, contentType.split(";")[0]);
          return new Response(body, {
            headers: { "content-type": contentType },
          });
        },
      );
      const target = `127.0.0.1:${server.addr.port}`;
      await Deno.writeTextFile(
        `${dir}/prometheus.yml`,
        [
          "global: { scrape_interval: 250ms, scrape_timeout: 250ms }",
          "scrape_configs:",
          ...Object.keys(JOBS).map((job) =>
            `- { job_name: ${job}, metrics_path: /${job}, static_configs: [{ targets: ["${target}"] }] }`
          ),
          "",
        ].join("\n"),
      );
      const url = `http://127.0.0.1:${freePort()}`;
      const prometheus = new Deno.Command("prometheus", {
        args: [
          `--config.file=${dir}/prometheus.yml`,
          `--storage.tsdb.path=${dir}/data`,
          `--web.listen-address=${url.slice("http://".length)}`,
          "--enable-feature=native-histograms",
        ],
        stdin: "null",
        stdout: "null",
        stderr: "piped",
      }).spawn();
      const log = new Response(prometheus.stderr).text();
      try {
        await check(url, scrapes);
        assertEquals(Object.fromEntries(types), {
          text: "text/plain",
          openmetrics: "application/openmetrics-text",
          protobuf: "application/vnd.google.protobuf",
        });
      } finally {
        prometheus.kill("SIGTERM");
        await prometheus.status;
      }
      assertEquals(
        (await log).split("\n").filter((line) =>
          /level=(warn|error)/i.test(line) && !line.includes("SIGTERM")
        ),
        [],
      );
    });
  },
});

async function check(
  url: string,
  scrapes: Readonly<Record<string, number>>,
): Promise<void> {
  const each = (value: number) => ({
    text: value,
    openmetrics: value,
    protobuf: value,
  });
  const sorted = (values: Record<string, number>) =>
    Object.fromEntries(Object.entries(values).sort());
  const expect = async (text: string, values: Record<string, number>) =>
    assertEquals(sorted(await query(url, text)), sorted(values), text);
  await until(
    "the scrapes",
    () => Object.keys(JOBS).every((job) => scrapes[job] > SCRAPES + 1),
  );
  await until("the last values", async () => {
    const values = await query(url, 'http_requests_total{method="GET"}')
      .catch(() => ({}));
    return Object.values(values).filter((n) => n === 10 * SCRAPES).length === 3;
  });

  await until(
    "up",
    async () => Object.values(await query(url, "up")).join() === "1,1,1",
  );
  await expect(
    'sum without (method, path) (http_requests_total{path="a\\"\\\\\\n"})',
    each(SCRAPES),
  );
  await expect("queue_length", each(5 - SCRAPES));
  const rates = await query(
    url,
    'rate(http_requests_total{method="GET"}[10s])',
  );
  assertEquals(Object.values(rates).filter((rate) => rate > 0).length, 3);
  await expect('sum by (job) (statvent_processes{state="ok"})', each(2));
  await expect("sum by (job) (statvent_processes)", each(3));
  await expect("count by (job) (statvent_processes)", each(6));
  await expect("db_seconds_count", each(1001));
  const sum = VALUES.reduce((a, b) => a + b);
  for (const got of Object.values(await query(url, "db_seconds_sum"))) {
    assert(Math.abs(got / sum - 1) < 1e-9);
  }
  // The window has all values: at 0.5 the one at index floor(1001 / 2) - 1.
  await expect('sum by (job) (db_seconds{quantile="0.5"})', each(VALUES[499]));
  await expect("count by (job) (db_seconds)", each(4));

  const quantile = async (q: number, metric: string) =>
    sorted(await query(url, `histogram_quantile(${q}, ${metric})`));
  for (const q of [0.1, 0.5, 0.9, 0.99]) {
    const real = 2 ** (10 * q);
    const within = (values: Record<string, number>, part: number) =>
      Object.entries(values).map(([job, got]) => {
        assert(Math.abs(got / real - 1) < part, `${job} ${q}: ${got}, ${real}`);
        return job;
      });
    assertEquals(
      within(await quantile(q, "db_seconds_histogram_bucket"), 0.1),
      ["openmetrics", "text"],
    );
    assertEquals(
      within(await quantile(q, "db_seconds_histogram"), 0.045),
      ["protobuf"],
    );
  }
  assertEquals(
    await query(url, "histogram_count(db_seconds_histogram)"),
    { protobuf: 1001 },
  );
}

const hasPromtool =
  (await output("sh", "-c", "command -v promtool")).code === 0;
if (!hasPromtool) console.log("skipped: there is no promtool");

Deno.test({
  name:
    "promtool finds nothing in an answer but that a histogram is called one",
  ignore: !hasPromtool,
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
