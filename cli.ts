/**
 * The command `statvent`: `deno run -A jsr:@statvent/statvent/cli`, or
 * `npx statvent`.
 *
 * A program. Importing it runs it.
 *
 * @module
 */

import { main } from "./cli/commands.ts";

await main(
  "Deno" in globalThis
    ? (await import("./runtime/command_line_deno.ts")).denoCommandLine
    : (await import("./runtime/command_line_node.ts")).nodeCommandLine,
);
