/**
 * Programs and services in process id namespaces of their own, as containers
 * have them.
 *
 * Touches the file system and starts programs.
 *
 * @module
 */

import { output, ROOT, writeProgram } from "./program.ts";

/** Whether this user may make namespaces here. */
export async function hasNamespaces(): Promise<boolean> {
  try {
    const { stdout } = await output(
      "unshare",
      "--pid",
      "--fork",
      "--mount-proc",
      "sh",
      "-c",
      "echo $$",
    );
    return stdout.trim() === "1";
  } catch {
    return false;
  }
}

/** A shell that is process 1 of a namespace of its own. */
export class Namespace implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  #stdout = "";

  /** @param text What the shell runs. */
  constructor(text: string) {
    const child = new Deno.Command("unshare", {
      args: [
        ...["--pid", "--fork", "--kill-child", "--mount-proc"],
        ...["sh", "-c", text],
      ],
      stdin: "null",
      stdout: "piped",
      stderr: "inherit",
      env: { NO_COLOR: "1" },
    }).spawn();
    this.#child = child;
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

  /** Waits for the end of the shell. */
  async ended(): Promise<void> {
    await this.#child.status;
  }

  /** Kills all processes in the namespace. */
  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.#child.kill("SIGKILL");
    } catch {
      // It has ended.
    }
    await this.#child.status;
  }
}

/** The words of a command that runs a program with Deno. */
export function denoRun(file: string): string {
  const config = new URL("deno.json", ROOT).pathname;
  return `${Deno.execPath()} run -A --quiet --no-prompt --config ${config} ${file}`;
}

/**
 * Runs a program with the names of the public API in scope as process 1 of a
 * namespace, or behind a text of a shell.
 *
 * @param before What the shell does first; the command follows it.
 */
export async function startInNamespace(
  dir: string,
  text: string,
  before = "exec",
): Promise<Namespace> {
  const file = await writeProgram(text, { dir });
  return new Namespace(`${before} ${denoRun(file)}`);
}
