/**
 * The flags of `deno task chaos`.
 *
 * Ends the process if they are wrong.
 *
 * @module
 */

import { parseArgs } from "@std/cli/parse-args";
import { KINDS } from "./programs.ts";

/** What a run does. */
export interface Flags {
  /** How long programs come and go. */
  seconds: number;
  /** What decides what happens. */
  seed: number;
  /** How many programs run at a time, besides one of each kind. */
  programs: number;
  /** The names of the kinds of programs. */
  runtimes: string[];
  /** What the run consists of. */
  parts: string[];
  /** How many random snapshots are read before. */
  fuzz: number;
  /** Whether the directories are left after a failure. */
  keep: boolean;
}

/** What a run may consist of: commands and their amounts, or ends of all kinds. */
const PARTS = ["commands", "ends"];

const HELP = `Checks what services answer while programs come and go.

Usage: deno task chaos [flags]

      --seconds N      how long programs come and go (60)
      --seed N         what happens, in which order (from the clock)
      --runtimes LIST  of ${KINDS.join(",")} (all)
      --parts LIST     of ${PARTS.join(",")}, which share the time (all)
      --programs N     how many run at a time, and one of each (8)
      --fuzz N         how many snapshots are read by the parser and by a slow
                       one before that (0)
      --keep           leaves the directories if it fails
  -h, --help           print this and exit

The last line is "chaos: … ok", or the exit code is 1.`;

function refuse(why: string): never {
  console.error(`chaos: ${why}`);
  Deno.exit(2);
}

/** Parses the flags, or says what is wrong with them and ends the process. */
export function parseFlags(args: string[]): Flags {
  const flags = parseArgs(args, {
    string: ["seconds", "seed", "runtimes", "parts", "programs", "fuzz"],
    boolean: ["help", "keep"],
    "--": true,
    alias: { h: "help" },
    default: {
      seconds: "60",
      seed: `${Date.now() % 1e9}`,
      runtimes: KINDS.join(","),
      parts: PARTS.join(","),
      programs: "8",
      fuzz: "0",
    },
    unknown: (arg) => refuse(`unknown argument ${arg}; see --help`),
  });
  if (flags.help) {
    console.log(HELP);
    Deno.exit(0);
  }
  const seconds = Number(flags.seconds);
  const seed = Number(flags.seed);
  const programs = Number(flags.programs);
  const runtimes = flags.runtimes.split(",");
  for (const name of runtimes) {
    if (!KINDS.includes(name)) {
      refuse(`unknown runtime ${name}; see --help`);
    }
  }
  const parts = flags.parts.split(",");
  for (const name of parts) {
    if (!PARTS.includes(name)) refuse(`unknown part ${name}; see --help`);
  }
  if (!(seconds > 0 && Number.isInteger(seed) && programs > 0)) {
    refuse("--seconds, --seed and --programs must be numbers");
  }
  const { fuzz, keep } = flags;
  return {
    ...{ seconds, seed, programs, runtimes, parts },
    ...{ fuzz: Number(fuzz), keep },
  };
}
