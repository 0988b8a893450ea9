/**
 * Lets contenders run in turn, many rounds, and takes medians.
 *
 * Reads the clock.
 *
 * @module
 */

/** Does some work and returns a number that depends on all of it. */
export type Contender = () => number | Promise<number>;

/** How long a contender works at least before the clock is read, in milliseconds. */
const TURN_MS = 5;

/** How often a contender works in one turn at most. */
const MAX_REPEATS = 10_000;

// What the contenders return ends here, so that none of it is optimized away.
let sink = 0;

/** The value in the middle, or at another `part` from 0 to 1. */
export function median(values: readonly number[], part = 0.5): number {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (sorted.length - 1) * part;
  return (sorted[Math.floor(at)] + sorted[Math.ceil(at)]) / 2;
}

/** What was measured of all contenders in all rounds. */
export class Result<Name extends string> {
  /** Round by round. */
  readonly rounds: Readonly<Record<Name, readonly number[]>>;

  constructor(rounds: Readonly<Record<Name, readonly number[]>>) {
    this.rounds = rounds;
  }

  /** The median over the rounds. */
  value(name: Name): number {
    return median(this.rounds[name]);
  }

  /** The same of what is made of each value. */
  map(
    change: (value: number, name: Name, round: number) => number,
  ): Result<Name> {
    const entries = Object.entries(this.rounds) as [Name, number[]][];
    return new Result(
      Object.fromEntries(
        entries.map((
          [name, values],
        ) => [name, values.map((value, i) => change(value, name, i))]),
      ) as Record<Name, number[]>,
    );
  }

  /** Half of the rounds are within this. */
  spread(name: Name): number {
    return median(this.rounds[name], 0.75) - median(this.rounds[name], 0.25);
  }

  /**
   * How many times as much did `a` take as `b`: the median over the rounds,
   * since within a round whatever else the machine does slows both down.
   */
  ratio(a: Name, b: Name): number {
    return median(
      this.rounds[a].map((value, round) => value / this.rounds[b][round]),
    );
  }
}

/**
 * Measures every contender once a round, each round beginning with another one.
 *
 * @param measures What measures each, by name.
 * @param rounds How many rounds.
 * @returns What was measured, round by round.
 */
export async function inTurn<Name extends string, T>(
  measures: Record<Name, () => T | Promise<T>>,
  rounds: number,
): Promise<Record<Name, T[]>> {
  const entries = Object.entries(measures) as [Name, () => T | Promise<T>][];
  const values = Object.fromEntries(
    entries.map(([name]) => [name, [] as T[]]),
  ) as Record<Name, T[]>;
  for (let round = 0; round < rounds; round++) {
    for (let i = 0; i < entries.length; i++) {
      const [name, measure] = entries[(i + round) % entries.length];
      values[name].push(await measure());
    }
  }
  return values;
}

/**
 * Times contenders in turn.
 *
 * @param contenders By name.
 * @param options How many rounds count, and how many before them do not.
 * @returns The milliseconds that each took for its work, once.
 */
export async function race<Name extends string>(
  contenders: Record<Name, Contender>,
  { rounds, warmUp }: { rounds: number; warmUp: number },
): Promise<Result<Name>> {
  const repeats = {} as Record<Name, number>;
  const measures = {} as Record<Name, () => Promise<number>>;
  for (
    const [name, work] of Object.entries(contenders) as [Name, Contender][]
  ) {
    repeats[name] = 1;
    measures[name] = async () => {
      const start = performance.now();
      for (let i = 0; i < repeats[name]; i++) {
        const result = work();
        sink += typeof result === "number" ? result : await result;
      }
      return (performance.now() - start) / repeats[name];
    };
  }
  for (let i = 0; i < warmUp; i++) {
    const warm = await inTurn(measures, 1);
    // A turn that is long enough for the clock, by what the last one took.
    for (const name of Object.keys(repeats) as Name[]) {
      const turns = Math.ceil(TURN_MS / warm[name][0]);
      repeats[name] = Math.min(MAX_REPEATS, turns);
    }
  }
  const result = new Result(await inTurn(measures, rounds));
  if (Number.isNaN(sink)) throw new Error("A contender returned no number");
  return result;
}
