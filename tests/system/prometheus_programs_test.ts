/**
 * What a real Prometheus computes of real programs that end in every way while it
 * scrapes them, by the queries of the page.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import {
  freePort,
  output,
  type Program,
  ROOT,
  startProgram,
  until,
  withDir,
} from "../helpers/program.ts";
import { Service } from "../helpers/service.ts";

const { code } = await output("sh", "-c", "command -v prometheus");
if (code !== 0) console.log("skipped: there is no prometheus");

/** The jobs, each with the parameter that it asks with. */
const JOBS = { host: "", name: "name", process: "process" };

/** One series of an answer: its labels, and its values by their times. */
interface Found {
  readonly metric: Readonly<Record<string, string>>;
  readonly values: readonly (readonly [time: number, value: string])[];
}

/** A Prometheus that scrapes a service. */
class Prometheus implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #url = `http://127.0.0.1:${freePort()}`;

  private constructor(file: string, dir: string, flags: readonly string[]) {
    this.#child = new Deno.Command("prometheus", {
      args: [
        `--config.file=${file}`,
        `--storage.tsdb.path=${dir}`,
        `--web.listen-address=${this.#url.slice("http://".length)}`,
        ...flags,
      ],
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).spawn();
  }

  static async start(
    dir: string,
    name: string,
    port: number,
    flags: readonly string[] = [],
  ): Promise<Prometheus> {
    const file = `${dir}/${name}.yml`;
    await Deno.writeTextFile(
      file,
      [
        "global: { scrape_interval: 500ms, scrape_timeout: 500ms }",
        "scrape_configs:",
        ...Object.entries(JOBS).map(([job, by]) =>
          `- { job_name: ${job}, ${
            by && `params: { by: [${by}] }, `
          }static_configs: [{ targets: ["127.0.0.1:${port}"] }] }`
        ),
        "",
      ].join("\n"),
    );
    return new Prometheus(file, `${dir}/${name}`, flags);
  }

  async #ask(path: string): Promise<Record<string, unknown>[]> {
    const response = await fetch(`${this.#url}/api/v1/${path}`);
    const { status, data, error } = await response.json();
    if (status !== "success") throw new Error(`${path}: ${error}`);
    return data.result;
  }

  /** The values of a query, by their labels. */
  async values(text: string): Promise<Map<string, number>> {
    const found = await this.#ask(
      `query?query=${encodeURIComponent(text)}`,
    ) as unknown as { metric: Found["metric"]; value: [number, string] }[];
    return new Map(found.map(({ metric, value }) => [
      Object.values(metric).join(" "),
      Number(value[1]),
    ]));
  }

  /** The values of a query from one time to another, by each job. */
  async history(
    text: string,
    start: number,
    end: number,
  ): Promise<Map<string, number[]>> {
    const found = await this.#ask(
      `query_range?query=${
        encodeURIComponent(text)
      }&start=${start}&end=${end}&step=0.25`,
    ) as unknown as Found[];
    return new Map(found.map(({ metric, values }) => [
      metric.job,
      values.map(([, value]) => Number(value)),
    ]));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#child.status;
  }
}

/** A program that counts and records as long as it lives. */
const start = (dir: string, name: string): Promise<Program> =>
  startProgram(
    `config.processName = ${JSON.stringify(name)};
     const seconds = distribution("http.{0}.seconds", { buckets: [0.1, 0.25, 0.5] });
     await startRecorder(); console.log("live");
     setInterval(() => {
       incr("http.requests", 3);
       for (let i = 10; i <= 1000; i += 10) record("db.{0}.ms", i);
       for (let i = 0; i < 10; i++) seconds.record(i < 9 ? 0.07 : 0.4);
     }, 20);`,
    { dir },
  );

/** The queries of the page, by the word behind \`promql\`. */
async function queries(word: string): Promise<string[]> {
  const page = await Deno.readTextFile(new URL("docs/prometheus.md", ROOT));
  const blocks = [...page.matchAll(/^```promql *(\w*)\n([^]*?)^```/gm)];
  const found = blocks.filter(([, own]) => own === word)
    .flatMap(([, , text]) => text.trim().split("\n"));
  assert(found.length > 0, word);
  return found;
}

