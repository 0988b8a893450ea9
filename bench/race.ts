/**
 * Medians over many rounds in which contenders take turns.
 *
 * Reads the clock.
 *
 * @module
 */

/** Works, and returns a number that depends on all of the work. */
export type Contender = () => number | Promise<number>;

/** The least time of a turn, in milliseconds, so that the clock is precise enough. */
const TURN_MS = 5;

/** The most repetitions in one turn. */
const MAX_REPEATS = 10_000;

// The sink of all results, so that no work is optimized away.
let sink = 0;

/** The median, or the quantile at `part` from 0 to 1. */
export function median(values: readonly number[], part = 0.5): number {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (sorted.length - 1) * part;
  return (sorted[Math.floor(at)] + sorted[Math.ceil(at)]) / 2;
}

/** The measurements of all contenders in all rounds. */
export class Result<Name extends string> {
  /** The values of each contender, round by round. */
  readonly rounds: Readonly<Record<Name, readonly number[]>>;

  constructor(rounds: Readonly<Record<Name, readonly number[]>>) {
    this.rounds = rounds;
  }

  /** The median over the rounds. */
  value(name: Name): number {
    return median(this.rounds[name]);
  }

  /** A result whose values are computed from those of this one. */
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

  /** The interquartile range over the rounds. */
  spread(name: Name): number {
    return median(this.rounds[name], 0.75) - median(this.rounds[name], 0.25);
  }

  /**
   * How many times as much `a` took as `b`: the median of the ratios of each
   * round, since other work on the machine slows both down within a round.
   */
  ratio(a: Name, b: Name): number {
    return median(
      this.rounds[a].map((value, round) => value / this.rounds[b][round]),
    );
  }
}

/**
 * Measures every contender once per round. Each round begins with another one.
 *
 * @param measures The measuring functions, by name.
 * @param rounds The number of rounds.
 * @returns The measured values, round by round.
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
 * @param contenders The contenders, by name.
 * @param options The number of rounds that count, and of those before them.
 * @returns The milliseconds that each took per repetition.
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
    // The last turn tells how many repetitions fill the next one.
    for (const name of Object.keys(repeats) as Name[]) {
      const turns = Math.ceil(TURN_MS / warm[name][0]);
      repeats[name] = Math.min(MAX_REPEATS, turns);
    }
  }
  const result = new Result(await inTurn(measures, rounds));
  if (Number.isNaN(sink)) throw new Error("A contender returned no number");
  return result;
}
