/**
 * Limits for a ratio, each with its text.
 *
 * @module
 */

import type { Against, Measured } from "./measured.ts";
import { ratioText } from "./numbers.ts";

/** A limit for a measurement. */
export interface Limit {
  readonly text: string;
  isMet(measured: Measured, against: Against): boolean;
}

/** The ratio is at most the limit. */
export function atMost(limit: number): Limit {
  return {
    text: `≤ ${ratioText(limit)}`,
    isMet: (_, { ratio = Infinity }) => ratio <= limit,
  };
}

/** The ratio is below the limit. */
export function below(limit: number): Limit {
  return {
    text: `< ${ratioText(limit)}`,
    isMet: (_, { ratio = Infinity }) => ratio < limit,
  };
}

/** The ratio differs from 1 by at most the distance. */
export function within(distance: number): Limit {
  return {
    text: `1 ± ${ratioText(distance)}`,
    isMet: (_, { ratio = Infinity }) => Math.abs(ratio - 1) <= distance,
  };
}

/** statvent takes no more than the other, within the spread of the floor's rounds. */
export const NO_MORE: Limit = {
  text: "no more",
  isMet: ({ statvent, spread = 0 }, { value }) => statvent <= value + spread,
};
