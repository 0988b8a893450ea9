/**
 * The command `statvent`: `deno run -A jsr:@statvent/statvent/cli`, or
 * `npx statvent`.
 *
 * A program. Importing it runs it.
 *
 * @module
 */

import { main } from "./cli/main.ts";

await main(
  "Deno" in globalThis
    ? (await import("./runtime/program_deno.ts")).denoProgram
    : (await import("./runtime/program_node.ts")).nodeProgram,
);
