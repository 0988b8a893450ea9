/**
 * The command that takes names out of the totals of ended processes.
 *
 * Prints through the runtime's program, and touches the pipe directory.
 *
 * @module
 */

import {
  type Flag,
  HELP,
  helpOf,
  parseTable,
  PIPE_DIR,
  UsageError,
} from "./flags.ts";
import { printing } from "./printing.ts";
import { parsePipeDir } from "./settings.ts";
import { parsePipeName } from "../directory/file_names.ts";
import { findTotals, forgetTotals, type UserTotal } from "../ended/forget.ts";
import type { Matches } from "../ended/totals.ts";
import { compileGlob } from "../model/glob.ts";
import { formatNumber } from "../model/numbers.ts";
import { printable } from "../model/printable.ts";
import { show } from "../model/show.ts";
import { attempt } from "../runtime/attempt.ts";
import type { CommandLine } from "../runtime/command_line.ts";
import { runtime } from "../runtime/runtime.ts";

const FLAGS: readonly Flag[] = [
  {
    name: "yes",
    short: "y",
    help: "takes them out; without it they are only listed",
  },
  PIPE_DIR,
  HELP,
];

/** How wide a column is made at most. */
const MAX_WIDTH = 60;

const help = (command: string) =>
  `Takes names out of the totals of ended programs: those of this user, or those
of all users if run as root. Programs that run keep what they count, and add it
to the totals when they end.

Usage: ${command} PATTERN [flags]

PATTERN is a glob, such as 'http.*', that matches names without their labels, or
whole names.

${FLAGS.map(helpOf).join("\n")}

Examples:
  ${command} 'demo.*'
  ${command} 'demo.*' --yes`;

/** What to forget, and where. */
interface Settings {
  readonly pattern: string;
  readonly dir: string;
  readonly isSure: boolean;
}

/** @throws {UsageError} With a sentence on what an argument must be. */
function readSettings(args: string[]): Settings | "help" {
  const { values, operands } = parseTable(FLAGS, args);
  if (values.help === true) return "help";
  const [pattern, second] = operands;
  if (second !== undefined) {
    throw new UsageError(
      `unexpected argument ${second}, since there is one PATTERN, in quotes`,
    );
  }
  if (!pattern) throw new UsageError("PATTERN must be given, such as 'http.*'");
  const dir = parsePipeDir(values[PIPE_DIR.name] as string | undefined);
  return { pattern, dir, isSure: values.yes === true };
}

/** Lists names in the totals, or takes them out. */
export function forget(given: CommandLine): void {
  const program = printing(given);
  let settings;
  try {
    settings = readSettings(program.args);
  } catch (error) {
    program.printError(`statvent: ${(error as Error).message}; see --help`);
    return program.exit(2);
  }
  if (settings === "help") return program.print(help(program.command));
  let problem;
  try {
    problem = run(program, settings);
  } catch (error) {
    problem = (error as Error).message;
  }
  if (problem === undefined) return;
  program.printError(`statvent: ${problem}`);
  program.exit(1);
}

/** @returns Why there was nothing to do, or why it could not be done. */
function run(
  program: CommandLine,
  { pattern, dir, isSure }: Settings,
): string | undefined {
  if (attempt(() => runtime.identifyTarget(dir)) === undefined) {
    return `${dir} does not exist`;
  }
  const matchesGlob = compileGlob(pattern);
  const matches: Matches = (name, family) =>
    matchesGlob(name) || (family !== name && matchesGlob(family));
  const found = findTotals(dir, matches);
  if (found.length === 0) {
    return `nothing in the totals matches ${show(pattern)}`;
  }
  for (const line of table(found)) program.print(line);
  const names = counted(new Set(found.map(({ name }) => name)).size);
  if (isSure) {
    for (const user of new Set(found.map(({ user }) => user))) {
      forgetTotals(dir, user, matches);
    }
    const left = findTotals(dir, matches);
    if (left.length > 0) {
      return `${
        counted(left.length)
      } of these could not be removed, or came back from programs that ended; repeat the command`;
    }
    program.print(`Removed ${names} from the totals.`);
  } else program.print(`--yes removes ${names} from the totals.`);
  if (hasPipes(dir)) {
    program.print("Programs that run keep what they count until they end.");
  }
}

const counted = (names: number) => names === 1 ? "1 name" : `${names} names`;

function hasPipes(dir: string): boolean {
  return runtime.list(dir).some((name) => parsePipeName(name) !== undefined);
}

/** A line for each name, and for each user if there are several. */
function table(found: readonly UserTotal[]): string[] {
  const hasUsers = found.some(({ user }) => user !== found[0].user);
  const rows = found.map(({ name, user, total, isRecorded }) => [
    printable(name),
    ...(hasUsers ? [`user ${user}`] : []),
    formatNumber(total.value, total.fractional) +
    (isRecorded ? " recorded" : ""),
  ]);
  // A name may have 65,536 characters.
  const widths = rows[0].map((_, i) =>
    rows.reduce((widest, row) => Math.max(widest, row[i].length), 0)
  ).map((width) => Math.min(width, MAX_WIDTH));
  return rows.map((row) =>
    row.map((cell, i) => cell.padEnd(widths[i])).join("  ").trimEnd()
  );
}
