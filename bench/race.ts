/**
 * Lets contenders run in turn, many rounds, and takes medians.
 *
 * Reads the clock.
 *
 * @module
 */

/** Does the work of one round and returns a number that depends on all of it. */
export type Contender = () => number | Promise<number>;

// What the contenders return ends here, so that none of it is optimized away.
let sink = 0;

/** The value in the middle, or at another `part` from 0 to 1. */
export function median(values: readonly number[], part = 0.5): number {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (sorted.length - 1) * part;
  return (sorted[Math.floor(at)] + sorted[Math.ceil(at)]) / 2;
}

/** The times of all contenders in all rounds. */
export class Result<Name extends string> {
  /** In milliseconds, round by round. */
  readonly times: Readonly<Record<Name, readonly number[]>>;

  constructor(times: Readonly<Record<Name, readonly number[]>>) {
    this.times = times;
  }

  /** The median time of a round, in milliseconds. */
  ms(name: Name): number {
    return median(this.times[name]);
  }

  /**
   * How many times as long as `b` did `a` take: the median over the rounds,
   * since within a round whatever else the machine does slows both down.
   */
  ratio(a: Name, b: Name, part = 0.5): number {
    return median(
      this.times[a].map((ms, round) => ms / this.times[b][round]),
      part,
    );
  }
}

/**
 * Runs every contender once a round, each round beginning with another one.
 *
 * @param contenders By name.
 * @param options How many rounds count, and how many before them do not.
 */
export async function race<Name extends string>(
  contenders: Record<Name, Contender>,
  { rounds, warmUp }: { rounds: number; warmUp: number },
): Promise<Result<Name>> {
  const entries = Object.entries(contenders) as [Name, Contender][];
  const times = Object.fromEntries(
    entries.map(([name]) => [name, [] as number[]]),
  ) as Record<Name, number[]>;
  for (let round = -warmUp; round < rounds; round++) {
    for (let i = 0; i < entries.length; i++) {
      const [name, contender] = entries[(i + round + warmUp) % entries.length];
      const start = performance.now();
      const result = contender();
      sink += typeof result === "number" ? result : await result;
      const ms = performance.now() - start;
      if (round >= 0) times[name].push(ms);
    }
  }
  if (Number.isNaN(sink)) throw new Error("A contender returned no number");
  return new Result(times);
}
