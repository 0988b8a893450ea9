/**
 * Three programs that have nothing to do with each other, and the web service.
 *
 * Run it with `deno task demo`. Ctrl-C ends it.
 *
 * @module
 */

import { config } from "@statvent/statvent";

/** How long a program may take to end, in milliseconds. One that hangs takes longer. */
const PATIENCE_MS = 1_000;

/** How often to look whether the parent is still there, in milliseconds. */
const PARENT_MS = 1_000;

/** A child process that says one line when it is ready, and ends when its input ends. */
class Child {
  readonly pid: number;
  readonly status: Promise<Deno.CommandStatus>;
  readonly #process: Deno.ChildProcess;

  constructor(file: string, permissions: string[]) {
    const url = new URL(file, import.meta.url).href;
    this.#process = new Deno.Command(Deno.execPath(), {
      args: ["run", "--quiet", ...permissions, url],
      env: { STATVENT_PIPE_DIR: config.pipeDir },
      stdin: "piped",
      stdout: "piped",
      // Ctrl-C goes to all processes of a terminal's group. This one decides
      // when the others end.
      detached: true,
    }).spawn();
    this.pid = this.#process.pid;
    this.status = this.#process.status;
  }

  /** The line, or `undefined` if the program has ended without one. */
  async firstLine(): Promise<string | undefined> {
    let text = "";
    const stdout = this.#process.stdout.pipeThrough(new TextDecoderStream());
    for await (const piece of stdout) {
      text += piece;
      const end = text.indexOf("\n");
      if (end !== -1) return text.slice(0, end);
    }
  }

  /** Ends the program. Resolves when neither it nor a pipe of it is left. */
  async end(): Promise<void> {
    // A program that was killed has closed its input already.
    await this.#process.stdin.close().catch(() => {});
    const timer = setTimeout(() => this.#kill(), PATIENCE_MS);
    const { success } = await this.status;
    clearTimeout(timer);
    // A program that is killed cannot remove its own.
    if (!success) await removePipes(this.pid).catch(() => {});
  }

  #kill(): void {
    try {
      this.#process.kill("SIGKILL");
    } catch {
      // It has just ended.
    }
  }
}

async function removePipes(pid: number): Promise<void> {
  for await (const { name } of Deno.readDir(config.pipeDir)) {
    if (name === `${pid}.stats` || name.startsWith(`.${pid}.`)) {
      await Deno.remove(`${config.pipeDir}/${name}`);
    }
  }
}

/** Resolves with the exit code when a signal or the end of the parent says to stop. */
function untilStopped(): Promise<number> {
  return new Promise((resolve) => {
    const stop = () => resolve(0);
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
      Deno.addSignalListener(signal, stop);
    }
    const parent = Deno.ppid;
    setInterval(() => Deno.ppid === parent || stop(), PARENT_MS);
  });
}

const PROGRAMS = [
  ["shop", "takes orders"],
  ["queue", "sends mail"],
  ["reports", "hangs for two seconds now and then"],
] as const;

const mayUsePipes = [
  `--allow-read=${config.pipeDir}`,
  `--allow-write=${config.pipeDir}`,
  "--allow-run=mkfifo",
  "--allow-env=STATVENT_PIPE_DIR",
];

const stopped = untilStopped();
const programs = PROGRAMS.map(([name]) => new Child(`${name}.ts`, mayUsePipes));
// Only with all permissions may Deno see whether a process still exists.
const service = new Child("web.ts", ["--allow-all"]);

/** Resolves with the exit code when one of the children cannot start, or the web service ends. */
async function run(): Promise<number> {
  const lines = await Promise.all(
    [...programs, service].map((child) => child.firstLine()),
  );
  // Who has no line has said why, where errors go.
  if (lines.includes(undefined)) return 1;
  const [url] = lines.splice(-1);
  console.log("Three programs are running, each with a pipe of its own:\n");
  for (const [i, [name, work]] of PROGRAMS.entries()) {
    console.log(`  ${name.padEnd(8)} ${work.padEnd(36)} cat ${lines[i]}`);
  }
  console.log("\nThe web service reads them all:\n");
  console.log(`  ${url}`);
  console.log(`  ${url}?format=prettyjson`);
  console.log("\nCtrl-C ends the demo.");
  await service.status;
  return 1;
}

const code = await Promise.race([stopped, run()]);
await Promise.all([...programs, service].map((child) => child.end()));
Deno.exit(code);
