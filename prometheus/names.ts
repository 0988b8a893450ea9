/**
 * How Prometheus spells names and numbers.
 *
 * Pure: no clock, no I/O.
 *
 * @module
 */

import type { HostDistribution } from "../collect/host_stats.ts";
import { percentile } from "../percentile.ts";
import type { Escaping } from "./negotiate.ts";

const METRIC = /^[A-Za-z_:][A-Za-z0-9_:]*$/;
const LABEL = /^[A-Za-z_][A-Za-z0-9_]*$/;
// Not allowed before Prometheus 3: any other character, and a leading digit.
const FOREIGN = /^[0-9]|[^A-Za-z0-9_:]/gu;
const FOREIGN_OR_UNDERSCORE = /^[0-9]|[^A-Za-z0-9:]/gu;

// Common separators between the words of a name.
const SEPARATOR = /[ ._:/-]/;

/**
 * Escapes the name of a metric or of a label.
 *
 * @param name Any text.
 * @param escaping The scheme.
 * @returns A name that every version accepts, except with `allow-utf-8`.
 */
export function escapeName(name: string, escaping: Escaping): string {
  switch (escaping) {
    case "allow-utf-8":
      return name;
    case "underscores":
      return name.replace(FOREIGN, "_");
    case "dots":
      return name.replace(
        FOREIGN_OR_UNDERSCORE,
        (c) => c === "." ? "_dot_" : "__",
      );
    case "values":
      // A name that looks escaped must be escaped, or it would be unescaped into
      // another name.
      if (METRIC.test(name) && !name.startsWith("U__")) return name;
      return `U__${
        name.replace(
          FOREIGN_OR_UNDERSCORE,
          (c) => c === "_" ? "__" : `_${c.codePointAt(0)!.toString(16)}_`,
        )
      }`;
  }
}

/** Whether a metric's name needs no quotes. */
export function isPlainMetric(name: string): boolean {
  return METRIC.test(name);
}

/** Writes the name of a label, in quotes if it needs them. */
export function labelName(name: string): string {
  return LABEL.test(name) ? name : quote(name);
}

/** Writes a text in quotes. */
export function quote(text: string): string {
  return `"${escapeText(text).replaceAll('"', '\\"')}"`;
}

/** Escapes a text that stands on a line without quotes. */
export function escapeText(text: string): string {
  return text.replaceAll("\\", "\\\\").replaceAll("\n", "\\n");
}

/** Makes a unit fit for a name: ASCII letters and digits between single `_`. */
export function cleanUnit(unit: string): string {
  return unit.replace(/[^A-Za-z0-9]+/g, "_").replace(/^_|_$/g, "");
}

/** Makes `name` end in `_suffix`; another separator becomes the underscore. */
export function withSuffix(name: string, suffix: string): string {
  const base = withoutSuffix(name, suffix);
  return `${base}_${suffix}`;
}

/** Takes a separator and `suffix` from the end, if more is left. */
export function withoutSuffix(name: string, suffix: string): string {
  const at = name.length - suffix.length - 1;
  return at > 0 && name.endsWith(suffix) && SEPARATOR.test(name[at])
    ? name.slice(0, at)
    : name;
}

/**
 * Writes a number as Go does, which is the canonical form of the numbers in
 * labels: with an exponent from 1e6 on and below 1e-4.
 *
 * @param value A finite number.
 * @param point Whether to have a decimal point or an exponent, as OpenMetrics wants.
 */
export function goNumber(value: number, point: boolean): string {
  const [digits, exponent] = value.toExponential().split("e");
  const n = Number(exponent);
  if (n < -4 || n >= 6) {
    const sign = n < 0 ? "-" : "+";
    return `${digits}e${sign}${`${Math.abs(n)}`.padStart(2, "0")}`;
  }
  const text = `${value}`;
  return point && !text.includes(".") ? `${text}.0` : text;
}

/** The quantiles of a distribution, each once; none without values. */
export function quantileValues(
  { percentiles, window }: HostDistribution,
): Map<number, number> {
  if (window.length === 0) return new Map();
  return new Map(percentiles.map(([p]) => [
    // 99.9 / 100 is 0.9990000000000001.
    Math.round(p * 1e13) / 1e15,
    percentile(window, p),
  ]));
}
