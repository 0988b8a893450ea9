/**
 * What a program of this folder has measured, and how it says so.
 *
 * @module
 */

/** In what something is measured: milliseconds, megabytes, or how often. */
export type Unit = "ms" | "MB" | "times";

/** What statvent is compared with. */
export interface Against {
  /** In the same unit. */
  readonly value: number;
  /**
   * How many times as much statvent takes: the median over the rounds. Not there
   * if there is nothing to divide by.
   */
  readonly ratio?: number;
}

/** Something that could not be measured. */
export interface Skipped {
  /** Why. */
  readonly skipped: string;
}

/** One thing that was measured, with all that did the same in turn. */
export interface Measured {
  readonly what: string;
  readonly unit: Unit;
  readonly statvent: number;
  /** The bare operation, or nothing at all. */
  readonly floor?: Against;
  /** How far the floor is from itself: half of its rounds are within this. */
  readonly spread?: number;
  readonly peers: Readonly<Record<string, Against | Skipped>>;
}

/** What statvent is compared with, if that is more than nothing. */
export function against(value: number, ratio: number): Against {
  return Number.isFinite(ratio) ? { value, ratio } : { value };
}

/** Prints what was measured, for the program that asked. */
export function say(measured: readonly Measured[]): void {
  console.log(JSON.stringify(measured));
}
