/**
 * What can be asked of a measurement.
 *
 * @module
 */

import type { Against, Measured } from "./measured.ts";
import { ratioText } from "./numbers.ts";

/** Something to reach. */
export interface Limit {
  readonly text: string;
  isMet(measured: Measured, against: Against): boolean;
}

/** statvent takes at most so many times as much. */
export function atMost(limit: number): Limit {
  return {
    text: `≤ ${ratioText(limit)}`,
    isMet: (_, { ratio = Infinity }) => ratio <= limit,
  };
}

/** statvent takes less than so many times as much. */
export function below(limit: number): Limit {
  return {
    text: `< ${ratioText(limit)}`,
    isMet: (_, { ratio = Infinity }) => ratio < limit,
  };
}

/** What was measured is off by so much at most. */
export function within(distance: number): Limit {
  return {
    text: `1 ± ${ratioText(distance)}`,
    isMet: (_, { ratio = Infinity }) => Math.abs(ratio - 1) <= distance,
  };
}

/** statvent takes no more, as far as that can be told from the floor's rounds. */
export const NO_MORE: Limit = {
  text: "no more",
  isMet: ({ statvent, spread = 0 }, { value }) => statvent <= value + spread,
};
