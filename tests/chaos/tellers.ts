/**
 * Programs that count by themselves and keep a log of it, in namespaces or not.
 *
 * Touches processes, `/proc` and the logs.
 *
 * @module
 */

import type { Kind } from "./programs.ts";
import { Truth } from "./truth.ts";

const HERE = new URL(".", import.meta.url).pathname;

/** Where a program runs: here, as the first process of a namespace, or as its second. */
export type Place = "here" | "first" | "second";

/** The start of a command that runs in a namespace of process ids. */
export const NAMESPACE = [
  "unshare",
  ...["--pid", "--fork", "--mount-proc", "--kill-child"],
];

/** Runs its arguments as its child, and ends as that does. In the background it would ignore signals. */
const INIT = '"$@"; exit "$?"';

/** How a program is started. */
export interface Start {
  readonly kind: Kind;
  readonly place: Place;
  /** Whether it listens to signals itself. */
  readonly hasListeners: boolean;
  /** The recorder's option. */
  readonly signals: boolean;
  /** Whether a preload has started the recorder before. */
  readonly isPreloaded: boolean;
  /** Whether it says that it started when all of these did. */
  readonly isFrozen: boolean;
}

/** How a program comes to its end. */
export type Fate =
  /** By itself: nothing is missing. */
  | "orderly"
  /** By a signal at which it hands over: nothing that came before is missing. */
  | "handed"
  /** At most the last second is missing. */
  | "killed";

function preloadOf({ name }: Kind): string[] {
  return [name.startsWith("node") ? "--import" : "--preload"];
}

function commandOf(
  { kind, hasListeners, signals, isPreloaded, isFrozen }: Start,
  slot: number,
  log: string,
): string[] {
  const listener = hasListeners ? "own" : "none";
  if (!kind.isScript) {
    return [...kind.runtime, `${HERE}teller.py`, `${slot}`, listener, log];
  }
  const preload = isPreloaded ? [...preloadOf(kind), `${HERE}preload.mjs`] : [];
  return [
    ...[...kind.runtime, ...preload, `${HERE}teller.mjs`],
    ...[`${slot}`, log, ...kind.after, listener, `${signals}`],
    isFrozen ? "frozen" : "real",
  ];
}

/** A program that counts by itself. */
export class Teller {
  readonly slot: number;
  readonly name: string;
  readonly start: Start;
  readonly truth: Truth = new Truth();
  /** Its process id here, once it can be read. */
  pid: number | undefined;
  /** What was done to end it, and when, in milliseconds since 1970. */
  fate: { how: Fate; time: number } | undefined;
  /** The signal that it was sent, if it must end by that. */
  signalled: Deno.Signal | undefined;
  /** Since when it is dead, in milliseconds since 1970. */
  deadAt: number | undefined;
  /** When it was stopped, in milliseconds since 1970. */
  stoppedAt: number | undefined;
  isStopped = false;
  stderr = "";
  /** What the service that knows most has said since it has found it dead. */
  floor = 0;
  readonly #logs: string;
  readonly #log: string;
  #file: Deno.FsFile | undefined;
  #child: Deno.ChildProcess | undefined;
  #stdin: WritableStreamDefaultWriter<Uint8Array> | undefined;
  #status: Deno.CommandStatus | undefined;
  readonly #pidOfStarter: number;
  readonly #parent: Teller | undefined;
  readonly #buffer = new Uint8Array(65_536);
  readonly #decoder = new TextDecoder();

