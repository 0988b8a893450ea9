/**
 * Pushes the stats of a host to Graphite, StatsD and OpenTelemetry.
 *
 * One schedule collects; each target sends on its own, so that a slow one
 * delays nobody. Runs timers and opens sockets until it is stopped.
 *
 * @module
 */

import type { HostStats } from "../collect/host_stats.ts";
import { show } from "../model/show.ts";
import {
  encodeLines,
  encodePickle,
  graphitePath,
  GraphiteSender,
  graphiteSeries,
} from "./graphite.ts";
import { OtlpEncoder, OtlpSender } from "./otlp.ts";
import { NameCache } from "./name_cache.ts";
import { type Tick, tickMaker } from "./points.ts";
import { compileRules, type Rule } from "./rules.ts";
import { RetryLater, type Sender } from "./sender.ts";
import { StatsdSender, statsdSeries } from "./statsd.ts";
import { hostname } from "../runtime/sockets.ts";

/** Where stats are pushed to. */
export type PushTarget =
  | {
    /** Lines of text to Graphite, pickles to Graphite, or datagrams to StatsD. */
    readonly protocol: "graphite" | "graphite-pickle" | "statsd";
    /** A name or an address; an IPv6 address without brackets. */
    readonly host: string;
    readonly port: number;
  }
  | {
    /** OTLP/HTTP with JSON, to an OpenTelemetry collector and many others. */
    readonly protocol: "otlp";
    /** All of it, with the path. */
    readonly url: string;
  };

/** The outside world, for tests to replace. */
export interface Clock {
  /** The time, in milliseconds since 1970. */
  now(): number;
  /** A number from 0, included, to 1, excluded. */
  random(): number;
  /** Resolves after as many milliseconds, or as soon as the signal is aborted. */
  sleep(ms: number, signal: AbortSignal): Promise<void>;
}

/** What to push, and where to. */
export interface PushOptions {
  /** Collects the stats. What it resolves to must not change afterwards. */
  readonly collect: () => Promise<HostStats>;
  /** Where to push to. */
  readonly targets: readonly PushTarget[];
  /** How often, in seconds, 1 or more. 10 by default. */
  readonly interval?: number;
  /**
   * What stands before every name, with or without a dot at its end. `{host}` in
   * it is the name of the host. By default that is all of it for Graphite and
   * StatsD. OTLP, which names the host elsewhere, has none.
   */
  readonly prefix?: string;
  /** Which stats are pushed. All by default. */
  readonly rules?: readonly Rule[];
  /** The name of the host, by default as the system has it. */
  readonly host?: string;
  /** Takes a line when a target cannot be reached, and when it can be again. */
  readonly log?: (line: string) => void;
  /** How many points wait for each Graphite server at most, a million by default. */
  readonly maxWaiting?: number;
  /** The clock. */
  readonly clock?: Clock;
}

/** What has become of what was pushed to one target. Counts are of points. */
export interface PushStats {
  /** The target, as a URL: `graphite://10.0.0.1:2003`. */
  readonly target: string;
  /** How many the target has taken, as far as its protocol tells. */
  readonly sent: number;
  /** How many will never be sent. */
  readonly dropped: number;
  /** How many wait to be sent. */
  readonly waiting: number;
  /** How often it could not be reached. */
  readonly failed: number;
  /** What is wrong with it, or `undefined` if nothing is. */
  readonly lastError: string | undefined;
}

/** A push that runs. */
export interface Push {
  /** What has become of it so far, for each target. */
  stats(): PushStats[];
  /**
   * Pushes once more, for two seconds at most, and ends. Leaves no timer and no
   * socket.
   */
  stop(): Promise<void>;
}

/** How often stats are pushed by default, in seconds. */
export const DEFAULT_INTERVAL = 10;

/** How long the last push may take, in milliseconds. */
const STOP_MS = 2_000;

/** The longest first wait for a target, and the longest, in milliseconds. */
const FIRST_BACKOFF_MS = 1_000;
const MAX_BACKOFF_MS = 60_000;

