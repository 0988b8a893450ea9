/**
 * What the kernel says that a process uses.
 *
 * Starts `sh` and `cat`: Deno reads `/proc` with `--allow-all` only.
 *
 * @module
 */

async function shell(script: string): Promise<string> {
  const { success, stdout } = await new Deno.Command("sh", {
    args: ["-c", script],
  }).output();
  if (!success) throw new Error("Cannot measure: it needs a /proc");
  return new TextDecoder().decode(stdout);
}

/** What a thread has used of the processor since it started. */
export interface ProcessorUse {
  /** Milliseconds. */
  readonly ms: number;
  /** How often it was given the processor. */
  readonly runs: number;
}

/** Asks for the processor use of the threads of a process, by their ids. */
export async function processorUse(
  pid: number,
): Promise<Map<string, ProcessorUse>> {
  const text = await shell(
    `cd /proc/${pid}/task && for thread in *; do echo $thread $(cat $thread/schedstat); done`,
  );
  return new Map(
    text.trim().split("\n").map((line) => {
      const [thread, ns, , runs] = line.split(" ");
      return [thread, { ms: Number(ns) / 1e6, runs: Number(runs) }];
    }),
  );
}

/** What a process has in memory, in megabytes. */
export interface MemoryUse {
  readonly resident: number;
  /** The part that is not of files, as the runtime's code is, which processes share. */
  readonly anonymous: number;
}

/** Asks for the memory of a process. */
export async function memoryUse(pid: number): Promise<MemoryUse> {
  const text = await shell(`cat /proc/${pid}/smaps_rollup`);
  const megabytes = (key: string) =>
    Number(new RegExp(`^${key}: +(\\d+) kB$`, "m").exec(text)![1]) / 1024;
  return { resident: megabytes("Rss"), anonymous: megabytes("Anonymous") };
}
