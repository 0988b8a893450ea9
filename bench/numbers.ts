/**
 * Numbers as the tables show them.
 *
 * @module
 */

import type { Unit } from "./measured.ts";

/** The text of a ratio. */
export function ratioText(ratio: number): string {
  if (ratio === 0) return "0";
  const inverse = 1 / ratio;
  if (Math.abs(inverse - Math.round(inverse)) < 1e-9 && inverse > 1) {
    return `1/${Math.round(inverse)}`;
  }
  if (ratio >= 10) return ratio.toFixed(0);
  return ratio < 0.3 ? `1/${inverse.toFixed(1)}` : ratio.toFixed(2);
}

/** The text of a time in milliseconds. */
function duration(ms: number): string {
  if (ms === 0) return "0";
  if (ms < 1e-3) return `${(ms * 1e6).toFixed(1)} ns`;
  if (ms < 1) return `${(ms * 1e3).toFixed(1)} µs`;
  return `${ms.toFixed(ms < 100 ? 2 : 0)} ms`;
}

/** The text of a value in its unit. */
export function amount(value: number, unit: Unit): string {
  if (unit === "ms") return duration(value);
  return unit === "MB" ? `${value.toFixed(1)} MB` : `${value}`;
}
