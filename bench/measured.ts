/**
 * The measurement that a program of this folder prints.
 *
 * @module
 */

/** The unit of a measurement: milliseconds, megabytes, or a count. */
export type Unit = "ms" | "MB" | "times";

/** The other side of a comparison. */
export interface Against {
  /** The value in the unit of the measurement. */
  readonly value: number;
  /**
   * How many times as much statvent takes: the median over the rounds. Absent if
   * the value is 0.
   */
  readonly ratio?: number;
}

/** A peer that could not be measured. */
export interface Skipped {
  /** The reason. */
  readonly skipped: string;
}

/** One measurement of statvent, the floor and the peers, which took turns. */
export interface Measured {
  readonly what: string;
  readonly unit: Unit;
  readonly statvent: number;
  /** The bare operation, if there is one. */
  readonly floor?: Against;
  /** The interquartile range of the floor's rounds. */
  readonly spread?: number;
  readonly peers: Readonly<Record<string, Against | Skipped>>;
}

/** A side of a comparison, without a ratio if that is not finite. */
export function against(value: number, ratio: number): Against {
  return Number.isFinite(ratio) ? { value, ratio } : { value };
}

/** Prints measurements for the parent process. */
export function say(measured: readonly Measured[]): void {
  console.log(JSON.stringify(measured));
}
