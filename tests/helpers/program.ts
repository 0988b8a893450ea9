/**
 * Real programs that use statvent, for the tests to start, read and end.
 *
 * @module
 */

/** The folder of the package, as a URL. */
export const ROOT = new URL("../..", import.meta.url);

/** Fails, with what was awaited, if that takes longer than this. */
const PATIENCE_MS = 30_000;

/** The result of `probe` as soon as it is neither `undefined` nor `false`. */
export async function until<T>(
  what: string,
  probe: () => T | Promise<T>,
): Promise<Exclude<T, undefined | false>> {
  for (const end = Date.now() + PATIENCE_MS; Date.now() < end;) {
    const result = await probe();
    if (result !== undefined && result !== false) {
      return result as Exclude<T, undefined | false>;
    }
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  throw new Error(`${what}: not seen within ${PATIENCE_MS} ms`);
}

/** Runs `action` with a new directory, and removes that afterwards. */
export async function withDir<T>(
  action: (dir: string) => Promise<T>,
): Promise<T> {
  const dir = await Deno.makeTempDir({ prefix: "statvent-test-" });
  try {
    return await action(dir);
  } finally {
    await Deno.remove(dir, { recursive: true }).catch(() => {});
  }
}

/** The names in a directory, sorted; none if it does not exist. */
export function namesIn(dir: string): string[] {
  try {
    return [...Deno.readDirSync(dir)].map(({ name }) => name).sort();
  } catch {
    return [];
  }
}

/** What a command prints, as text. */
export async function output(
  command: string,
  ...args: string[]
): Promise<{ code: number; stdout: string; stderr: string }> {
  const { code, stdout, stderr } = await new Deno.Command(command, {
    args,
    stdin: "null",
  }).output();
  const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, stdout: decode(stdout), stderr: decode(stderr) };
}

/** What `cat` prints of a pipe. It is given as long as anything is waited for. */
export async function cat(path: string): Promise<string> {
  const { code, stdout, stderr } = await output(
    ...["timeout", `${PATIENCE_MS / 1000}`, "cat", path] as const,
  );
  if (code !== 0) throw new Error(`cat ${path}: exit code ${code} ${stderr}`);
  return stdout;
}

/** Whether a name is that of a generation of a ledger. */
export function isLedger(name: string): boolean {
  return /^\.ledger\.\d+\.\d+$/.test(name);
}

/** The names in a directory, but for the ledgers and the last values of ended processes. */
export function leftIn(dir: string): string[] {
  return namesIn(dir).filter((name) =>
    !isLedger(name) && !name.startsWith(".ended.")
  );
}

/** The names in a directory, but for what a process leaves that is ended by a signal: it cannot know that it dies. */
export function strayIn(dir: string): string[] {
  return leftIn(dir).filter((name) => !/\.(alive|checkpoint)$/.test(name));
}

/** The path of the highest generation of a user's ledger; `undefined` if there is none. */
export function ledgerIn(
  dir: string,
  user: number = Deno.uid()!,
): string | undefined {
  const start = `.ledger.${user}.`;
  const [highest] = namesIn(dir)
    .filter((name) => isLedger(name) && name.startsWith(start))
    .map((name) => Number(name.slice(start.length)))
    .sort((a, b) => b - a);
  return highest === undefined ? undefined : `${dir}/${start}${highest}`;
}

/** Starts a shell in a session of its own. `$0` is `arg`. */
export function startShell(text: string, arg: string): Deno.ChildProcess {
  return new Deno.Command("setsid", {
    args: ["sh", "-c", text, arg],
    stdin: "null",
    stderr: "null",
  }).spawn();
}

/** Kills a shell and all that it has started. */
export async function killShell(shell: Deno.ChildProcess): Promise<void> {
  await output("sh", "-c", `kill -s KILL -- -${shell.pid}`);
  await shell.status;
}

/** How a program is started. */
export interface ProgramOptions {
  /** The pipe directory, in `config.pipeDir` of the program. */
  dir: string;
  /** Where the program's text imports statvent from. */
  from?: string;
  /** The permissions; all by default. */
  permissions?: string[];
  /** More arguments for `deno run`. */
  flags?: string[];
}

/** A program that runs. */
export class Program implements AsyncDisposable {
  /** Its process id. */
  readonly pid: number;
  /** Its pipe. */
  readonly path: string;
  readonly #child: Deno.ChildProcess;
  readonly #stderr: Promise<string>;
  #stdout = "";

