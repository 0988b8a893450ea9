/**
 * The web service, which answers with the merged stats of a host.
 *
 * `deno run -A jsr:@statvent/statvent/web` serves it on port 7828; see `--help`.
 * `deno serve -A jsr:@statvent/statvent/web` works too.
 *
 * @module
 */

import { serve } from "./cli/serve.ts";
import type { Handler } from "./runtime/command_line.ts";
import { startAsProgram } from "./runtime/command_line_deno.ts";
import { createHandler } from "./web/handler.ts";

export { guard, type GuardOptions } from "./web/guard.ts";
export { createHandler, type HandlerOptions } from "./web/handler.ts";
export { type Handler } from "./runtime/command_line.ts";

let handler: Handler | undefined;
const service = {
  /** Answers a request with the default options. */
  fetch: (request: Request): Promise<Response> =>
    (handler ??= createHandler())(request),
};

/** The object whose `fetch` `deno serve` calls. */
const entry: { fetch: Handler } | undefined =
  import.meta.main && "Deno" in globalThis
    ? startAsProgram(
      service,
      (program) =>
        serve({
          ...program,
          command: "deno run -A jsr:@statvent/statvent/web",
        }),
    )
    : service;

export default entry;
