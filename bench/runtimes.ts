/**
 * Programs of this folder on the runtime that is measured.
 *
 * Deno runs the sources. Node and Bun run bundles of them, beside an
 * installation of the peers and of the npm package.
 *
 * @module
 */

import { QUICK } from "./effort.ts";
import { FlagError } from "./flags.ts";
import type { Measured } from "./measured.ts";
import type { Program } from "./questions.ts";

const root = new URL("..", import.meta.url).pathname;

/** The configuration of the benches, which pins the peers. */
const CONFIG = `${root}bench/deno.json`;

/** The form of a peer's entry in the configuration. */
const PEER = /^npm:.+@(\d+\.\d+\.\d+)$/;

/** The runtime and the machine. */
export interface About {
  /** Such as `Deno 2.9.6`. */
  readonly runtime: string;
  readonly processor: string;
}

/** The error of a program that has failed. */
export class ProgramError extends Error {}

async function run(
  command: string,
  args: readonly string[],
  options: Deno.CommandOptions = {},
): Promise<string> {
  const child = new Deno.Command(command, { ...options, args: [...args] });
  const { code, stdout, stderr } = await child.output();
  if (code !== 0) {
    const text = new TextDecoder().decode(stderr);
    // deno-lint-ignore no-control-regex -- ANSI colors.
    const lines = text.replaceAll(/\x1b\[[\d;]*m/g, "").trim().split("\n");
    const line = lines.find((line) => /Error\b/.test(line)) ?? lines.at(-1);
    throw new ProgramError(line || `exit code ${code}`);
  }
  return new TextDecoder().decode(stdout);
}

/** The versions of the peers, by name: the npm packages of `bench/deno.json`. */
export async function peerVersions(): Promise<Record<string, string>> {
  const { imports } = JSON.parse(await Deno.readTextFile(CONFIG));
  return Object.fromEntries(
    Object.entries<string>(imports).flatMap(([name, from]) => {
      const version = PEER.exec(from)?.[1];
      return version === undefined ? [] : [[name, version]];
    }),
  );
}

/** Bundles the programs into a folder and installs their imports there. */
async function install(dir: string): Promise<void> {
  const peers = await peerVersions();
  const files: string[] = [];
  for await (const { name } of Deno.readDir(`${root}bench`)) {
    if (name.endsWith(".ts")) files.push(`bench/${name}`);
    // The peer in Python and the writers in C.
    if (/\.(py|c)$/.test(name)) {
      await Deno.copyFile(`${root}bench/${name}`, `${dir}/${name}`);
    }
  }
  await run(Deno.execPath(), [
    ...["bundle", "--quiet", `--config=${CONFIG}`],
    ...["--platform=deno", "--code-splitting"],
    ...Object.keys(peers).flatMap((peer) => ["--external", peer]),
    ...[`--outdir=${dir}`, ...files],
  ], { cwd: root });
  await run(Deno.execPath(), ["task", "--quiet", "npm"], { cwd: root });
  const dependencies = { ...peers, statvent: `file:${root}npm` };
  await Deno.writeTextFile(
    `${dir}/package.json`,
    JSON.stringify({ private: true, type: "module", dependencies }),
  );
  const flags = ["--no-audit", "--no-fund", "--ignore-scripts"];
  await run("npm", ["install", ...flags], { cwd: dir });
}

/** A runtime that is ready to run the programs. */
export class Runtime {
  readonly #command: readonly string[];
  readonly #folder: string;
  /** The ending of the files in the folder. */
  readonly #suffix: ".ts" | ".js";

  private constructor(
    command: readonly string[],
    folder: string,
    suffix: ".ts" | ".js",
  ) {
    this.#command = command;
    this.#folder = folder;
    this.#suffix = suffix;
  }

  /**
   * Prepares a runtime.
   *
   * @param runtime `deno`, or the command or path of Node or Bun.
   * @throws {FlagError} If there is no such runtime.
   */
  static async prepare(runtime: string): Promise<Runtime> {
    if (runtime === "deno") {
      const command = [Deno.execPath(), "run", "--quiet", "-A"];
      return new Runtime(command, `${root}bench`, ".ts");
    }
    await run(runtime, ["--version"]).catch(() => {
      throw new FlagError(
        `Cannot bench: --runtime must be deno, node, bun or the path of one, got ${runtime}`,
      );
    });
    const folder = await Deno.makeTempDir({ prefix: "statvent-bench-" });
    await install(folder);
    return new Runtime([runtime], folder, ".js");
  }

  async #run(
    [file, ...args]: Program,
    env: Record<string, string> = {},
  ): Promise<string> {
    const [command, ...flags] = this.#command;
    const path = `${this.#folder}/${file.replace(/\.ts$/, this.#suffix)}`;
    return await run(command, [...flags, path, ...args], {
      env: { ...env, NO_COLOR: "1" },
    });
  }

  /** The runtime and the machine. */
  async about(): Promise<About> {
    return JSON.parse(await this.#run(["about.ts"]));
  }

  /**
   * Runs a program to its end.
   *
   * @throws {ProgramError} If it fails, with the reason.
   */
  async measure(program: Program, quick: boolean): Promise<Measured[]> {
    return JSON.parse(await this.#run(program, quick ? { [QUICK]: "1" } : {}));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#suffix === ".js") {
      await Deno.remove(this.#folder, { recursive: true });
    }
  }
}
