/**
 * What a program prints, without what a terminal would obey.
 *
 * Pure: no clock, no I/O.
 *
 * @module
 */

import { printable } from "../model/printable.ts";
import type { CommandLine } from "../runtime/command_line.ts";

/**
 * A program whose errors are one line each, in which names of files, stats and
 * flags have no effect on the terminal.
 */
export function printing(program: CommandLine): CommandLine {
  return {
    ...program,
    printError: (line) => program.printError(printable(line)),
  };
}
