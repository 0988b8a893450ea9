/**
 * The commands of `statvent`, and its help.
 *
 * @module
 */

import { VERSION } from "../model/version.ts";
import type { CommandLine } from "../runtime/command_line.ts";
import { forget } from "./forget.ts";
import { printing } from "./printing.ts";
import { serve } from "./serve.ts";

const help = (command: string) =>
  `Stats of all programs on this host, through named pipes.

Usage: ${command} COMMAND

Commands:
  serve          serve the merged stats; see ${command} serve --help
  forget         take names out of the totals; see ${command} forget --help

  -h, --help     print this and exit
      --version  print the version and exit`;

/** Runs the command that the arguments name. */
export async function main(given: CommandLine): Promise<void> {
  const program = printing(given);
  const [name, ...args] = program.args;
  if (name === "serve") {
    await serve({ ...program, args, command: `${program.command} serve` });
  } else if (name === "forget") {
    forget({ ...program, args, command: `${program.command} forget` });
  } else if (name === undefined || name === "--help" || name === "-h") {
    program.print(help(program.command));
  } else if (name === "--version") program.print(`statvent ${VERSION}`);
  else {
    program.printError(`statvent: unknown command ${name}; see --help`);
    program.exit(2);
  }
}
