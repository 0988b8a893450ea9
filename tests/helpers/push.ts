/**
 * What tests of the push need: a clock, hosts and servers.
 *
 * @module
 */

import type {
  HostDistribution,
  HostStats,
  ProcessStatus,
} from "../../collect/host_stats.ts";
import { NameTable } from "../../format/snapshot.ts";
import { COUNTER, type Kind } from "../../model/kinds.ts";
import type { PushOptions, PushTarget } from "../../push.ts";
import type { Clock } from "../../push/clock.ts";
import { Schedule } from "../../push/schedule.ts";
import { until } from "./program.ts";

/** When the tests take place, in milliseconds since 1970. */
export const NOW = 1_700_000_000_000;

/** A clock that goes when it is told to. */
export class FakeClock implements Clock {
  time = NOW;
  readonly sleeps = new Set<{ end: number; wake: () => void }>();

  now = (): number => this.time;
  random = (): number => 0.5;
  /** An hour: sockets go by the system's clock, of which a loaded machine takes more. */
  readonly patience = 3_600_000;
  sleep = (ms: number, signal: AbortSignal): Promise<void> =>
    new Promise((resolve) => {
      if (signal.aborted) return resolve();
      const wake = () => {
        this.sleeps.delete(sleep);
        signal.removeEventListener("abort", wake);
        resolve();
      };
      const sleep = { end: this.time + ms, wake };
      this.sleeps.add(sleep);
      signal.addEventListener("abort", wake);
    });

  /** Waits until somebody sleeps for so long, and wakes who is due by then. */
  async pass(ms: number): Promise<void> {
    await until(
      `a sleep of ${ms} ms`,
      () => [...this.sleeps].some(({ end }) => end === this.time + ms),
    );
    this.time += ms;
    for (const { end, wake } of [...this.sleeps]) {
      if (end <= this.time) wake();
    }
  }
}

/** A stat of a host: its value, its kind and whether it is fractional. */
export type Entry = [value: number, kind?: Kind, fractional?: 0 | 1];

/** Makes a host of stats by name. */
export function hostOf(
  stats: Record<string, Entry>,
  more: Partial<HostStats> = {},
): HostStats {
  const entries = Object.values(stats);
  return {
    table: new NameTable(Object.keys(stats)),
    ids: Int32Array.from(entries, (_, i) => i),
    values: Float64Array.from(entries, ([value]) => value),
    fractional: Uint8Array.from(entries, ([, , fractional]) => fractional ?? 0),
    kinds: Uint8Array.from(entries, ([, kind]) => kind ?? COUNTER),
    recorded: [],
    descriptions: new Map(),
    processes: [],
    ...more,
  };
}

/** A recorded stat with the values 0, 1, 3 and 3. */
export function recordedAs(name: string): HostDistribution {
  return {
    name,
    percentiles: [[50, name.replace("{0}", "median")]],
    mean: name.replace("{0}", "mean"),
    window: Float64Array.of(0, 1, 3, 3),
    fractional: false,
    histogram: {
      scale: 4,
      sum: 7,
      min: 0,
      max: 3,
      zeros: 1,
      positive: new Map([[-1, 1], [25, 2]]),
      negative: new Map(),
    },
  };
}

/** A program of which all is known, a writer that does not answer and a dead one. */
export function someProcesses(cpu = 1.25): ProcessStatus[] {
  const unknown = {
    name: undefined,
    runtime: undefined,
    start: undefined,
    age: undefined,
    stalled: undefined,
    error: undefined,
  };
  return [
    {
      ...unknown,
      pid: 7,
      instance: "web",
      name: "my app",
      start: NOW / 1000 - 55,
      state: "hung",
      age: 0,
      stalled: 2.5,
      usage: {
        cpu,
        memory: 1000,
        virtualMemory: 2000,
        threads: 3,
        openFiles: 4,
        maxFiles: undefined,
        start: NOW / 1000 - 55,
        group: { memory: 5000, memoryLimit: 6000 },
      },
    },
    { ...unknown, pid: 8, state: "timeout" },
    {
      ...unknown,
      pid: 9,
      state: "dead",
    },
  ];
}

/** A TCP server that keeps what it is sent. */
export class TcpSink implements AsyncDisposable {
  readonly port: number;
  readonly #chunks: Uint8Array<ArrayBuffer>[][] = [];
  readonly #listener: Deno.TcpListener;
  readonly #connections = new Set<Deno.TcpConn>();
  readonly #accepting: Promise<void>;
  readonly #reads: boolean;

  constructor(port = 0, reads = true) {
    this.#reads = reads;
    this.#listener = Deno.listen({ hostname: "127.0.0.1", port });
    this.port = this.#listener.addr.port;
    this.#accepting = this.#accept();
  }

  async #accept(): Promise<void> {
    const all = [];
    for await (const connection of this.#listener) {
      this.#connections.add(connection);
      if (this.#reads) all.push(this.#read(connection));
    }
    await Promise.all(all);
  }

  async #read(connection: Deno.TcpConn): Promise<void> {
    const chunks: Uint8Array<ArrayBuffer>[] = [];
    this.#chunks.push(chunks);
    try {
      for await (const chunk of connection.readable) chunks.push(chunk);
    } catch {
      // It has been closed.
    }
    this.#connections.delete(connection);
  }

  /** What each connection has sent. */
  get received(): Uint8Array[] {
    return this.#chunks.map((chunks) => {
      const bytes = new Uint8Array(
        chunks.reduce((sum, { length }) => sum + length, 0),
      );
      let length = 0;
      for (const chunk of chunks) {
        bytes.set(chunk, length);
        length += chunk.length;
      }
      return bytes;
    });
  }

  /** Forgets what the connections so far have sent. */
  clear(): void {
    this.#chunks.length = 0;
  }

  /** How many connections there are. */
  get connections(): number {
    return this.#connections.size;
  }

  /** What all connections have sent, as text. */
  get text(): string {
    return this.received.map((bytes) => new TextDecoder().decode(bytes))
      .join("");
  }

  /** Closes all connections and the port. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const connection of this.#connections) {
      try {
        connection.close();
      } catch {
        // It is closed.
      }
    }
    this.#connections.clear();
    try {
      this.#listener.close();
    } catch {
      // It is closed.
    }
    await this.#accepting;
  }
}

/** What a Python program prints of what it is given, as JSON. */
export async function python(
  program: string,
  input: Uint8Array,
  command = "python3",
): Promise<unknown> {
  const child = new Deno.Command(command, {
    args: ["-c", program],
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(input);
  await writer.close();
  const { stdout } = await child.output();
  return JSON.parse(new TextDecoder().decode(stdout));
}

/** The time of the first push, in seconds. */
export const T = NOW / 1000 + 5;

/** Starts a push every 10 s, with all that it logs and a clock. */
export function start(
  targets: PushTarget[],
  collect: () => HostStats,
  options: Partial<PushOptions> = {},
) {
  const clock = new FakeClock();
  const lines: string[] = [];
  const push = new Schedule({
    collect: () => Promise.resolve(collect()),
    targets,
    host: "Web1",
    log: (line) => lines.push(line),
    ...options,
  }, clock);
  return { clock, lines, push };
}

/** A Graphite server on this host. */
export function graphite(port: number): PushTarget {
  return { protocol: "graphite", host: "127.0.0.1", port };
}
