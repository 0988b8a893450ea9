/**
 * The programs that chaos starts: what they are, how they are started and told
 * what to do.
 *
 * Touches processes, and files in a directory of its own.
 *
 * @module
 */

import {
  type Amounts,
  COUNTED,
  FIRST,
  nothing,
  SUM,
  VALUES,
} from "./answer.ts";
import type { End, Entry } from "./book.ts";

const ROOT = new URL("../..", import.meta.url).pathname;
const HERE = new URL(".", import.meta.url).pathname;

/** A language or a runtime. */
export interface Kind {
  readonly name: string;
  readonly isShell: boolean;
  readonly canExec: boolean;
  /** Whether it has threads that count, and ends in several ways. */
  readonly isScript: boolean;
  /** The command, without the program. */
  readonly runtime: readonly string[];
  /** The command, without the slot and what follows it. */
  readonly command: readonly string[];
  readonly after: readonly string[];
}

async function run(cwd: string, ...command: string[]): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(command[0], {
    args: command.slice(1),
    cwd,
    stdin: "null",
    env: { NO_COLOR: "1" },
  }).output();
  const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes).trim();
  if (!success) throw new Error(`${command[0]}: ${decode(stderr) || "failed"}`);
  return decode(stdout);
}

/** The names of all kinds. */
export const KINDS = [
  "deno",
  "node20",
  "node22",
  "node24",
  "node26",
  "bun",
  "c",
  "python",
  "shell",
];

/** Prepares all kinds that can be had here. `skip` is told of others. */
export async function prepare(
  dir: string,
  names: readonly string[],
  skip: (what: string, why: string) => void,
): Promise<Kind[]> {
  const foreign = (name: string, ...command: string[]): Kind => ({
    name,
    runtime: command.slice(0, 1),
    command,
    after: [],
    isShell: name === "shell",
    canExec: true,
    isScript: false,
  });
  const script = (name: string, from: string, ...command: string[]): Kind => ({
    name,
    runtime: command,
    command: [...command, `${HERE}writer.mjs`],
    after: [from],
    isShell: false,
    canExec: false,
    isScript: true,
  });
  const makers: Record<string, () => Promise<Kind>> = {
    deno: () =>
      Promise.resolve(script(
        "deno",
        `file://${ROOT}mod.ts`,
        Deno.execPath(),
        "run",
        "--quiet",
        "--no-prompt",
        "--config",
        `${ROOT}deno.json`,
        "--allow-all",
      )),
    c: async () => {
      for (const cc of ["gcc", "tcc", "cc"]) {
        try {
          const file = `${dir}/writer`;
          await run(dir, cc, "-pthread", "-o", file, `${HERE}writer.c`);
          return foreign("c", file);
        } catch (error) {
          if (!(error instanceof Deno.errors.NotFound)) throw error;
        }
      }
      throw new Error("there is no gcc and no tcc");
    },
    python: async () => {
      const file = await run(
        dir,
        "python3",
        "-c",
        "import sys; print(sys.executable)",
      );
      return foreign("python", file, `${HERE}writer.py`);
    },
    shell: () => Promise.resolve(foreign("shell", "sh", `${HERE}writer.sh`)),
  };
  const { os, arch } = Deno.build;
  const system = `${os === "darwin" ? "darwin" : "linux"}-${
    arch === "aarch64" ? "arm64" : "x64"
  }`;
  let built: Promise<string> | undefined;
  const install = async (name: string, specifier: string, path: string) => {
    built ??= (async () => {
      await run(ROOT, Deno.execPath(), "task", "--quiet", "npm");
      return `${dir}/${await run(
        `${ROOT}npm`,
        "npm",
        "pack",
        "--pack-destination",
        dir,
      )}`;
    })();
    const place = `${dir}/${name}`;
    await Deno.mkdir(place);
    await run(place, "npm", "init", "--yes");
    await run(
      place,
      "npm",
      "install",
      "--no-audit",
      "--no-fund",
      "--ignore-scripts",
      await built,
      `runtime@npm:${specifier}`,
    );
    return script(
      name,
      `file://${place}/node_modules/statvent/mod.js`,
      `${place}/node_modules/runtime/bin/${path}`,
    );
  };
  for (const version of [20, 22, 24, 26]) {
    makers[`node${version}`] = () =>
      install(`node${version}`, `node-${system}@${version}`, "node");
  }
  makers.bun = () =>
    install("bun", `@oven/bun-${system.replace("arm64", "aarch64")}`, "bun");
  const kinds = await Promise.all(names.map(async (name) => {
    try {
      return await makers[name]();
    } catch (error) {
      skip(name, (error as Error).message.split("\n")[0]);
    }
  }));
  return kinds.filter((kind) => kind !== undefined);
}