Deno.test({
  name:
    "Prometheus sees no sum over programs fall while they end and are killed, and the page's queries say what it says",
  ignore: code !== 0,
  async fn() {
    await withDir(async (dir) => {
      await using service = new Service(dir);
      const port = await service.port();
      await using classic = await Prometheus.start(dir, "classic", port);
      await using native = await Prometheus.start(dir, "native", port, [
        "--enable-feature=native-histograms",
      ]);
      const total = (job: string) =>
        classic.values(`sum(http_requests_total{job="${job}"})`)
          .then((values) => values.get("") ?? 0, () => 0);
      const grows = async (job = "process") => {
        const before = await total(job);
        await until("scrapes", async () => await total(job) > before + 100);
      };
      const begin = Date.now() / 1000;
      const programs = await Promise.all(
        ["api", "api", "job", "job"].map((name) => start(dir, name)),
      );
      try {
        await grows();
        programs[0].kill("SIGTERM");
        await grows();
        programs[2].kill("SIGKILL");
        await grows();
        programs.push(await start(dir, "api"));
        programs[1].kill("SIGKILL");
        await grows();
        await checkQueries(classic, native);
        for (const program of programs.slice(3)) program.kill("SIGTERM");
        await Promise.all(programs.map((program) => program.ended()));
        const names = ["http_requests_total", "db_ms_histogram_count"];
        await until("the same sums", async () => {
          const sums = await Promise.all(
            names.map((name) => classic.values(`sum by (job) (${name})`)),
          );
          const counts = await classic.values("count(http_requests_total)");
          return counts.get("") === 3 &&
            sums.every((all) => new Set(all.values()).size === 1);
        });
        const end = Date.now() / 1000;
        for (const name of names) {
          const all = await classic.history(
            `sum by (job) (${name})`,
            begin,
            end,
          );
          assertEquals([...all.keys()].sort(), Object.keys(JOBS).sort());
          for (const [job, values] of all) {
            const fallen = values.findIndex((n, i) => n < values[i - 1]);
            assertEquals(fallen, -1, `${name} ${job}: ${values}`);
          }
        }
      } finally {
        for (const program of programs) await program[Symbol.asyncDispose]();
      }
    });
  },
});

async function checkQueries(
  classic: Prometheus,
  native: Prometheus,
): Promise<void> {
  const one = async (
    server: Prometheus,
    text: string,
  ) => [...(await server.values(text)).values()];
  const within = (values: number[], least: number, most: number) =>
    assert(
      values.length === 1 && values[0] >= least && values[0] <= most,
      `${values}, not ${least} to ${most}`,
    );
  const of = {
    classic: await queries("classic"),
    native: await queries("native"),
  };
  for (const [kind, server] of Object.entries({ classic, native })) {
    const [quantile, share, mean] = of[kind as keyof typeof of];
    // Between powers of two, or within a bucket and what was read in part.
    const exact = kind === "native";
    within(
      await one(server, quantile),
      exact ? 900 : 512,
      exact ? 1000 : 1024,
    );
    within(await one(server, share), 0.88, 0.92);
    within(await one(server, mean), 480, 530);
    const others = of[kind === "native" ? "classic" : "native"];
    for (const query of others) {
      assertEquals(await one(server, query), [], `${kind}: ${query}`);
    }
  }
  const [sum] = await one(classic, (await queries(""))[0]);
  assert(sum > 0);
  const [totals, rates] = await queries("by");
  assert((await one(classic, totals))[0] > 0);
  const byProgram = await classic.values(rates);
  assertEquals([...byProgram.keys()].filter(Boolean).sort(), ["api", "job"]);
  for (const rate of byProgram.values()) assert(rate > 0);
  const labels = await classic.values(
    'group by (process) (http_requests_total{job="process"})',
  );
  assertEquals([...labels.keys()].sort(), ["api", "ended", "job"]);
}
