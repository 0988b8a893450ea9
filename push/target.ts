/**
 * One target of a push: it sends what it is offered, and tries again after
 * failures.
 *
 * Sends through its sender and waits by the clock that it is given.
 *
 * @module
 */

import type { Clock } from "./clock.ts";
import type { Tick } from "./points.ts";
import { RetryLater, type Sender } from "./sender.ts";

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
    /** The whole URL, with its path. */
    readonly url: string;
  };

/** What has become of the points for one target. */
export interface PushStats {
  /** The target, as a URL: `graphite://10.0.0.1:2003`. */
  readonly target: string;
  /** How many points the target has taken, as far as its protocol tells. */
  readonly sent: number;
  /**
   * How many points are lost: given up for newer ones, rejected by the target,
   * or in an attempt that failed and is not made again.
   */
  readonly dropped: number;
  /** How many points wait to be sent. */
  readonly waiting: number;
  /**
   * How many attempts to send failed, whatever the protocol: the target was not
   * reached, closed the connection, or answered with an error.
   */
  readonly failed: number;
  /** What is wrong with the target, or `undefined` if nothing is. */
  readonly lastError: string | undefined;
}

/**
 * The first wait after a failure is at most this long, in milliseconds. Each
 * further one may be twice as long as the one before, up to the second bound.
 */
const FIRST_BACKOFF_MS = 1_000;
const MAX_BACKOFF_MS = 60_000;

/** Names a target as a URL. */
export function targetUrl(target: PushTarget): string {
  if (target.protocol === "otlp") return target.url;
  const { protocol, host, port } = target;
  return `${protocol}://${host.includes(":") ? `[${host}]` : host}:${port}`;
}

/** Sends to one target until it is stopped. */
export class Target {
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

  /** Ends once every point is sent, or at the first failure. */
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
        const trouble = await this.#sender.send(signal);
        if (trouble?.isFailure) this.#failed++;
        this.#note(trouble?.message);
        failures = 0;
      } catch (error) {
        this.#failed++;
        this.#note((error as Error).message);
        if (stopping.aborted) break;
        await this.#clock.sleep(this.#backoff(error, failures++), stopping);
      }
    }
    this.#ended = true;
    this.#sender.close();
  }

  /** How long to wait: a random time, so that not all hosts come back at once. */
  #backoff(error: unknown, failures: number): number {
    const most = Math.min(FIRST_BACKOFF_MS * 2 ** failures, MAX_BACKOFF_MS);
    const least = error instanceof RetryLater ? error.after : 0;
    return least + this.#clock.random() * most;
  }

  /** Logs the first error after a success, and the first success after an error. */
  #note(error: string | undefined): void {
    const before = this.#error;
    this.#error = error;
    if (error !== undefined && before === undefined) {
      this.#log(`cannot push to ${this.#url}: ${error}`);
    } else if (error === undefined && before !== undefined) {
      this.#log(`pushing to ${this.#url} again`);
    }
  }
}
