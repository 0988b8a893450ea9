/**
 * The version, as `deno.json` has it.
 *
 * Pure. Imports nothing.
 *
 * @module
 */

/** The version of statvent. */
export const VERSION = "0.1.0";
