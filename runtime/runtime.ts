/**
 * What statvent needs of the operating system, and which runtime provides it.
 *
 * The runtime is picked when the module loads, by looking at what is there.
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
