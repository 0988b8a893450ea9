import { assert, assertEquals } from "@std/assert";
import { serviceMetrics } from "../../prometheus/service_metrics.ts";
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

Deno.test("serviceMetrics() reads /proc", () => {
  const metrics = serviceMetrics({ readText, namesIn: () => ["0", "1", "2"] });
  assertEquals(
    metrics.map(({ name, type, value }) => `${name} ${type} ${value}`),
    [
      "statvent_service_cpu_seconds_total counter 1.75",
      "statvent_service_resident_memory_bytes gauge 524288",
      "statvent_service_virtual_memory_bytes gauge 2097152",
      "statvent_service_start_time_seconds gauge 1700000123.45",
      "statvent_service_open_fds gauge 3",
      "statvent_service_max_fds gauge 1024",
    ],
  );
  assert(metrics.every(({ help }) => help.endsWith(".")));
});

Deno.test("serviceMetrics() leaves out what is not known and asks the runtime", () => {
  const fail = () => {
    throw new Error("no permission");
  };
  const nothing = { readText: fail, namesIn: fail };
  assertEquals(serviceMetrics(nothing), []);
  assertEquals(
    serviceMetrics({
      ...nothing,
      cpuSeconds: () => 2,
      residentBytes: fail,
      startSeconds: () => NaN,
    }).map(({ name, value }) => [name, value]),
    [["statvent_service_cpu_seconds_total", 2]],
  );
  const unlimited = (path: string) =>
    readText(path).replace("1024  ", "unlimited");
  assertEquals(
    serviceMetrics({ readText: unlimited, namesIn: fail }).map(({ name }) =>
      name
    )
      .slice(-1),
    ["statvent_service_start_time_seconds"],
  );
});

Deno.test({
  name: "serviceMetrics() says of a real process what its runtime says",
  ignore: Deno.build.os !== "linux",
  async fn() {
    const program = `
      import { serviceMetrics } from ${
      JSON.stringify(new URL("prometheus/service_metrics.ts", ROOT).href)
    };
      const metrics = serviceMetrics({
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
    assert(
      Math.abs(metrics.statvent_service_resident_memory_bytes / rss - 1) < 0.2,
    );
    assert(Math.abs(metrics.statvent_service_start_time_seconds - now) < 60);
    assert(metrics.statvent_service_cpu_seconds_total < 60);
    assert(
      metrics.statvent_service_open_fds < metrics.statvent_service_max_fds,
    );
  },
});
