/**
 * Reads what Linux says of other processes, in `/proc` and in `/sys/fs/cgroup`.
 *
 * Reads through the files that it is given. On other systems there are none, and
 * nothing is known.
 *
 * @module
 */

import type {
  GroupUsage,
  ProcessGroups,
  ProcessReader,
  ProcessStat,
  SystemFiles,
} from "./system.ts";

// The keys of what the kernel tells a program at its start.
const AT_PAGESZ = 6;
const AT_CLKTCK = 17;

/** The namespace of process ids that the system starts with. */
const FIRST_NAMESPACE = "pid:[4026531836]";

/** How many open files of a process are looked at. A sign of life is opened early. */
const MAX_LOOKED_AT = 4_096;

const CGROUPS = "/sys/fs/cgroup";

/** The names of the files of a version of cgroups. */
interface CgroupFiles {
  readonly memory: string;
  readonly memoryLimit: string;
}

const V2: CgroupFiles = {
  memory: "memory.current",
  memoryLimit: "memory.max",
};
const V1: CgroupFiles = {
  memory: "memory.usage_in_bytes",
  memoryLimit: "memory.limit_in_bytes",
};

/** Version 1 says that there is no limit by the largest number of pages. */
const NO_LIMIT = 2 ** 62;

const latin1 = new TextDecoder("latin1");

/** The fields of `/proc/<pid>/stat` by their numbers in `man proc`. */
export function fieldsOf(text: string): (number: number) => string {
  // Fields 1 and 2 are the id and the name, which may contain anything.
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  return (number) => fields[number - 3];
}

/** A directory of cgroups, and those above it, the closest one first. */
function upwards(root: string, path: string): string[] {
  // Such a path leads out of what this process can see of the groups.
  if (path.split("/").includes("..")) return [];
  const found: string[] = [];
  for (let at = path; at !== "" && at !== "/";) {
    found.push(root + at);
    at = at.slice(0, at.lastIndexOf("/"));
  }
  return [...found, root];
}

/** Makes what reads about processes. */
export function processReader(files: SystemFiles): ProcessReader {
  const text = (path: string): string | undefined => {
    const bytes = files.bytes(path);
    return bytes && latin1.decode(bytes);
  };
  const numberIn = (path: string): number | undefined => {
    const found = text(path)?.trim();
    return found && /^-?\d+$/.test(found) ? Number(found) : undefined;
  };

  let units: { page: number; ticks: number } | undefined;
  const unitsOfKernel = () => units ??= readUnits(files);

  let first: boolean | undefined;

  /** Where a controller of a process is, by the lines of `/proc/<pid>/cgroup`. */
  const hierarchy = (lines: readonly string[], controller: string) => {
    for (const line of lines) {
      const [, names, path] = /^\d+:([^:]*):(\/.*)$/.exec(line) ?? [];
      if (!names?.split(",").includes(controller)) continue;
      const [root] = [names, controller].map((name) => `${CGROUPS}/${name}`)
        .filter((root) => files.file(root) !== undefined);
      return root === undefined ? [] : upwards(root, path);
    }
    const [path] = lines.flatMap((line) => /^0::(\/.*)$/.exec(line)?.[1] ?? []);
    return path === undefined ? [] : upwards(CGROUPS, path);
  };

  return {
    stat: (pid): ProcessStat | undefined => {
      const content = text(`/proc/${pid}/stat`);
      if (content === undefined) return undefined;
      const field = fieldsOf(content);
      const number = (at: number) => Number(field(at));
      // A dead process whose parent has not asked for its exit code yet.
      if (field(3) === "Z" || field(3) === "X") return undefined;
      const { page, ticks } = unitsOfKernel();
      return {
        start: field(22),
        startSeconds: number(22) / ticks,
        cpu: (number(14) + number(15)) / ticks,
        threads: number(20),
        virtual: number(23),
        resident: number(24) * page,
      };
    },
    uptime: () => {
      const seconds = Number(text("/proc/uptime")?.split(" ", 1)[0]);
      return Number.isFinite(seconds) ? seconds : undefined;
    },
    openFiles: (pid) => {
      const path = `/proc/${pid}/fd`;
      // Linux says so since version 6.2, and earlier ones say 0.
      return files.file(path)?.size || files.names(path)?.length;
    },
    maxFiles: (pid) => {
      const limits = text(`/proc/${pid}/limits`) ?? "";
      const found = /^Max open files +(\d+)/m.exec(limits);
      return found === null ? undefined : Number(found[1]);
    },
    holds: (pid, { inode, device }) => {
      const path = `/proc/${pid}/fd`;
      const names = files.names(path);
      return names?.slice(0, MAX_LOOKED_AT).some((name) => {
        const open = files.file(`${path}/${name}`);
        return open?.inode === inode && open.device === device;
      });
    },
    groups: (pid): ProcessGroups | undefined => {
      const lines = text(`/proc/${pid}/cgroup`)?.split("\n");
      return lines && {
        memory: hierarchy(lines, "memory"),
        cpu: hierarchy(lines, "cpu"),
      };
    },
    figuresOf: ({ memory, cpu }): GroupUsage => ({
      ...memoryOf(memory, numberIn),
      ...cpuOf(cpu, text, numberIn),
    }),
    seesMachine: () =>
      first ??= files.link("/proc/self/ns/pid") === FIRST_NAMESPACE,
    nestedIds: () => {
      const found = new Set<number>();
      for (const name of files.names("/proc") ?? []) {
        if (!/^\d+$/.test(name)) continue;
        const ids = /^NSpid:\s*(.*)$/m.exec(text(`/proc/${name}/status`) ?? "");
        const own = ids?.[1].split(/\s+/) ?? [];
        if (own.length > 1) found.add(Number(own.at(-1)));
      }
      return found;
    },
  };
}

