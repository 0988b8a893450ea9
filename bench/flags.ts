/**
 * The flags of `deno task bench`.
 *
 * @module
 */

import { parseArgs } from "@std/cli/parse-args";

/** The flags as they were given. */
export interface Flags {
  readonly help: boolean;
  readonly json: boolean;
  readonly quick: boolean;
  readonly write: boolean;
  readonly guard: boolean;
  readonly summary: boolean;
  /** `deno`, or the command or path of Node or Bun. */
  readonly runtime: string;
  /** The numbers of the questions. */
  readonly only: readonly number[];
}

/** The error of a wrong flag. */
export class FlagError extends Error {}

/** What `--help` prints. */
export const HELP = `usage: deno task bench [flags]

Compares statvent with the bare operations and with its peers, one table per
question. A ratio is how many times as much statvent takes.

  --only N[,M]   answer these questions only
  --runtime R    measure on deno (the default), node, bun, or the one at a path
  --quick        fewer rounds
  --json         print one JSON document
  --write        write the runtime's page in bench/results/, and the summary
  --summary      measure nothing, write docs/benchmarks.md from bench/results/
  --guard        warn of ratios beyond their bounds, in less than a minute
  --help         print this
`;

function numbersOf(text: string, questions: number): number[] {
  const numbers = text.split(",").map(Number);
  for (const number of numbers) {
    if (Number.isInteger(number) && number >= 1 && number <= questions) {
      continue;
    }
    throw new FlagError(
      `Cannot bench: --only must have numbers from 1 to ${questions}, got ${text}`,
    );
  }
  return numbers;
}

function refuse(flag: string): never {
  throw new FlagError(`Cannot bench: there is no ${flag}, see --help`);
}

/**
 * Reads the flags.
 *
 * @param args The arguments.
 * @param questions The number of questions.
 * @throws {FlagError} If a flag is wrong; the message explains it.
 */
export function parseFlags(
  args: readonly string[],
  questions: number,
): Flags {
  const {
    only,
    runtime,
    help,
    json,
    quick,
    write,
    guard,
    summary,
    "--": rest,
  } = parseArgs([...args], {
    boolean: ["help", "json", "quick", "write", "guard", "summary"],
    string: ["only", "runtime"],
    alias: { h: "help" },
    default: { runtime: "deno" },
    "--": true,
    unknown: refuse,
  });
  rest.forEach(refuse);
  if (runtime === "") {
    throw new FlagError("Cannot bench: --runtime must have a value");
  }
  if (write && (only !== undefined || quick)) {
    throw new FlagError(
      "Cannot bench: what --write writes must be a full run, without --only and --quick",
    );
  }
  const all = Array.from({ length: questions }, (_, i) => i + 1);
  return {
    help,
    json,
    quick,
    write,
    guard,
    summary,
    runtime,
    only: only === undefined ? all : numbersOf(only, questions),
  };
}
