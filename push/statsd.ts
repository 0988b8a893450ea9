/**
 * StatsD: gauges as values, counters as increases.
 *
 * The first push only notes the counters, so that starting the web service makes
 * no spike. A counter that appears later has grown from 0. Points count as sent
 * once the network has taken them, since UDP reports nothing further.
 *
 * Labels go as the tags of DogStatsD, `|#key:value`, which Datadog, Telegraf,
 * Vector and Prometheus's statsd_exporter read. The original StatsD turns them
 * into Graphite tags since version 0.9; older versions skip lines with tags.
 *
 * Opens a socket for each push.
 *
 * @module
 */

import { COUNTER } from "../model/kinds.ts";
import type { LabelledName } from "../model/labels.ts";
import { type DatagramSender, openUdp } from "../runtime/sockets.ts";
import { graphitePath } from "./graphite.ts";
import type { NameCache } from "./name_cache.ts";
import type { Tick } from "./points.ts";
import type { Sender, Trouble } from "./sender.ts";

/** The payload that fits into one Ethernet frame with all possible headers. */
const DATAGRAM_BYTES = 1432;

/** How many datagrams are sent at once. A receiver on Linux buffers some 90 by default. */
const BURST = 32;
/** The pause in which a receiver can empty its buffer, in milliseconds. */
const PAUSE_MS = 5;

/** The text of a series before its value, and after its type. */
export interface StatsdSeries {
  readonly name: string;
  readonly tags: string;
}

/**
 * The name and the tags of a series.
 *
 * @param prefix The prefix of the name, with its dot.
 */
export function statsdSeries(
  prefix: string,
  { family, labels }: LabelledName,
): StatsdSeries {
  const tags = labels.map(([key, value]) =>
    `${key}:${value.replace(/[,|#]|\p{Cc}/gu, "_")}`
  );
  return {
    name: `${prefix}${graphitePath(family)}`.replace(/[:|@#]/g, "_"),
    tags: tags.length === 0 ? "" : `|#${tags.join(",")}`,
  };
}

interface Datagram {
  readonly bytes: Uint8Array;
  readonly points: number;
  /** The values that its counters have once it is sent. */
  readonly counters: readonly (readonly [name: string, value: number])[];
}

const encoder = new TextEncoder();

/** Sends to a StatsD server. */
export class StatsdSender implements Sender {
  waiting = 0;
  sent = 0;
  dropped = 0;
  readonly #host: string;
  readonly #port: number;
  readonly #series: NameCache<StatsdSeries>;
  readonly #sleep: (ms: number, signal: AbortSignal) => Promise<void>;
  /** The value of each counter up to which increases were sent, or at the first push. */
  #counters: Map<string, number> | undefined;
  #tick: Tick | undefined;

  constructor(
    host: string,
    port: number,
    series: NameCache<StatsdSeries>,
    sleep: (ms: number, signal: AbortSignal) => Promise<void>,
  ) {
    this.#host = host;
    this.#port = port;
    this.#series = series;
    this.#sleep = sleep;
  }

  offer(tick: Tick): void {
    this.dropped += this.waiting;
    const { host: { table }, points } = tick;
    this.#counters ??= new Map(
      points.filter(({ kind }) => kind === COUNTER)
        .map(({ id, value }) => [table.names[id], value]),
    );
    this.#tick = tick;
    this.waiting = points.length;
  }

  async send(signal: AbortSignal): Promise<Trouble | undefined> {
    const socket = await openUdp(this.#host, this.#port, signal);
    const datagrams = this.#pack(this.#tick!);
    // Unsent points are given up, since the next tick has later values.
    this.waiting = 0;
    let unsent = datagrams.reduce((sum, { points }) => sum + points, 0);
    try {
      for (const [i, datagram] of datagrams.entries()) {
        if (i > 0 && i % BURST === 0) await this.#sleep(PAUSE_MS, signal);
        signal.throwIfAborted();
        await this.#sendOne(socket, datagram);
        this.sent += datagram.points;
        unsent -= datagram.points;
      }
    } catch (error) {
      this.dropped += unsent;
      return { message: (error as Error).message, isFailure: true };
    } finally {
      socket.close();
    }
  }

  async #sendOne(socket: DatagramSender, datagram: Datagram): Promise<void> {
    await socket.send(datagram.bytes);
    // Noted only now, so that the next increase includes what failed to be sent.
    for (const [name, value] of datagram.counters) {
      this.#counters!.set(name, value);
    }
  }

  close(): void {}

  /** Packs the lines into as few datagrams as their order allows. */
  #pack({ host: { table }, points }: Tick): Datagram[] {
    const old = this.#counters!;
    // Only counters that still exist, so that the map does not grow without bound.
    const counters = this.#counters = new Map<string, number>();
    const datagrams: Datagram[] = [];
    let text = "";
    let count = 0;
    let marks: [string, number][] = [];
    const flush = () => {
      if (count === 0) return;
      const bytes = encoder.encode(text);
      datagrams.push({ bytes, points: count, counters: marks });
      text = "";
      count = 0;
      marks = [];
    };
    let length = 0;
    for (const { id, value, kind } of points) {
      const name = table.names[id];
      const { name: key, tags } = this.#series.get(table, id);
      let line;
      if (kind === COUNTER) {
        const last = old.get(name) ?? 0;
        counters.set(name, last);
        if (value === last) continue;
        // A counter that has fallen has begun again.
        line = `${key}:${value < last ? value : value - last}|c${tags}`;
      } else {
        line = `${key}:${value}|g${tags}`;
        // StatsD adds a signed value to the gauge, so it is set to 0 first.
        if (value < 0) line = `${key}:0|g${tags}\n${line}`;
      }
      const bytes = encoder.encode(line).length;
      if (bytes > DATAGRAM_BYTES) {
        this.dropped++;
        continue;
      }
      if (length + 1 + bytes > DATAGRAM_BYTES) flush();
      length = count === 0 ? bytes : length + 1 + bytes;
      text = count === 0 ? line : `${text}\n${line}`;
      count++;
      if (kind === COUNTER) marks.push([name, value]);
    }
    flush();
    return datagrams;
  }
}
