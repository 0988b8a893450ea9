/**
 * What is pushed of processes: how many there are in each state, and what each
 * living one uses.
 *
 * The names, units and labels are those of OpenTelemetry's conventions where it
 * has some.
 *
 * Pure: no clock, no I/O, but for the system, which is asked by reading the usage
 * of a process.
 *
 * @module
 */

import {
  answers,
  countStates,
  type ProcessStatus,
} from "../collect/host_stats.ts";
import { COUNTER, GAUGE } from "../model/kinds.ts";
import { type Labels, withLabels } from "../model/labels.ts";

/** What a number of processes means. */
export interface ProcessFigure {
  readonly name: string;
  readonly help: string;
  /** The unit, in the words of OpenTelemetry. */
  readonly unit: string;
  /** Whether it only goes up; a level goes up and down, and can be summed over processes. */
  readonly kind?: "counter" | "level";
}

/** A figure of a process, and where its value is; one that is not known has none. */
type Source = ProcessFigure & {
  readonly of: (process: ProcessStatus, time: number) => number | undefined;
};

const SOURCES: readonly Source[] = [
  {
    name: "statvent.process.up",
    help: "Whether the process gave its values.",
    unit: "1",
    of: ({ state }) => answers(state) ? 1 : 0,
  },
  {
    name: "statvent.process.stalled",
    help: "For how long the main thread has not responded.",
    unit: "s",
    of: ({ stalled }) => stalled,
  },
  {
    name: "statvent.process.value_age",
    help: "How old the values of the process are.",
    unit: "s",
    of: ({ age }) => age,
  },
  {
    name: "process.cpu.time",
    help: "Total CPU seconds.",
    unit: "s",
    kind: "counter",
    of: ({ usage }) => usage?.cpu,
  },
  {
    name: "process.memory.usage",
    help: "The amount of physical memory in use.",
    unit: "By",
    kind: "level",
    of: ({ usage }) => usage?.memory,
  },
  {
    name: "process.memory.virtual",
    help: "The amount of committed virtual memory.",
    unit: "By",
    kind: "level",
    of: ({ usage }) => usage?.virtualMemory,
  },
  {
    name: "process.thread.count",
    help: "Process threads count.",
    unit: "{thread}",
    kind: "level",
    of: ({ usage }) => usage?.threads,
  },
  {
    name: "process.unix.file_descriptor.count",
    help: "Number of unix file descriptors in use by the process.",
    unit: "{file_descriptor}",
    kind: "level",
    of: ({ usage }) => usage?.openFiles,
  },
  {
    name: "process.uptime",
    help: "The time the process has been running.",
    unit: "s",
    of: ({ start, usage }, time) => {
      const since = start ?? usage?.start;
      return since && Math.max(time / 1000 - since, 0);
    },
  },
  {
    name: "statvent.process.file_descriptor.limit",
    help: "How many files the process may have open.",
    unit: "{file_descriptor}",
    of: ({ usage }) => usage?.maxFiles,
  },
  {
    name: "statvent.process.cgroup.memory.usage",
    help: "Memory that the cgroup of the process uses.",
    unit: "By",
    of: ({ usage }) => usage?.group?.memory,
  },
  {
    name: "statvent.process.cgroup.memory.limit",
    help: "Memory that the cgroup of the process may use.",
    unit: "By",
    of: ({ usage }) => usage?.group?.memoryLimit,
  },
  {
    name: "statvent.process.cgroup.cpu.limit",
    help: "Processors that the cgroup of the process may use at the same time.",
    unit: "{cpu}",
    of: ({ usage }) => usage?.group?.cpuLimit,
  },
];

const STATES: ProcessFigure = {
  name: "statvent.processes",
  help: "Processes of this host by whether they answer and respond.",
  unit: "{process}",
};

/** One number of processes. */
export interface ProcessPoint {
  /** The name, labels included. */
  readonly name: string;
  readonly value: number;
  readonly kind: typeof COUNTER | typeof GAUGE;
  readonly figure: ProcessFigure;
}

/** The labels that tell a process from all others of its host. */
function labelsOf({ name, pid, instance }: ProcessStatus): Labels {
  return {
    ...(pid !== undefined && { pid }),
    ...(name && { process: name }),
    ...(instance !== undefined && { process_instance: instance }),
  };
}

/**
 * The figures of all processes.
 *
 * @param time The time, in milliseconds since 1970.
 */
export function processPoints(
  processes: readonly ProcessStatus[],
  time: number,
): ProcessPoint[] {
  const points: ProcessPoint[] = Object.entries(countStates(processes))
    .map(([state, value]) => ({
      name: withLabels(STATES.name, { state }),
      value,
      kind: GAUGE,
      figure: STATES,
    }));
  for (const process of processes) {
    if (process.pid === 0 || process.state === "dead") continue;
    const labels = labelsOf(process);
    for (const source of SOURCES) {
      const value = source.of(process, time);
      if (value === undefined) continue;
      points.push({
        name: withLabels(source.name, labels),
        value,
        kind: source.kind === "counter" ? COUNTER : GAUGE,
        figure: source,
      });
    }
  }
  return points;
}
