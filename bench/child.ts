/**
 * Programs of this folder as child processes on the same runtime.
 *
 * @module
 */

import { type ChildProcess, spawn } from "node:child_process";
import { execPath, versions } from "node:process";
import { createInterface } from "node:readline";

/** The command that starts another program of this folder. */
export function commandOf(
  program: string,
): { command: string; args: string[] } {
  // The bundles for Node and Bun are JavaScript files.
  const file = import.meta.url.endsWith(".ts")
    ? program
    : program.replace(/\.ts$/, ".js");
  const path = new URL(file, import.meta.url).pathname;
  const args = "deno" in versions ? ["run", "--quiet", "-A", path] : [path];
  return { command: execPath, args };
}

const children = new Set<Child>();

/** A running program that exchanges lines and ends when its input does. */
export class Child {
  readonly pid: number;
  readonly #process: ChildProcess;
  readonly #lines: AsyncIterator<string>;
  readonly #ended: Promise<unknown>;

  /** Starts a program of this folder, or another `command`. */
  constructor(
    program: string,
    args: readonly string[] = [],
    command = commandOf(program),
  ) {
    this.#process = spawn(command.command, [...command.args, ...args], {
      stdio: ["pipe", "pipe", "inherit"],
    });
    this.#ended = new Promise((resolve) =>
      this.#process.once("error", resolve).once("exit", resolve)
    );
    this.pid = this.#process.pid!;
    this.#lines = createInterface({ input: this.#process.stdout! })
      [Symbol.asyncIterator]();
    children.add(this);
  }

  /** Sends a line. */
  send(line: string): void {
    this.#process.stdin!.write(`${line}\n`);
  }

  /** Waits for a line. */
  async receive(): Promise<string> {
    const { value, done } = await this.#lines.next();
    if (done) throw new Error("A program has ended early");
    return value;
  }

  /** Sends a line and waits for its answer. */
  ask(line: string): Promise<string> {
    this.send(line);
    return this.receive();
  }

  /** Ends the program. */
  async end(): Promise<void> {
    children.delete(this);
    this.#process.stdin!.end();
    await this.#ended;
  }
}

/** Ends all programs that are still running. */
export async function endChildren(): Promise<void> {
  await Promise.all([...children].map((child) => child.end()));
}
