/**
 * Runs three unrelated programs and the web service, until Ctrl-C.
 *
 * Starts processes, and gives them a pipe directory of their own: the demo's
 * numbers must not show up among those of real programs.
 *
 * @module
 */

/** How long a program may take to end, in milliseconds. One that hangs takes longer. */
const PATIENCE_MS = 1_000;

/** How often to check that the parent process still exists, in milliseconds. */
const PARENT_MS = 1_000;

if (Deno.args.length > 0) {
  console.error(
    `Cannot start the demo: it takes no arguments, got ${Deno.args.join(" ")}`,
  );
  Deno.exit(2);
}

const pipeDir = await Deno.makeTempDir({ prefix: "statvent-demo-" });

/** A child process that prints one line when it is ready, and ends when its input ends. */
class Child {
  readonly pid: number;
  readonly status: Promise<Deno.CommandStatus>;
  readonly #process: Deno.ChildProcess;

  constructor(file: string, permissions: string[]) {
    const url = new URL(file, import.meta.url).href;
    this.#process = new Deno.Command(Deno.execPath(), {
      args: ["run", "--quiet", ...permissions, url],
      env: { STATVENT_PIPE_DIR: pipeDir },
      stdin: "piped",
      stdout: "piped",
      // A terminal sends Ctrl-C to all processes of its group. The demo alone
      // decides when its children end.
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

  /** Ends the program, by force if it hangs. */
  async end(): Promise<void> {
    // The input of a program that was killed is closed already.
    await this.#process.stdin.close().catch(() => {});
    const timer = setTimeout(() => this.#kill(), PATIENCE_MS);
    await this.status;
    clearTimeout(timer);
  }

  #kill(): void {
    try {
      this.#process.kill("SIGKILL");
    } catch {
      // The process has ended by itself.
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
  `--allow-read=${pipeDir}`,
  `--allow-write=${pipeDir}`,
  "--allow-run=mkfifo",
  "--allow-env=STATVENT_PIPE_DIR",
];

const stopped = untilStopped();
const programs = PROGRAMS.map(([name]) => new Child(`${name}.ts`, mayUsePipes));
// Deno needs all permissions to see whether a process still exists.
const service = new Child("web.ts", ["--allow-all"]);

/** Resolves with the exit code when one of the children cannot start, or the web service ends. */
async function run(): Promise<number> {
  const lines = await Promise.all(
    [...programs, service].map((child) => child.firstLine()),
  );
  // A program without a line has printed its error.
  if (lines.includes(undefined)) return 1;
  const [url] = lines.splice(-1);
  console.log(`Three programs are running, with their pipes in ${pipeDir}:\n`);
  for (const [i, [name, work]] of PROGRAMS.entries()) {
    console.log(`  ${name.padEnd(8)} ${work.padEnd(36)} cat ${lines[i]}`);
  }
  console.log("\nThe web service reads them all:\n");
  console.log(`  ${url}`);
  console.log(`  ${url}?format=prettyjson`);
  console.log(`  ${new URL("processes", url)}`);
  console.log(`  ${new URL("metrics", url)}`);
  console.log("\nCtrl-C ends the demo.");
  await service.status;
  return 1;
}

const code = await Promise.race([stopped, run()]);
await Promise.all([...programs, service].map((child) => child.end()));
// A program that is killed leaves its pipes behind.
await Deno.remove(pipeDir, { recursive: true });
Deno.exit(code);
