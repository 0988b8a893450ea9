/**
 * The version of statvent, which must equal that of `deno.json`.
 *
 * Pure. Imports nothing.
 *
 * @module
 */

/** The version of statvent. */
export const VERSION = "0.1.0";
