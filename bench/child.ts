/**
 * Runs a program of this folder as a process of its own.
 *
 * @module
 */

const PERMISSIONS = [
  "--allow-read",
  "--allow-write",
  "--allow-run",
  "--allow-env",
  "--allow-sys",
];

function command(
  program: string,
  args: readonly string[],
  options: Deno.CommandOptions,
): Deno.Command {
  const url = new URL(program, import.meta.url);
  return new Deno.Command(Deno.execPath(), {
    ...options,
    args: ["run", "--quiet", ...PERMISSIONS, url.href, ...args],
  });
}

/** Runs a program until it ends and prints what it prints. */
export async function run(
  program: string,
  args: readonly string[],
): Promise<void> {
  const { success } = await command(program, args, {}).spawn().status;
  if (!success) throw new Error(`Cannot measure: ${program} has failed`);
}

/** Runs a program until it ends and reads the JSON that it prints. */
export async function runJson<T>(
  program: string,
  args: readonly string[],
): Promise<T> {
  const { success, stdout } = await command(program, args, {
    stderr: "inherit",
  }).output();
  if (!success) throw new Error(`Cannot measure: ${program} has failed`);
  return JSON.parse(new TextDecoder().decode(stdout));
}

/** A running program that talks in lines, and ends when its input does. */
export class Child implements AsyncDisposable {
  readonly pid: number;
  readonly #process: Deno.ChildProcess;
  readonly #input: WritableStreamDefaultWriter<Uint8Array<ArrayBuffer>>;
  readonly #output: ReadableStreamDefaultReader<string>;
  #rest = "";

  constructor(program: string, args: readonly string[]) {
    this.#process = command(program, args, {
      stdin: "piped",
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
    this.pid = this.#process.pid;
    this.#input = this.#process.stdin.getWriter();
    this.#output = this.#process.stdout
      .pipeThrough(new TextDecoderStream()).getReader();
  }

  /** Sends a line. */
  async send(line: string): Promise<void> {
    await this.#input.write(new TextEncoder().encode(`${line}\n`));
  }

  /** Waits for a line. */
  async receive(): Promise<string> {
    for (;;) {
      const end = this.#rest.indexOf("\n");
      if (end !== -1) {
        const line = this.#rest.slice(0, end);
        this.#rest = this.#rest.slice(end + 1);
        return line;
      }
      const { value, done } = await this.#output.read();
      if (done) throw new Error("Cannot measure: a program has ended early");
      this.#rest += value;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#input.close();
    await this.#process.status;
    await this.#output.cancel();
  }
}