const systemClock: Clock = {
  now: Date.now,
  random: Math.random,
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

/** Names a target as a URL. */
export function targetUrl(target: PushTarget): string {
  if (target.protocol === "otlp") return target.url;
  const { protocol, host, port } = target;
  return `${protocol}://${host.includes(":") ? `[${host}]` : host}:${port}`;
}

/** A target, with what has become of what was sent there. */
class Target {
  readonly #url: string;
  readonly #sender: Sender;
  readonly #clock: Clock;
  readonly #log: (line: string) => void;
  readonly #stopping = new AbortController();
  readonly #end: Promise<void>;
  #wake = () => {};
  #failed = 0;
  #error: string | undefined;
  #ended = false;

  constructor(
    url: string,
    sender: Sender,
    clock: Clock,
    log: (line: string) => void,
    signal: AbortSignal,
  ) {
    this.#url = url;
    this.#sender = sender;
    this.#clock = clock;
    this.#log = log;
    this.#end = this.#run(signal);
  }

  stats(): PushStats {
    const { sent, dropped, waiting } = this.#sender;
    return {
      target: this.#url,
      sent,
      dropped: this.#ended ? dropped + waiting : dropped,
      waiting: this.#ended ? 0 : waiting,
      failed: this.#failed,
      lastError: this.#error,
    };
  }

  offer(tick: Tick): void {
    if (this.#ended) return;
    this.#sender.offer(tick);
    this.#wake();
  }

  /** Ends as soon as all is sent, or something cannot be. */
  stop(): Promise<void> {
    this.#stopping.abort();
    this.#wake();
    return this.#end;
  }

  async #run(signal: AbortSignal): Promise<void> {
    const stopping = this.#stopping.signal;
    let failures = 0;
    while (!signal.aborted) {
      if (this.#sender.waiting === 0) {
        if (stopping.aborted) break;
        await new Promise<void>((resolve) => this.#wake = resolve);
        continue;
      }
      try {
        this.#say(await this.#sender.send(signal));
        failures = 0;
      } catch (error) {
        this.#failed++;
        this.#say((error as Error).message);
        if (stopping.aborted) break;
        await this.#clock.sleep(this.#backoff(error, failures++), stopping);
      }
    }
    this.#ended = true;
    this.#sender.close();
  }

  /** How long to wait, somewhere in a span, lest all hosts come back at once. */
  #backoff(error: unknown, failures: number): number {
    const most = Math.min(FIRST_BACKOFF_MS * 2 ** failures, MAX_BACKOFF_MS);
    const least = error instanceof RetryLater ? error.after : 0;
    return least + this.#clock.random() * most;
  }

  /** Logs what is wrong when that begins, and when it is over. */
  #say(error: string | undefined): void {
    const before = this.#error;
    this.#error = error;
    if (error !== undefined && before === undefined) {
      this.#log(`cannot push to ${this.#url}: ${error}`);
    } else if (error === undefined && before !== undefined) {
      this.#log(`pushing to ${this.#url} again`);
    }
  }
}

/** A prefix with its dot, or nothing. */
function withDot(prefix: string): string {
  return prefix === "" || prefix.endsWith(".") ? prefix : `${prefix}.`;
}

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
 * @returns How to stop it, and what has become of it.
 * @throws {RangeError} If the interval is less than a second.
 */
export function startPush(options: PushOptions): Push {
  const { collect, interval = DEFAULT_INTERVAL, clock = systemClock } = options;
  const { host = hostname(), log = () => {} } = options;
  if (!(interval >= 1 && interval <= 86_400)) {
    throw new RangeError(
      `Cannot push: the interval must be from 1 to 86400 seconds, got ${
        show(interval)
      }`,
    );
  }
  const name = host.toLowerCase();
  const given = options.prefix?.replaceAll("{host}", () => name);
  const pathPrefix = withDot(graphitePrefix(given ?? name));
  // Two servers of a kind want the same names.
  const paths = new NameCache((_, name) => graphiteSeries(pathPrefix, name));
  const series = new NameCache((_, name) => statsdSeries(pathPrefix, name));

  const makeSender = (target: PushTarget): Sender => {
    switch (target.protocol) {
      case "otlp": {
        const encoder = new OtlpEncoder(withDot(given ?? ""), host);
        return new OtlpSender(target.url, encoder, clock.now);
      }
      case "statsd": {
        const { host, port } = target;
        return new StatsdSender(host, port, series, clock.sleep);
      }
      default: {
        const { protocol, host, port } = target;
        const encode = protocol === "graphite" ? encodeLines : encodePickle;
        const { maxWaiting } = options;
        return new GraphiteSender(host, port, encode, paths, maxWaiting);
      }
    }
  };
  const aborting = new AbortController();
  const stopping = new AbortController();
  const targets = options.targets.map((target) =>
    new Target(
      targetUrl(target),
      makeSender(target),
      clock,
      log,
      aborting.signal,
    )
  );

  const makeTick = tickMaker(compileRules(options.rules ?? []));
  let collectError: string | undefined;
  const push = async () => {
    const time = clock.now();
    try {
      const tick = makeTick(await collect(), time);
      if (collectError !== undefined) log("collecting stats to push again");
      collectError = undefined;
      for (const target of targets) target.offer(tick);
    } catch (error) {
      const { message } = error as Error;
      if (collectError === undefined) {
        log(`cannot collect stats to push: ${message}`);
      }
      collectError = message;
    }
  };

  const period = interval * 1000;
  const run = async () => {
    let next = clock.now() + clock.random() * period;
    for (;;) {
      // No longer than that, should somebody set the clock back.
      const wait = Math.min(Math.max(next - clock.now(), 0), period);
      await clock.sleep(wait, stopping.signal);
      if (stopping.signal.aborted) return;
      await push();
      // What a collection that takes longer has missed is not made up for.
      const late = Math.max(clock.now() - next, 0);
      next += period * (1 + Math.floor(late / period));
    }
  };
  const ended = run();

  const end = async () => {
    const finished = new AbortController();
    stopping.abort();
    const all = (async () => {
      await ended;
      await push();
      await Promise.all(targets.map((target) => target.stop()));
      finished.abort();
    })();
    await Promise.race([all, clock.sleep(STOP_MS, finished.signal)]);
    aborting.abort();
    // All that is left is to notice that, unless it still collects.
    await Promise.all(targets.map((target) => target.stop()));
  };
  let stopped: Promise<void> | undefined;
  return {
    stats: () => targets.map((target) => target.stats()),
    stop: () => stopped ??= end(),
  };
}

/** Makes a prefix fit for Graphite. Its dots stay what they are. */
function graphitePrefix(prefix: string): string {
  return prefix.split(".").filter((level) => level.trim() !== "")
    .map(graphitePath).join(".");
}
