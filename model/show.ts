/**
 * The text of a value in an error message.
 *
 * Pure: no clock, no I/O.
 *
 * @module
 */

import { printable } from "./printable.ts";

/**
 * Describes a value in a few characters.
 *
 * @param value Anything.
 * @returns One short line.
 */
export function show(value: unknown): string {
  if (typeof value === "string") {
    const short = value.length > 80 ? `${value.slice(0, 80)}…` : value;
    return printable(JSON.stringify(short));
  }
  if (typeof value === "bigint") return `${value}n`;
  if (Array.isArray(value)) return `[${showItems(value)}]`;
  if (typeof value === "object" && value !== null) return "an object";
  return typeof value === "function" ? "a function" : String(value);
}

function showItems(items: readonly unknown[]): string {
  const shown = items.slice(0, 4).map((item) =>
    Array.isArray(item) ? "an array" : show(item)
  );
  return [...shown, ...(items.length > 4 ? ["…"] : [])].join(", ");
}
