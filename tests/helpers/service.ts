/**
 * The web service as a program, for the tests to ask and to end.
 *
 * @module
 */

import { ROOT, until } from "./program.ts";

/** The web service, on a port of its own. */
export class Service implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly pid: number;
  stdout = "";
  stderr = "";

  constructor(dir: string, flags: string[] = []) {
    this.#child = new Deno.Command(Deno.execPath(), {
      args: [
        ...["run", "--quiet", "-A", "--config", `${ROOT.pathname}/deno.json`],
        ...[`${ROOT.pathname}/web.ts`, "--port", "0", "--pipe-dir", dir],
        ...flags,
      ],
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
      env: { NO_COLOR: "1" },
    }).spawn();
    this.pid = this.#child.pid;
    const { stdout, stderr } = this.#child;
    this.#read(stdout, (text) => this.stdout += text);
    this.#read(stderr, (text) => this.stderr += text);
  }

  async #read(
    stream: ReadableStream<Uint8Array<ArrayBuffer>>,
    add: (text: string) => void,
  ): Promise<void> {
    for await (const text of stream.pipeThrough(new TextDecoderStream())) {
      add(text);
    }
  }

  /** The port, when it is open. */
  async port(): Promise<number> {
    return Number(
      await until("the port", () => /:(\d+)\/stats\n/.exec(this.stdout)?.[1]),
    );
  }

  ended(): Promise<Deno.CommandStatus> {
    return this.#child.status;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.#child.kill("SIGKILL");
    } catch {
      // It has ended.
    }
    await this.#child.status;
  }
}