  constructor(child: Deno.ChildProcess, dir: string) {
    this.#child = child;
    this.pid = child.pid;
    this.path = `${dir}/${child.pid}.stats`;
    this.#stderr = new Response(child.stderr).text();
    (async () => {
      for await (
        const text of child.stdout.pipeThrough(new TextDecoderStream())
      ) this.#stdout += text;
    })();
  }

  /** What it has printed so far. */
  get stdout(): string {
    return this.#stdout;
  }

  /** Waits until it has printed a text. */
  async printed(text: string): Promise<void> {
    await until(`"${text}" of ${this.pid}`, async () => {
      if (this.#stdout.includes(text)) return true;
      const ended = await Promise.race([this.#child.status, undefined]);
      if (ended !== undefined && !this.#stdout.includes(text)) {
        throw new Error(`ended with ${ended.code}: ${await this.#stderr}`);
      }
      return false;
    });
  }

  /** Waits for its end. */
  async ended(): Promise<
    { code: number; signal: string | null; stderr: string }
  > {
    const { code, signal } = await this.#child.status;
    return { code, signal, stderr: await this.#stderr };
  }

  /** Sends a signal. */
  kill(signal: Deno.Signal): void {
    this.#child.kill(signal);
  }

  /** Kills it, if it still runs. */
  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.#child.kill("SIGKILL");
    } catch {
      // It has ended.
    }
    await this.#child.status;
    await this.#stderr;
  }
}

/** Stops a program, and waits until the system has stopped all its threads. */
export async function stop(program: Program): Promise<void> {
  program.kill("SIGSTOP");
  const tasks = `/proc/${program.pid}/task`;
  await until(
    "the stop",
    () =>
      namesIn(tasks).every((task) =>
        Deno.readTextFileSync(`${tasks}/${task}/stat`).includes(") T ")
      ),
  );
}

/** Writes a program's text to a file of its own. */
export async function writeProgram(
  text: string,
  { dir, from = new URL("mod.ts", ROOT).href }: ProgramOptions,
): Promise<string> {
  const file = await Deno.makeTempFile({
    prefix: "statvent-program-",
    suffix: ".ts",
  });
  await Deno.writeTextFile(
    file,
    `import * as statvent from ${JSON.stringify(from)};
const { config, counter, distribution, gauge, getAll, incr, record, set, startRecorder } = statvent;
config.pipeDir = ${JSON.stringify(dir)};
${text}
`,
  );
  return file;
}

/** Starts a program with the names of the public API in scope. */
export async function startProgram(
  text: string,
  options: ProgramOptions,
): Promise<Program> {
  const file = await writeProgram(text, options);
  const { permissions = ["--allow-all"], flags = [], dir } = options;
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--quiet",
      "--no-prompt",
      "--config",
      new URL("deno.json", ROOT).pathname,
      ...permissions,
      ...flags,
      file,
    ],
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
    env: { NO_COLOR: "1" },
  }).spawn();
  const program = new Program(child, dir);
  program.ended().then(() => Deno.remove(file));
  return program;
}

/**
 * Builds the npm package. Tests that run at the same time each get a copy of
 * their own.
 *
 * @returns Its folder, in a given one.
 */
export async function buildPackage(dir: string): Promise<string> {
  const { code, stderr } = await output(
    ...["flock", `${ROOT.pathname}deno.json`, "sh", "-c"] as const,
    `"$0" task --quiet --config "$1/deno.json" npm && cp -r "$1/npm" "$2"`,
    ...[Deno.execPath(), ROOT.pathname, dir] as const,
  );
  if (code !== 0) throw new Error(`Cannot build the npm package: ${stderr}`);
  return `${dir}/npm`;
}

/** The permissions that the recorder needs, no more. */
export function leastPermissions(dir: string): string[] {
  return [`--allow-read=${dir}`, `--allow-write=${dir}`, "--allow-run=mkfifo"];
}

/** The text that keeps a program alive until it is killed. */
export const LIVE = "setInterval(() => {}, 1e6); console.log('live');";

/** A port that nobody listens on. */
export function freePort(): number {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  listener.close();
  return port;
}

/** Whether a program is there. */
export async function hasProgram(
  command: string,
  ...args: string[]
): Promise<boolean> {
  try {
    const { success } = await new Deno.Command(command, {
      args,
      stdout: "null",
      stderr: "null",
    }).output();
    return success;
  } catch {
    return false;
  }
}

/** What `cat` prints, once there is a pipe. */
export async function read(program: Program): Promise<string> {
  await until(
    program.path,
    () => namesIn(dirOf(program)).includes(`${program.pid}.stats`),
  );
  return await cat(program.path);
}

export const dirOf = (program: Program) => program.path.replace(/\/[^/]*$/, "");
