/**
 * A program on Node and Bun.
 *
 * @module
 */

import { readFileSync } from "node:fs";
import process from "node:process";
import { listen } from "./http_server.ts";
import type { CommandLine } from "./command_line.ts";

/** The program on Node and Bun. */
export const nodeCommandLine: CommandLine = {
  args: process.argv.slice(2),
  command: "npx statvent",
  print: (line) => console.log(line),
  printError: (line) => console.error(line),
  readText: (path) => readFileSync(path, "utf8"),
  exit: (code) => process.exit(code),
  listen,
};
