/**
 * A web service as a process of its own, and what it costs.
 *
 * Touches processes, sockets and `/proc`.
 *
 * @module
 */

import { Violation } from "./answer.ts";
import { Account } from "./book.ts";

const ROOT = new URL("../..", import.meta.url).pathname;

/** How long an answer may take until it is given up, in milliseconds. */
const PATIENCE_MS = 10_000;

/** An answer, and when it was asked for and came, by `performance.now()`. */
export interface Answer {
  readonly text: string;
  readonly asked: number;
  readonly came: number;
  /** For how many milliseconds the service could have run meanwhile, and had no processor. */
  readonly waited: number;
}

/** The service and what it has said. */
export class Service {
  readonly name: string;
  readonly account: Account;
  readonly #args: string[];
  readonly #within: readonly string[];
  #child: Deno.ChildProcess | undefined;
  #url = "";
  #stderr: Promise<string> = Promise.resolve("");

  /**
   * @param args The program and its arguments.
   * @param within A command that runs a command, if it is not run here.
   */
  constructor(name: string, args: string[], within: readonly string[] = []) {
    this.name = name;
    this.account = new Account(name);
    this.#args = args;
    this.#within = within;
  }

  /** @param state The state file, if it keeps one. */
  static web(
    name: string,
    pipeDir: string,
    state?: string,
    within?: readonly string[],
  ): Service {
    return new Service(name, [
      ...["--config", `${ROOT}deno.json`, `${ROOT}web.ts`],
      ...["--port", "0", "--pipe-dir", pipeDir],
      ...state === undefined ? [] : ["--state", state],
    ], within);
  }

  get pid(): number {
    return this.#child!.pid;
  }

  get isUp(): boolean {
    return this.#child !== undefined;
  }

  async start(): Promise<void> {
    const [program, ...args] = [
      ...[...this.#within, Deno.execPath()],
      ...["run", "--quiet", "--no-prompt", "-A", ...this.#args],
    ];
    const child = new Deno.Command(program, {
      args,
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
      env: { NO_COLOR: "1" },
    }).spawn();
    this.#stderr = new Response(child.stderr).text();
    let text = "";
    const reader = child.stdout.pipeThrough(new TextDecoderStream())
      .getReader();
    while (!/http:\S+\n/.test(text)) {
      const { value, done } = await reader.read();
      if (done) {
        throw new Violation(
          `${this.name} does not start: ${(await this.#stderr).trim()}`,
        );
      }
      text += value;
    }
    this.#url = new URL("/", /http:\S+/.exec(text)![0]).href;
    (async () => {
      while (!(await reader.read()).done);
    })();
    this.#child = child;
  }

  /** Ends it. With SIGTERM it must end by itself. */
  async stop(signal: "SIGTERM" | "SIGKILL"): Promise<void> {
    const child = this.#child;
    if (child === undefined) return;
    this.#child = undefined;
    child.kill(signal);
    const { code } = await child.status;
    if (signal === "SIGTERM" && code !== 0) {
      throw new Violation(
        `${this.name} ends with ${code}: ${(await this.#stderr).trim()}`,
      );
    }
  }

  /** Asks; `undefined` if it was stopped meanwhile. */
  async ask(
    path: string,
    patience = PATIENCE_MS,
  ): Promise<Answer | undefined> {
    const child = this.#child;
    const waited = waitOf(this.pid);
    const asked = performance.now();
    try {
      const signal = AbortSignal.timeout(patience);
      const response = await fetch(`${this.#url}${path}`, { signal });
      const text = await response.text();
      if (!response.ok) {
        throw new Violation(
          `${this.name} answers ${path} with ${response.status}: ${text}`,
        );
      }
      const came = performance.now();
      return { text, asked, came, waited: waitOf(this.pid) - waited };
    } catch (error) {
      if (error instanceof Violation) throw error;
      if (this.#child !== child) return undefined;
      throw new Violation(`${this.name} does not answer: ${error}`);
    }
  }
}

/** For how many milliseconds the main thread of a process has waited for a processor. */
function waitOf(pid: number): number {
  try {
    return Number(
      Deno.readTextFileSync(`/proc/${pid}/schedstat`).split(" ")[1],
    ) /
      1e6;
  } catch {
    return 0;
  }
}

/** What a process holds. */
export interface Usage {
  files: number;
  threads: number;
  megabytes: number;
}

/** What a process holds at least, over some time. */
export async function usage(pid: number): Promise<Usage> {
  const least = { files: Infinity, threads: Infinity, megabytes: Infinity };
  for (let i = 0; i < 20; i++) {
    const files = [...Deno.readDirSync(`/proc/${pid}/fd`)].length;
    const status = Deno.readTextFileSync(`/proc/${pid}/status`);
    const of = (key: string) =>
      Number(new RegExp(`${key}:\\s*(\\d+)`).exec(status)![1]);
    least.files = Math.min(least.files, files);
    least.threads = Math.min(least.threads, of("Threads"));
    least.megabytes = Math.min(least.megabytes, of("VmRSS") / 1024);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return least;
}
