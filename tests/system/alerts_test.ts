/**
 * Each alert of ops/alerts.yaml fires in a real Prometheus, for what it is about
 * and for nothing else, and the queries of ops/dashboard.json find something there.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import {
  freePort,
  LIVE,
  namesIn,
  output,
  ROOT,
  startProgram,
  stop,
  until,
  withDir,
} from "../helpers/program.ts";
import { Service } from "../helpers/service.ts";

const missing = (await output("sh", "-c", "command -v prometheus")).code !== 0;

if (missing) console.log("skipped: there is no prometheus");

/** What the system does not tell everywhere: a cgroup may have no limit, or not be seen. */
const NOT_EVERYWHERE = ["statvent_process_cgroup_"];

const readOps = (name: string) =>
  Deno.readTextFileSync(new URL(`ops/${name}`, ROOT));

/** An alert that fires, as `name process metric target reason`, without what it lacks. */
type Firing = string;

/** A Prometheus that scrapes one service. */
class Prometheus implements AsyncDisposable {
  readonly url = `http://127.0.0.1:${freePort()}`;
  readonly #child: Deno.ChildProcess;

  constructor(dir: string, port: number) {
    Deno.writeTextFileSync(
      `${dir}/alerts.yaml`,
      readOps("alerts.yaml").replaceAll(/^( *for:) .*$/gm, "$1 1s"),
    );
    Deno.writeTextFileSync(
      `${dir}/prometheus.yml`,
      readOps("prometheus.yml").replaceAll("15s", "500ms")
        .replace("127.0.0.1:7828", `127.0.0.1:${port}`),
    );
    this.#child = new Deno.Command("prometheus", {
      args: [
        `--config.file=${dir}/prometheus.yml`,
        `--storage.tsdb.path=${dir}/data`,
        `--web.listen-address=${this.url.slice("http://".length)}`,
      ],
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).spawn();
  }

  async #ask(path: string) {
    const response = await fetch(`${this.url}/api/v1/${path}`);
    const { status, data, error } = await response.json();
    if (status !== "success") throw new Error(`${path}: ${error}`);
    return data;
  }

  /** How many samples a query has. */
  async samples(query: string): Promise<number> {
    const { result } = await this.#ask(
      `query?query=${encodeURIComponent(query)}`,
    );
    return result.length;
  }

  /** The alerts that fire, sorted. */
  async firing(): Promise<Firing[]> {
    const { alerts } = await this.#ask("alerts").catch(() => ({ alerts: [] }));
    return (alerts as { state: string; labels: Record<string, string> }[])
      .filter(({ state }) => state === "firing")
      .map(({ labels: { alertname, process, metric, target, reason } }) =>
        [alertname, process, metric, target, reason]
          .filter((label) => label !== undefined).join(" ")
      ).sort();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill("SIGTERM");
    await this.#child.status;
  }
}

/** The queries of the dashboard, with values for its variables. */
function queries(): string[] {
  const { panels } = JSON.parse(readOps("dashboard.json")) as {
    panels: { targets: { expr: string }[] }[];
  };
  return panels.flatMap(({ targets }) => targets).map(({ expr }) =>
    expr.replaceAll("$job", "statvent")
      .replaceAll(/\$(instance|process)\b/g, ".*")
      .replaceAll(/\$__(rate_interval|range)\b/g, "10s")
  );
}

Deno.test({
  name:
    "each alert fires for its cause in a real Prometheus and names the right program, and the dashboard's queries find something",
  ignore: missing,
  fn: () =>
    withDir(async (dir) => {
      const pipes = `${dir}/pipes`;
      await Deno.mkdir(pipes);
      const start = (name: string, text: string) =>
        startProgram(`config.processName = "${name}"; ${text}`, { dir: pipes });
      const idle = `incr("n"); await startRecorder(); ${LIVE}`;
      await using _healthy = await start("healthy", idle);
      await using stopped = await start("stopped", idle);
      await using killed = await start("killed", idle);
      await using _overflows = await start(
        "overflows",
        `config.maxSeries = 2; let i = 0; await startRecorder();
         setInterval(() => incr("paths", 1, { path: i++ }), 50);`,
      );
      await using hangs = await start(
        "hangs",
        `incr("n"); await startRecorder(); console.log("live");
         Deno.addSignalListener("SIGUSR1", () => { for (;;); }); ${LIVE}`,
      );
      // Nobody listens there.
      const away = `127.0.0.1:${freePort()}`;
      const service = new Service(pipes, [
        ...["--graphite", away, "--interval", "1"],
      ]);
      await using _service = service;
      await until("the pipes", () =>
        namesIn(pipes).filter((name) =>
          name.endsWith(".stats")
        ).length === 5);
      await using prometheus = new Prometheus(dir, await service.port());
      /** Waits until these alerts fire and no others, but for those that are let go. */
      const fires = async (expected: Firing[], pass = /^$/) => {
        let last: Firing[] = [];
        await until("alerts", async () => {
          last = (await prometheus.firing()).filter((each) => !pass.test(each));
          return last.join() === [...expected].sort().join();
        }).catch(() => assertEquals(last, [...expected].sort()));
      };
      await until("five programs", async () =>
        await prometheus.samples("statvent_process_up == 1").catch(() =>
          0
        ) ===
          5);
      const always = [
        "StatventNameOverflows paths",
        `StatventPushBehind graphite://${away}`,
      ];
      await fires(always);

      hangs.kill("SIGUSR1");
      await stop(stopped);
      // An increase takes two samples before.
      await until("samples before", async () =>
        await prometheus.samples(
          "count_over_time(statvent_killed_processes_total[1m]) > 2",
        ) === 1);
      killed.kill("SIGKILL");
      // Nothing fires for a program that is well.
      await fires([
        ...always,
        "StatventAnswerIncomplete stopped no values",
        "StatventProgramHangs hangs",
        "StatventProgramKilled killed",
      ]);

      for (const query of queries()) {
        if (
          NOT_EVERYWHERE.some((name) =>
            query.includes(name)
          )
        ) {
          await prometheus.samples(query);
        } else {
          await until(query, async () => await prometheus.samples(query) > 0);
        }
      }
      assert(queries().length > 15);

      await service[Symbol.asyncDispose]();
      // What was seen in the last minutes may fire a while longer.
      await fires(["StatventServiceDown"], /^(?!StatventServiceDown)/);
    }),
});
