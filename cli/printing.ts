/**
 * What a program prints, without what a terminal would obey.
 *
 * Pure: no clock, no I/O.
 *
 * @module
 */

import { printable } from "../model/printable.ts";
import type { Program } from "../runtime/program.ts";

/**
 * A program whose errors are one line each, in which names of files, stats and
 * flags have no effect on the terminal.
 */
export function printing(program: Program): Program {
  return {
    ...program,
    printError: (line) => program.printError(printable(line)),
  };
}
