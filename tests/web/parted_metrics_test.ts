/**
 * What Prometheus is answered of each process, each of which is a real one that
 * ends in its own way.
 *
 * @module
 */

import { assert, assertEquals, assertThrows } from "@std/assert";
import type { Handler } from "../../runtime/command_line.ts";
import { createHandler } from "../../web.ts";
import { parseMetricsQuery, QueryError } from "../../web/query.ts";
import { checkExposition } from "../helpers/exposition_checker.ts";
import { accept } from "../helpers/host.ts";
import {
  killShell,
  type Program,
  startProgram,
  startShell,
  until,
  withDir,
} from "../helpers/program.ts";
import { decodeFamilies } from "../helpers/prometheus_proto.ts";

/** The value of each series: of a histogram the number of values. */
type Series = { labels: Record<string, string>; value: number }[];

const FORMATS = ["text", "openmetrics", "protobuf"] as const;

/** The series of a counter or histogram in an answer. */
async function seriesOf(
  handler: Handler,
  query: string,
  format: typeof FORMATS[number],
  name: string,
): Promise<Series> {
  const response = await handler(
    new Request(`http://localhost/metrics${query}`, {
      headers: { accept: accept(format) },
    }),
  );
  assertEquals(response.status, 200);
  if (format !== "protobuf") {
    const families = checkExposition(
      await response.text(),
      format === "openmetrics",
    );
    return families.flatMap(({ samples }) => samples)
      .filter((sample) =>
        [`${name}_total`, `${name}_count`, name].includes(sample.name)
      )
      .map(({ labels, value }) => ({ labels: { ...labels }, value }));
  }
  const families = decodeFamilies(
    new Uint8Array(await response.arrayBuffer()),
  );
  return families.filter((family) =>
    [`${name}_total`, name].includes(family.name)
  ).flatMap(({ metric = [] }) =>
    metric.map(({ label = [], counter, gauge, histogram }) => ({
      labels: Object.fromEntries(label.map(({ name, value }) => [name, value])),
      value: counter?.value ?? gauge?.value ?? histogram!.sampleCount,
    }))
  );
}

const sumOf = (series: Series) =>
  series.reduce((sum, { value }) => sum + value, 0);

const start = (dir: string, name: string, n: number): Promise<Program> =>
  startProgram(
    `config.processName = ${JSON.stringify(name)};
     incr("n", ${n}); incr("l", ${n}, { process: "x", pid: 3 });
     set("g", ${n});
     for (let i = 0; i < ${n}; i++) record("db.{0}.ms", i);
     await startRecorder(); console.log("live"); setInterval(() => {}, 1e6);`,
    { dir },
  );

Deno.test("what each process counts has its own labels, and the sum over processes is that of the host while they end", () =>
  withDir(async (dir) => {
    const programs = await Promise.all([
      start(dir, "api", 5),
      start(dir, "api", 7),
      start(dir, "job", 11),
    ]);
    const [first, second, job] = programs;
    const simple = startShell(
      'mkfifo $0/$$.stats; while :; do echo "n: 1" > $0/$$.stats; sleep 0.02; done',
      dir,
    );
    try {
      await Promise.all(programs.map((program) => program.printed("live")));
      const handler = createHandler({ pipeDir: dir, deadline: 5000 });
      const isSame = async () => {
        for (const format of FORMATS) {
          for (const name of ["n", "l", "db_ms_histogram"]) {
            const whole = sumOf(await seriesOf(handler, "", format, name));
            for (const by of ["name", "process"]) {
              const series = await seriesOf(handler, `?by=${by}`, format, name);
              assertEquals(sumOf(series), whole, `${format} ${name} ${by}`);
              assert(series.every(({ labels }) => labels.process));
            }
          }
        }
      };
      const by = async (what: string, name = "n", format = FORMATS[0]) =>
        (await seriesOf(handler, `?by=${what}`, format, name))
          .map(({ labels, value }) => {
            const { process, pid, exported_process, exported_pid } = labels;
            const stat = exported_process === undefined
              ? ""
              : ` ${exported_process}${exported_pid}`;
            return `${process}${pid ? ` ${pid}` : ""}${stat}: ${value}`;
          }).sort();
      await until(
        "the simple writer",
        async () => (await by("name")).includes("unnamed: 1"),
      );
      await isSame();
      assertEquals(await by("name"), ["api: 12", "job: 11", "unnamed: 1"]);
      assertEquals(await by("name", "l"), ["api x3: 12", "job x3: 11"]);
      const each = [
        `api ${first.pid}: 5`,
        `api ${second.pid}: 7`,
        `job ${job.pid}: 11`,
        `unnamed ${simple.pid}: 1`,
      ].sort();
      assertEquals(await by("process"), each);
      assertEquals(await by("process", "g"), each.slice(0, 3));

      first.kill("SIGTERM");
      await first.ended();
      await isSame();
      assertEquals(await by("name"), [
        "api: 7",
        "ended: 5",
        "job: 11",
        "unnamed: 1",
      ]);
      job.kill("SIGKILL");
      await job.ended();
      await until(
        "the death",
        async () => (await by("process")).includes("ended: 16"),
      );
      await isSame();
      assertEquals(await by("process"), [
        `api ${second.pid}: 7`,
        "ended: 16",
        `unnamed ${simple.pid}: 1`,
      ]);
      assertEquals(await by("name", "g"), ["api: 7"]);
      assertEquals(await by("name", "db_ms_histogram"), [
        "api: 7",
        "ended: 16",
      ]);
    } finally {
      await killShell(simple);
      for (const program of programs) await program[Symbol.asyncDispose]();
    }
  }));

