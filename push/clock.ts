/**
 * The clock that a push runs by. Tests have another one.
 *
 * Reads the clock and runs timers.
 *
 * @module
 */

/** What a push needs of time and chance. */
export interface Clock {
  /** The time, in milliseconds since 1970. */
  now(): number;
  /** A number from 0, included, to 1, excluded. */
  random(): number;
  /** How long connecting to a server or one write may take, in milliseconds. */
  readonly patience: number;
  /** Resolves after as many milliseconds, or as soon as the signal is aborted. */
  sleep(ms: number, signal: AbortSignal): Promise<void>;
}

/** The clock of the system. */
export const systemClock: Clock = {
  now: Date.now,
  random: Math.random,
  patience: 10_000,
  sleep: (ms, signal) =>
    new Promise((resolve) => {
      if (signal.aborted) return resolve();
      const end = () => {
        clearTimeout(timer);
        signal.removeEventListener("abort", end);
        resolve();
      };
      const timer = setTimeout(end, ms);
      signal.addEventListener("abort", end);
    }),
};
