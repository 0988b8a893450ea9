/**
 * The names of the count and the sum of a distribution.
 *
 * Pure: no clock, no I/O.
 *
 * @module
 */

import type { LabelledName } from "./labels.ts";
import { formatName } from "./names.ts";

/** The name of a distribution's count or sum, formed like that of its median. */
export function derivedName(
  name: string,
  { family }: LabelledName,
  label: "count" | "sum",
): string {
  const derived = formatName(name, label);
  if (derived !== name) return derived;
  // A function named its percentiles: there is no {0} to replace.
  return `${family}.${label}${name.slice(family.length)}`;
}