/** A program that runs. It may be another one after an `exec`. */
export class Program {
  readonly kind: Kind;
  readonly pid: number;
  readonly handlesTerm: boolean;
  entry: Entry;
  /** What it takes the place of this with, once it is ready. */
  next: { entry: Entry; end: End } | undefined;
  /** Whether it was told to end. */
  isEnding = false;
  isStopped = false;
  /** Whether it was sent a signal to end. */
  isSignalled = false;
  /** Until when, by `performance.now()`, it may not answer. */
  troubledUntil = Infinity;
  readonly status: Promise<Deno.CommandStatus>;
  stderr = "";
  readonly #child: Deno.ChildProcess;
  readonly #stdin: WritableStreamDefaultWriter<Uint8Array>;
  #number = 0;
  readonly #waiting: Map<number, Amounts> = new Map();

  constructor(
    kind: Kind,
    entry: Entry,
    handlesTerm: boolean,
    pipeDir: string,
    onReady: (program: Program) => void,
  ) {
    this.kind = kind;
    this.entry = entry;
    this.handlesTerm = handlesTerm;
    // In a session of its own, so that a shell can be killed with what it has started.
    this.#child = new Deno.Command("setsid", {
      args: [
        ...kind.command,
        `${entry.slot}`,
        handlesTerm ? "term" : "none",
        ...kind.after,
      ],
      env: { STATVENT_PIPE_DIR: pipeDir, NO_COLOR: "1" },
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    this.pid = this.#child.pid;
    this.#stdin = this.#child.stdin.getWriter();
    const text = async (
      stream: ReadableStream<Uint8Array>,
      take: (text: string) => void,
    ) => {
      const decoder = new TextDecoder();
      for await (const bytes of stream) take(decoder.decode(bytes));
    };
    const stderr = text(
      this.#child.stderr,
      (text) => this.stderr = (this.stderr + text).slice(-2000),
    );
    let rest = "";
    const stdout = text(this.#child.stdout, (text) => {
      const lines = (rest + text).split("\n");
      rest = lines.pop()!;
      for (const line of lines) {
        const [word, number] = line.split(" ");
        if (word === "ok") this.#done(Number(number));
        else if (word === "ready") onReady(this);
      }
    });
    this.status = this.#child.status.then(async (status) => {
      if (kind.isShell) this.#signalGroup("SIGKILL");
      await Promise.all([stdout, stderr]);
      this.#stdin.abort().catch(() => {});
      return status;
    });
  }

  /** How many commands it has not answered. */
  get pending(): number {
    return this.#waiting.size;
  }

  #tell(line: string, amounts: Amounts): void {
    for (const [i, n] of amounts.entries()) this.entry.told[i] += n;
    this.#waiting.set(++this.#number, amounts);
    const text = `${this.#number} ${line}\n`;
    // It may have ended in the meantime.
    this.#stdin.write(new TextEncoder().encode(text)).catch(() => {});
  }

  #done(number: number): void {
    const amounts = this.#waiting.get(number);
    this.#waiting.delete(number);
    for (const [i, n] of amounts?.entries() ?? []) this.entry.done[i] += n;
  }

  count(amount: number, inThread: boolean): void {
    const amounts = nothing();
    amounts[COUNTED] = amount;
    this.#tell(`${inThread ? "thread" : "count"} ${amount}`, amounts);
  }

  record(times: number, k: number): void {
    const amounts = nothing();
    amounts[SUM] = times * VALUES[k];
    amounts[FIRST + k] = times;
    this.#tell(`record ${times} ${VALUES[k]}`, amounts);
  }

  set(value: number): void {
    this.entry.gauges.push(value);
    this.#tell(`set ${value}`, nothing());
  }

  hang(ms: number): void {
    this.#tell(`hang ${ms}`, nothing());
  }

  exec(next: Entry, isLeft: boolean): void {
    this.entry.doomed = true;
    this.next = { entry: next, end: isLeft ? "exact" : "killed" };
    this.troubledUntil = Infinity;
    this.#tell(`exec ${next.slot} ${isLeft ? "left" : "lost"}`, nothing());
  }

  /** The old one has ended, and a new one begins. */
  becomeNext(): void {
    this.#waiting.clear();
    this.entry.end = this.next!.end;
    this.entry.endedAt = performance.now();
    this.entry.isReplaced = true;
    this.entry = this.next!.entry;
    this.next = undefined;
  }

  tellToEnd(how: string): void {
    this.isEnding = true;
    this.troubledUntil = Infinity;
    this.#tell(`end ${how}`, nothing());
    // Deno reads on, and lives, until there is nothing more to come.
    if (how === "return") this.#stdin.close().catch(() => {});
  }

  signal(signal: Deno.Signal): void {
    if (this.kind.isShell) this.#signalGroup(signal);
    else {
      try {
        this.#child.kill(signal);
      } catch {
        // It has ended.
      }
    }
  }

  #signalGroup(signal: Deno.Signal): void {
    try {
      Deno.kill(-this.pid, signal);
    } catch {
      // All have ended.
    }
  }
}
