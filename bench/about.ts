/**
 * Prints the runtime and the processor that it runs on.
 *
 * @module
 */

import { cpus } from "node:os";
import { versions } from "node:process";

const all = versions as Record<string, string | undefined>;
const runtime = all.deno !== undefined
  ? `Deno ${all.deno}`
  : all.bun !== undefined
  ? `Bun ${all.bun}`
  : `Node ${all.node}`;
const processors = cpus();
console.log(JSON.stringify({
  runtime,
  processor: `${processors.length} × ${processors[0].model}`,
}));
