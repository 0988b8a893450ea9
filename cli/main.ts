/**
 * The command `statvent` of the npm package.
 *
 * @module
 */

import process from "node:process";
import { serve } from "./serve.ts";
import { nodeHost } from "../runtime/program_node.ts";
import { VERSION } from "../model/version.ts";
import { createHandler } from "../web/handler.ts";

const HELP = `Stats of all programs on this host, through named pipes.

Usage: npx statvent COMMAND

Commands:
  serve      serve the merged stats; see npx statvent serve --help

  --help     print this and exit
  --version  print the version and exit`;

const command = process.argv[2];
if (command === "serve") await serve(nodeHost, createHandler);
else if (command === undefined || command === "--help" || command === "-h") {
  console.log(HELP);
} else if (command === "--version") console.log(`statvent ${VERSION}`);
else {
  console.error(`statvent: unknown command ${command}; see --help`);
  process.exitCode = 2;
}