  /** @param parent If it was forked, the program that it comes from. */
  constructor(
    slot: number,
    start: Start,
    dirs: { pipes: string; logs: string },
    parent?: Teller,
  ) {
    this.slot = slot;
    this.start = start;
    this.#parent = parent;
    this.#logs = dirs.logs;
    this.#log = `${dirs.logs}/${slot}`;
    const { kind, place, hasListeners, signals, isPreloaded } = start;
    const traits = [
      place === "here" ? "" : `the ${place} of a namespace`,
      hasListeners ? "with listeners" : "",
      signals ? "with signals" : "",
      isPreloaded ? "preloaded" : "",
      parent === undefined ? "" : `forked by ${parent.slot}`,
    ].filter((text) => text !== "").join(", ");
    this.name = `${kind.name} ${slot}${traits === "" ? "" : ` (${traits})`}`;
    if (parent !== undefined) {
      this.#pidOfStarter = parent.#pidOfStarter;
      parent.say(`fork ${slot} ${this.#log}`);
      return;
    }
    const command = commandOf(start, slot, this.#log);
    const within = {
      here: [],
      first: NAMESPACE,
      second: [...NAMESPACE, "sh", "-c", INIT, "sh"],
    }[place];
    const [program, ...args] = [...within, ...command];
    const child = new Deno.Command(program, {
      args,
      env: {
        STATVENT_PIPE_DIR: dirs.pipes,
        NO_COLOR: "1",
        PYTHONDONTWRITEBYTECODE: "1",
        CHAOS_STATVENT: kind.after[0] ?? "",
        CHAOS_SIGNALS: `${signals}`,
      },
      stdin: "piped",
      stdout: "null",
      stderr: "piped",
    }).spawn();
    this.#child = child;
    this.#pidOfStarter = child.pid;
    this.#stdin = child.stdin.getWriter();
    this.#stdin.closed.catch(() => {});
    child.status.then((status) => this.#status = status);
    (async () => {
      const decoder = new TextDecoder();
      for await (const bytes of child.stderr) {
        this.stderr = (this.stderr + decoder.decode(bytes)).slice(-2000);
      }
    })();
  }

  /** Whether it runs and can be read, and was not told to end. */
  get isUp(): boolean {
    return this.pid !== undefined && this.fate === undefined &&
      this.deadAt === undefined;
  }

  /** How it has ended, if it was started here. */
  get status(): Deno.CommandStatus | undefined {
    return this.#status;
  }

  /** Reads what is new in its log. */
  readLog(): void {
    try {
      this.#file ??= Deno.openSync(this.#log);
    } catch {
      return;
    }
    for (;;) {
      const size = this.#file.readSync(this.#buffer);
      if (size === null || size === 0) break;
      this.truth.add(
        this.#decoder.decode(this.#buffer.subarray(0, size), { stream: true }),
      );
    }
    const { ready } = this.truth;
    if (ready !== undefined && this.pid === undefined) {
      // A forked child may have lost its parent.
      this.pid = this.start.place === "here"
        ? ready.pid
        : descendants(this.#pidOfStarter).find((pid) =>
          innerPid(pid) === ready.pid && !isStarter(pid)
        );
    }
  }

  /** Notes whether it is dead. */
  look(): void {
    if (this.deadAt !== undefined) return;
    const { pid } = this;
    const lives = pid === undefined ? this.#mayCome() : isRunning(pid);
    if (lives) return;
    this.readLog();
    // Its parent was killed before it forked.
    if (pid === undefined && this.#parent !== undefined) {
      this.fate ??= { how: "killed", time: Date.now() };
    }
    this.deadAt = Date.now();
  }

  #isIt(pid: number): boolean {
    try {
      const args = Deno.readTextFileSync(`/proc/${pid}/cmdline`);
      return args.includes(this.#logs);
    } catch {
      return false;
    }
  }

  /** Whether a program that cannot be read yet may still become so. */
  #mayCome(): boolean {
    const parent = this.#parent;
    if (parent === undefined) return this.#status === undefined;
    return parent.deadAt === undefined || Date.now() - parent.deadAt < 2_000;
  }

  /** Ends what is left of it, and closes its log. */
  close(): void {
    this.kill("SIGKILL");
    this.#stdin?.abort().catch(() => {});
    this.#file?.close();
    this.#file = undefined;
  }

  /** Tells it something. */
  say(line: string): void {
    this.#stdin?.write(new TextEncoder().encode(`${line}\n`)).catch(() => {});
  }

  /** Sends it a signal. Before it can be read, its starter gets it. */
  kill(signal: Deno.Signal): void {
    // Its process id may be that of another program by now.
    if (this.deadAt !== undefined || (this.pid && !this.#isIt(this.pid))) {
      return;
    }
    try {
      if (this.pid !== undefined) Deno.kill(this.pid, signal);
      else this.#child?.kill(signal);
    } catch {
      // It has ended.
    }
  }
}

/** The processes that a process has started, and those that they have. */
function descendants(pid: number): number[] {
  const found = [pid];
  for (const each of found) {
    try {
      found.push(
        ...Deno.readTextFileSync(`/proc/${each}/task/${each}/children`)
          .split(" ").filter((text) => text !== "").map(Number),
      );
    } catch {
      // It has ended.
    }
  }
  return found;
}

/** The process id of a process in its own namespace. */
function innerPid(pid: number): number | undefined {
  try {
    const status = Deno.readTextFileSync(`/proc/${pid}/status`);
    return Number(/^NSpid:.*?(\d+)$/m.exec(status)![1]);
  } catch {
    return undefined;
  }
}

/** Whether a process is only there to start another one. */
function isStarter(pid: number): boolean {
  try {
    return ["unshare", "sh"].includes(
      Deno.readTextFileSync(`/proc/${pid}/comm`).trim(),
    );
  } catch {
    return true;
  }
}

/** Whether a process runs, and is no zombie. */
export function isRunning(pid: number): boolean {
  try {
    const stat = Deno.readTextFileSync(`/proc/${pid}/stat`);
    return !/\) [ZX] /.test(stat);
  } catch {
    return false;
  }
}
