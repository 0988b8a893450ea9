/**
 * The text of a value in an error message.
 *
 * Pure: no clock, no I/O. Imports nothing.
 *
 * @module
 */

/**
 * Describes a value in a few characters.
 *
 * @param value Anything.
 * @returns One short line.
 */
export function show(value: unknown): string {
  if (typeof value === "string") {
    return JSON.stringify(value.length > 80 ? `${value.slice(0, 80)}…` : value);
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