/** The size of a page, and how many ticks a second has. */
function readUnits(files: SystemFiles): { page: number; ticks: number } {
  const bytes = files.bytes("/proc/self/auxv") ?? new Uint8Array();
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const units = new Map<number, number>();
  for (let at = 0; at + 16 <= bytes.length; at += 16) {
    units.set(
      Number(view.getBigUint64(at, true)),
      Number(view.getBigUint64(at + 8, true)),
    );
  }
  const { page = 4096, ticks = 100 } = {
    page: units.get(AT_PAGESZ),
    ticks: units.get(AT_CLKTCK),
  };
  return { page, ticks };
}

/**
 * The memory of the closest group that has a limit, with the limit; without any
 * limit, that of the closest group.
 */
function memoryOf(
  dirs: readonly string[],
  numberIn: (path: string) => number | undefined,
): GroupUsage {
  let closest: GroupUsage = {};
  for (const dir of dirs) {
    for (const names of [V2, V1]) {
      const memory = numberIn(`${dir}/${names.memory}`);
      if (memory === undefined) continue;
      // Version 2 writes `max` where there is no limit.
      const memoryLimit = numberIn(`${dir}/${names.memoryLimit}`) ?? Infinity;
      if (memoryLimit < NO_LIMIT) return { memory, memoryLimit };
      if (closest.memory === undefined) closest = { memory };
    }
  }
  return closest;
}

/** The least number of processors that a group or one above it may use. */
function cpuOf(
  dirs: readonly string[],
  text: (path: string) => string | undefined,
  numberIn: (path: string) => number | undefined,
): GroupUsage {
  const limits = dirs.flatMap((dir) => {
    const v2 = /^(\d+) (\d+)/.exec(text(`${dir}/cpu.max`) ?? "");
    if (v2 !== null) return Number(v2[1]) / Number(v2[2]);
    const quota = numberIn(`${dir}/cpu.cfs_quota_us`) ?? -1;
    const period = numberIn(`${dir}/cpu.cfs_period_us`) ?? 0;
    return quota > 0 && period > 0 ? quota / period : [];
  });
  return limits.length === 0 ? {} : { cpuLimit: Math.min(...limits) };
}
