/**
 * What is asked for on the command line.
 *
 * @module
 */

/** What to do. */
export interface Flags {
  readonly help: boolean;
  readonly json: boolean;
  readonly quick: boolean;
  readonly write: boolean;
  readonly guard: boolean;
  /** `deno`, or the command or path of Node or Bun. */
  readonly runtime: string;
  /** The numbers of the questions. */
  readonly only: readonly number[];
}

/** A flag is wrong. */
export class FlagError extends Error {}

const SWITCHES = ["help", "json", "quick", "write", "guard"] as const;
type Switch = typeof SWITCHES[number];

/** What `--help` prints. */
export const HELP = `usage: deno task bench [flags]

Compares statvent with the bare operations and with its peers, one table per
question. Each ratio is how many times as much statvent takes.

  --only N[,M]   answer these questions only
  --runtime R    measure on deno (the default), node, bun, or the one at a path
  --quick        fewer rounds
  --json         print one JSON document
  --write        write the runtime's section of BENCHMARKS.md
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

/**
 * Reads the flags.
 *
 * @param args The arguments.
 * @param questions How many questions there are.
 * @throws {FlagError} If a flag is wrong, with a sentence that says how.
 */
export function parseFlags(
  args: readonly string[],
  questions: number,
): Flags {
  const switches = new Set<Switch>();
  const all = Array.from({ length: questions }, (_, i) => i + 1);
  let runtime = "deno", only: number[] | undefined;
  for (let i = 0; i < args.length; i++) {
    const [flag, ...rest] = args[i].split("=");
    const name = flag.slice(2);
    const isSwitch = (SWITCHES as readonly string[]).includes(name);
    if (!flag.startsWith("--") || (isSwitch && rest.length > 0)) {
      throw new FlagError(`Cannot bench: there is no ${args[i]}, see --help`);
    }
    if (isSwitch) {
      switches.add(name as Switch);
      continue;
    }
    if (name !== "only" && name !== "runtime") {
      throw new FlagError(`Cannot bench: there is no ${flag}, see --help`);
    }
    const value = rest.length > 0 ? rest.join("=") : args[++i];
    if (value === undefined || value === "") {
      throw new FlagError(`Cannot bench: ${flag} must have a value`);
    }
    if (name === "runtime") runtime = value;
    else only = numbersOf(value, questions);
  }
  if (switches.has("write") && (only !== undefined || switches.has("quick"))) {
    throw new FlagError(
      "Cannot bench: what --write writes must be a full run, without --only and --quick",
    );
  }
  const has = (name: Switch) => switches.has(name);
  return {
    help: has("help"),
    json: has("json"),
    quick: has("quick"),
    write: has("write"),
    guard: has("guard"),
    runtime,
    only: only ?? all,
  };
}
