/**
 * When stats are collected and pushed.
 *
 * One schedule collects; each target sends on its own, so that a slow one does
 * not delay the others. Runs timers and opens sockets until it is stopped.
 *
 * @module
 */

import type { HostStats } from "../collect/host_stats.ts";
import { printable } from "../model/printable.ts";
import { show } from "../model/show.ts";
import { type Clock, systemClock } from "./clock.ts";
import { type Tick, tickMaker } from "./points.ts";
import { compileRules, type Rule } from "./rules.ts";
import { senderMaker } from "./senders.ts";
import {
  type PushStats,
  type PushTarget,
  Target,
  targetUrl,
} from "./target.ts";

/** What to push, and where to. */
export interface PushOptions {
  /** Collects the stats. They must not change once the promise has resolved. */
  readonly collect: () => Promise<HostStats>;
  /** Where to push to. */
  readonly targets: readonly PushTarget[];
  /** The time from one push to the next, in seconds: 1 to 86 400, 10 by default. */
  readonly interval?: number;
  /**
   * The prefix of every name, with or without a dot at its end. `{host}` in it
   * stands for the name of the host. The default is `{host}` for Graphite and
   * StatsD, and no prefix for OTLP, which names the host elsewhere.
   */
  readonly prefix?: string;
  /** Which stats are pushed. All by default. */
  readonly rules?: readonly Rule[];
  /** The name of the host, by default as the system has it. */
  readonly host?: string;
  /** Takes a line when a target cannot be reached, and when it can be again. */
  readonly log?: (line: string) => void;
  /** How many points may wait for each Graphite server, a million by default. */
  readonly maxWaiting?: number;
}

/** A running push. */
export interface Push {
  /** What has become of the points so far, for each target. */
  stats(): PushStats[];
  /**
   * Pushes once more, which may take two seconds, and ends. Leaves no timer and
   * no socket behind.
   */
  stop(): Promise<void>;
}

/** How often stats are pushed by default, in seconds. */
export const DEFAULT_INTERVAL = 10;

/** How long the last push may take, in milliseconds. */
const STOP_MS = 2_000;

/**
 * Pushes the stats of a host every few seconds, until it is stopped. The first
 * push comes after a random part of the interval, so that not all hosts push at
 * once. Keeps the program running.
 *
 * @example Push to Graphite
 * ```ts
 * import { Collector } from "@statvent/statvent/collect";
 * import { startPush } from "@statvent/statvent/push";
 * import { assertEquals } from "@std/assert";
 *
 * const pipeDir = await Deno.makeTempDir();
 * const collector = new Collector({ pipeDir });
 * const push = startPush({
 *   collect: () => collector.collect(),
 *   targets: [{ protocol: "graphite", host: "127.0.0.1", port: 2003 }],
 *   host: "web1",
 * });
 * assertEquals(push.stats()[0].target, "graphite://127.0.0.1:2003");
 * await push.stop();
 * await Deno.remove(pipeDir);
 * ```
 *
 * @param options What to push, and where to.
 * @returns The running push.
 * @throws {RangeError} If the interval is not from 1 to 86 400 seconds.
 */
export function startPush(options: PushOptions): Push {
  const schedule = new Schedule(options, systemClock);
  return { stats: () => schedule.stats(), stop: () => schedule.stop() };
}

/** Collects every few seconds, and offers each target what was collected. */
export class Schedule implements Push {
  readonly #collect: () => Promise<HostStats>;
  readonly #makeTick: (host: HostStats, time: number) => Tick;
  readonly #targets: readonly Target[];
  readonly #period: number;
  readonly #clock: Clock;
  readonly #log: (line: string) => void;
  /** Aborted to end the schedule; the targets go on sending. */
  readonly #stopping = new AbortController();
  /** Aborted to end whatever the targets are sending. */
  readonly #aborting = new AbortController();
  readonly #running: Promise<void>;
  #ended: Promise<void> | undefined;
  #collectError: string | undefined;

  /**
   * Starts the schedule.
   *
   * @throws {RangeError} As {@linkcode startPush} does.
   */
  constructor(options: PushOptions, clock: Clock) {
    const { interval = DEFAULT_INTERVAL } = options;
    // A line may quote what a server has answered.
    const log = (line: string) => options.log?.(printable(line));
    if (!(interval >= 1 && interval <= 86_400)) {
      throw new RangeError(
        `Cannot push: the interval must be from 1 to 86400 seconds, got ${
          show(interval)
        }`,
      );
    }
    this.#collect = options.collect;
    this.#makeTick = tickMaker(compileRules(options.rules ?? []));
    this.#period = interval * 1000;
    this.#clock = clock;
    this.#log = log;
    const makeSender = senderMaker(options, clock);
    this.#targets = options.targets.map((target) => {
      const url = targetUrl(target);
      const { signal } = this.#aborting;
      return new Target(url, makeSender(target), clock, log, signal);
    });
    this.#running = this.#run();
  }

  stats(): PushStats[] {
    return this.#targets.map((target) => target.stats());
  }

  stop(): Promise<void> {
    return this.#ended ??= this.#end();
  }

  async #run(): Promise<void> {
    const clock = this.#clock;
    const period = this.#period;
    const stopping = this.#stopping.signal;
    let next = clock.now() + clock.random() * period;
    for (;;) {
      // At most one period, in case the clock was set back.
      const wait = Math.min(Math.max(next - clock.now(), 0), period);
      await clock.sleep(wait, stopping);
      if (stopping.aborted) return;
      await this.#push();
      // Pushes that were due while a slow collection ran are skipped.
      const late = Math.max(clock.now() - next, 0);
      next += period * (1 + Math.floor(late / period));
    }
  }

  async #push(): Promise<void> {
    const time = this.#clock.now();
    try {
      const tick = this.#makeTick(await this.#collect(), time);
      if (this.#collectError !== undefined) {
        this.#log("collecting stats to push again");
      }
      this.#collectError = undefined;
      for (const target of this.#targets) target.offer(tick);
    } catch (error) {
      const { message } = error as Error;
      if (this.#collectError === undefined) {
        this.#log(`cannot collect stats to push: ${message}`);
      }
      this.#collectError = message;
    }
  }

  async #end(): Promise<void> {
    const finished = new AbortController();
    const stopTargets = () =>
      Promise.all(this.#targets.map((target) => target.stop()));
    const pushAll = async () => {
      await this.#running;
      await this.#push();
      await stopTargets();
      finished.abort();
    };
    this.#stopping.abort();
    await Promise.race([
      pushAll(),
      this.#clock.sleep(STOP_MS, finished.signal),
    ]);
    this.#aborting.abort();
    await stopTargets();
  }
}
