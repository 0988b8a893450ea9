import { assert, assertEquals } from "@std/assert";
import { processMetrics } from "../../prometheus/process_metrics.ts";
import { output, ROOT } from "../helpers/program.ts";

const FILES: Record<string, string> = {
  // The name of the program is "a) b".
  "/proc/self/stat":
    "7 (a) b) S 1 7 7 0 -1 4194304 100 0 0 0 150 25 0 0 20 0 9 0 12345 1000000 500 18446744073709551615\n",
  "/proc/self/status": "Name:\ta) b\nVmSize:\t  2048 kB\nVmRSS:\t     512 kB\n",
  "/proc/stat": "cpu  1 2 3\nbtime 1700000000\nprocesses 5\n",
  "/proc/self/limits":
    "Limit                     Soft Limit           Hard Limit           Units\nMax open files            1024                 4096                 files\n",
};

function readText(path: string): string {
  if (path in FILES) return FILES[path];
  throw new Error(path);
}

Deno.test("processMetrics() reads /proc", () => {
  const metrics = processMetrics({ readText, namesIn: () => ["0", "1", "2"] });
  assertEquals(
    metrics.map(({ name, type, value }) => `${name} ${type} ${value}`),
    [
      "process_cpu_seconds_total counter 1.75",
      "process_resident_memory_bytes gauge 524288",
      "process_virtual_memory_bytes gauge 2097152",
      "process_start_time_seconds gauge 1700000123.45",
      "process_open_fds gauge 3",
      "process_max_fds gauge 1024",
    ],
  );
  assert(metrics.every(({ help }) => help.endsWith(".")));
});

Deno.test("processMetrics() leaves out what is not known and asks the runtime", () => {
  const fail = () => {
    throw new Error("no permission");
  };
  const nothing = { readText: fail, namesIn: fail };
  assertEquals(processMetrics(nothing), []);
  assertEquals(
    processMetrics({
      ...nothing,
      cpuSeconds: () => 2,
      residentBytes: fail,
      startSeconds: () => NaN,
    }).map(({ name, value }) => [name, value]),
    [["process_cpu_seconds_total", 2]],
  );
  const unlimited = (path: string) =>
    readText(path).replace("1024  ", "unlimited");
  assertEquals(
    processMetrics({ readText: unlimited, namesIn: fail }).map(({ name }) =>
      name
    )
      .slice(-1),
    ["process_start_time_seconds"],
  );
});

Deno.test({
  name: "processMetrics() says of a real process what its runtime says",
  ignore: Deno.build.os !== "linux",
  async fn() {
    const program = `
      import { processMetrics } from ${
      JSON.stringify(new URL("prometheus/process_metrics.ts", ROOT).href)
    };
      const metrics = processMetrics({
        readText: Deno.readTextFileSync,
        namesIn: (path) => [...Deno.readDirSync(path)].map(({ name }) => name),
      });
      console.log(JSON.stringify([
        Object.fromEntries(metrics.map(({ name, value }) => [name, value])),
        Deno.memoryUsage().rss,
        Date.now() / 1000,
      ]));`;
    const { stdout, stderr } = await output(
      "sh",
      "-c",
      `exec "$0" eval --quiet "$1"`,
      Deno.execPath(),
      program,
    );
    assertEquals(stderr, "");
    const [metrics, rss, now] = JSON.parse(stdout);
    assertEquals(Object.keys(metrics).length, 6);
    assert(Math.abs(metrics.process_resident_memory_bytes / rss - 1) < 0.2);
    assert(Math.abs(metrics.process_start_time_seconds - now) < 60);
    assert(metrics.process_cpu_seconds_total < 60);
    assert(metrics.process_open_fds < metrics.process_max_fds);
  },
});
