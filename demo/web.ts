/**
 * The web service, on its usual port or, if that is taken, on a free one.
 *
 * @module
 */

import { createHandler } from "@statvent/statvent/web";
import { endWithDemo } from "./program.ts";

const hostname = "127.0.0.1";

function serve(port: number): void {
  Deno.serve({
    hostname,
    port,
    onListen: ({ port }) => console.log(`http://${hostname}:${port}/stats`),
  }, createHandler());
}

endWithDemo();
try {
  serve(7828);
} catch (error) {
  if (!(error instanceof Deno.errors.AddrInUse)) throw error;
  serve(0);
}
