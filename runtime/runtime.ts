/**
 * The runtime that this program runs on, chosen when the module loads.
 *
 * @module
 */

import { denoRuntime } from "./deno.ts";
import { nodeRuntime } from "./node.ts";
import type { Runtime } from "./system.ts";

/** The runtime that this program runs on. */
export const runtime: Runtime = "Deno" in globalThis
  ? denoRuntime
  : nodeRuntime;
