/**
 * What this process, the web service, uses: the standard process metrics of
 * Prometheus's clients under names of their own, since theirs are for programs.
 *
 * Reads `/proc` through the source that it is given.
 *
 * @module
 */

import type { OwnMetric } from "./families.ts";
import { attempt } from "../runtime/attempt.ts";
import { fieldsOf } from "../runtime/proc.ts";
import type { ProcessSource } from "../runtime/system.ts";

// The clock ticks of /proc, on every architecture that JavaScript runtimes support.
const TICKS_PER_SECOND = 100;

/**
 * The metrics of this process.
 *
 * @param source Where to read the values.
 * @returns The metrics whose values are known.
 */
export function serviceMetrics(source: ProcessSource): OwnMetric[] {
  const texts = new Map<string, string>();
  const textOf = (path: string) => {
    const text = texts.get(path) ?? source.readText(path);
    texts.set(path, text);
    return text;
  };
  const stat = (field: number) =>
    Number(fieldsOf(textOf("/proc/self/stat"))(field));
  const kilobytes = (key: string) =>
    1024 * line("/proc/self/status", new RegExp(`^${key}:\\s+(\\d+) kB`, "m"));
  const line = (path: string, pattern: RegExp) =>
    Number(pattern.exec(textOf(path))?.[1]);

  const metrics: OwnMetric[] = [];
  const add = (
    name: string,
    help: string,
    ...reads: (() => number | undefined)[]
  ) => {
    for (const read of reads) {
      const value = attempt(read);
      if (value === undefined || !Number.isFinite(value)) continue;
      const type = name.endsWith("_total") ? "counter" : "gauge";
      metrics.push({ name, help, type, value });
      return;
    }
  };
  add(
    "statvent_service_cpu_seconds_total",
    "Total user and system CPU time spent in seconds.",
    () => (stat(14) + stat(15)) / TICKS_PER_SECOND,
    () => source.cpuSeconds?.(),
  );
  add(
    "statvent_service_resident_memory_bytes",
    "Resident memory size in bytes.",
    () => kilobytes("VmRSS"),
    () => source.residentBytes?.(),
  );
  add(
    "statvent_service_virtual_memory_bytes",
    "Virtual memory size in bytes.",
    () => kilobytes("VmSize"),
  );
  add(
    "statvent_service_start_time_seconds",
    "Start time of the service since unix epoch in seconds.",
    () => line("/proc/stat", /^btime (\d+)$/m) + stat(22) / TICKS_PER_SECOND,
    () => source.startSeconds?.(),
  );
  add(
    "statvent_service_open_fds",
    "Number of open file descriptors.",
    () => source.namesIn("/proc/self/fd").length,
  );
  add(
    "statvent_service_max_fds",
    "Maximum number of open file descriptors.",
    () => line("/proc/self/limits", /^Max open files\s+(\d+)/m),
  );
  return metrics;
}
