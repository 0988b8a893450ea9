/**
 * The metrics of each living process, in the names of Prometheus's clients where
 * there are some.
 *
 * Pure: no clock, no I/O, but for the system, which is asked by reading the usage
 * of a process.
 *
 * @module
 */

import {
  answers,
  processName,
  type ProcessStatus,
} from "../collect/host_stats.ts";
import type { OwnMetric } from "./families.ts";

/** A metric of processes, and where its value is; one that is not known has none. */
type ProcessMetric = Pick<OwnMetric, "name" | "type" | "help"> & {
  readonly of: (process: ProcessStatus) => number | undefined;
};

/** The metrics of processes. Their names belong to no stat, also while there is no process. */
export const PROCESS_METRICS: readonly ProcessMetric[] = [
  {
    name: "statvent_process_up",
    type: "gauge",
    help: "Whether the process gave its values.",
    of: ({ state }) => answers(state) ? 1 : 0,
  },
  {
    name: "statvent_process_stalled_seconds",
    type: "gauge",
    help: "For how long the main thread has not responded.",
    of: ({ stalled }) => stalled,
  },
  {
    name: "statvent_process_value_age_seconds",
    type: "gauge",
    help: "How old the values of the process are.",
    of: ({ age }) => age,
  },
  {
    name: "process_cpu_seconds_total",
    type: "counter",
    help: "Total user and system CPU time spent in seconds.",
    of: ({ usage }) => usage?.cpu,
  },
  {
    name: "process_resident_memory_bytes",
    type: "gauge",
    help: "Resident memory size in bytes.",
    of: ({ usage }) => usage?.memory,
  },
  {
    name: "process_virtual_memory_bytes",
    type: "gauge",
    help: "Virtual memory size in bytes.",
    of: ({ usage }) => usage?.virtualMemory,
  },
  {
    name: "process_open_fds",
    type: "gauge",
    help: "Number of open file descriptors.",
    of: ({ usage }) => usage?.openFiles,
  },
  {
    name: "process_max_fds",
    type: "gauge",
    help: "Maximum number of open file descriptors.",
    of: ({ usage }) => usage?.maxFiles,
  },
  {
    name: "process_num_threads",
    type: "gauge",
    help: "Number of OS threads in the process.",
    of: ({ usage }) => usage?.threads,
  },
  {
    name: "process_start_time_seconds",
    type: "gauge",
    help: "Start time of the process since unix epoch in seconds.",
    of: ({ start, usage }) => start ?? usage?.start,
  },
  {
    name: "statvent_process_cgroup_memory_bytes",
    type: "gauge",
    help: "Memory that the cgroup of the process uses.",
    of: ({ usage }) => usage?.group?.memory,
  },
  {
    name: "statvent_process_cgroup_memory_limit_bytes",
    type: "gauge",
    help: "Memory that the cgroup of the process may use.",
    of: ({ usage }) => usage?.group?.memoryLimit,
  },
  {
    name: "statvent_process_cgroup_cpu_limit_cores",
    type: "gauge",
    help: "Processors that the cgroup of the process may use at the same time.",
    of: ({ usage }) => usage?.group?.cpuLimit,
  },
];

/** The labels that tell a process from all others of its host. */
export function processLabels(
  { name, pid, instance = "" }: ProcessStatus,
): Record<string, string> {
  return {
    process: processName(name),
    pid: `${pid ?? ""}`,
    process_instance: instance,
  };
}

/** The metrics of all living processes. */
export function processMetrics(
  processes: readonly ProcessStatus[],
): OwnMetric[] {
  const living = processes.filter(({ pid, state }) =>
    pid !== 0 && state !== "dead"
  );
  const labels = living.map(processLabels);
  return PROCESS_METRICS.flatMap(({ name, type, help, of }) =>
    living.flatMap((process, i) => {
      const value = of(process);
      return value === undefined
        ? []
        : [{ name, type, help, value, labels: labels[i] }];
    })
  );
}