Deno.test("match and query choose stats in metrics as they do in stats, by processes too", () =>
  withDir(async (dir) => {
    await using program = await startProgram(
      `incr("http.a", 5); incr("http.b", 1); incr("c", 9); record("http.{0}.ms", 3);
       await startRecorder(); console.log("live"); setInterval(() => {}, 1e6);`,
      { dir },
    );
    await program.printed("live");
    const handler = createHandler({ pipeDir: dir, deadline: 5000 });
    const names = async (query: string) => {
      const response = await handler(
        new Request(`http://localhost/metrics?${query}`),
      );
      const text = await response.text();
      return [...new Set(text.match(/^(http|c)\w*/gm))];
    };
    for (const by of ["", "by=name&", "by=process&"]) {
      assertEquals(await names(`${by}match=http.?`), [
        "http_a_total",
        "http_b_total",
      ]);
      assertEquals(await names(`${by}query=a > 4`), ["http_a_total"]);
      assertEquals(await names(`${by}match=*.ms`), [
        "http_ms",
        "http_ms_sum",
        "http_ms_count",
        "http_ms_histogram_bucket",
        "http_ms_histogram_sum",
        "http_ms_histogram_count",
      ]);
    }
    program.kill("SIGTERM");
    await program.ended();
    // Of an ended process the distribution is known, not the stats that showed it.
    assert((await names("match=*.ms")).includes("http_ms_histogram_count"));
  }));

Deno.test("metrics refuse parameters that make no sense with a sentence", () => {
  const table = {
    "by=pid": 'by must be name or process, got "pid"',
    "by=name&by=name": "by must not be repeated",
    "match=": 'match must be a pattern such as "http.*", got ""',
    "format=text":
      'unknown parameter "format", the known ones are by, match and query',
  };
  for (const [query, why] of Object.entries(table)) {
    const { message } = assertThrows(
      () => parseMetricsQuery(new URLSearchParams(query)),
      QueryError,
    );
    assertEquals(message, `Cannot read the parameters: ${why}`);
  }
  const { message } = assertThrows(
    () => createHandler({ maxSeries: 0 }),
    RangeError,
  );
  assertEquals(
    message,
    "Cannot serve: maxSeries must be a whole number from 1 on, got 0",
  );
});

Deno.test("series beyond the greatest number are left out and counted", () =>
  withDir(async (dir) => {
    await using many = await startProgram(
      `for (let i = 0; i < 300; i++) incr("many." + i);
       await startRecorder(); console.log("live"); setInterval(() => {}, 1e6);`,
      { dir },
    );
    await using few = await startProgram(
      `for (let i = 0; i < 20; i++) incr("few." + i);
       await startRecorder(); console.log("live"); setInterval(() => {}, 1e6);`,
      { dir },
    );
    await Promise.all([many.printed("live"), few.printed("live")]);
    const handler = createHandler({
      pipeDir: dir,
      deadline: 5000,
      maxSeries: 100,
    });
    const ask = async (query: string) =>
      await (await handler(new Request(`http://localhost/metrics${query}`)))
        .text();
    const text = await ask("?by=process");
    assertEquals(text.match(/^few_/gm)?.length, 20);
    assertEquals(text.match(/^many_/gm)?.length, 80);
    assertEquals(/^statvent_left_out_series (\d+)$/m.exec(text)?.[1], "220");
    const whole = await ask("");
    assertEquals(whole.match(/^many_/gm)?.length, 300);
    assert(!whole.includes("left_out"));
  }));

Deno.test("a pattern selects distributions before series are shared out", () =>
  withDir(async (dir) => {
    await using program = await startProgram(
      `for (let i = 0; i < 30; i++) record("d" + i + ".{0}", 1);
       await startRecorder(); console.log("live"); setInterval(() => {}, 1e6);`,
      { dir },
    );
    await program.printed("live");
    const handler = createHandler({
      pipeDir: dir,
      deadline: 5000,
      maxSeries: 100,
    });
    const response = await handler(
      new Request("http://localhost/metrics?by=process&match=d29.*"),
    );
    const text = await response.text();
    assertEquals(text.match(/^d29_histogram_count\{/gm)?.length, 1);
    assertEquals(/^statvent_left_out_series (\d+)$/m.exec(text)?.[1], "0");
  }));
