/**
 * OTLP/HTTP with JSON, the protocol of OpenTelemetry.
 *
 * Counters are cumulative sums, distributions are exponential histograms of all
 * values ever recorded, and everything else, percentiles included, is a gauge.
 * Each tick holds the whole state, so the next tick replaces one that could not
 * be sent.
 *
 * Sends requests with `fetch`.
 *
 * @module
 */

import type { HostStats } from "../collect/host_stats.ts";
import {
  addHistogram,
  type Buckets,
  countOf,
  downscale,
  emptyHistogram,
  type Histogram,
} from "../model/histogram.ts";
import type { Description } from "../model/descriptions.ts";
import { COUNTER } from "../model/kinds.ts";
import { withoutPlaceholder } from "../model/names.ts";
import { VERSION } from "../model/version.ts";
import { NameCache } from "./name_cache.ts";
import type { Point, Tick } from "./points.ts";
import type { ProcessFigure } from "./process_points.ts";
import { RetryLater, type Sender, type Trouble } from "./sender.ts";

/** The bounds of one request: data points, and characters of JSON. */
const MAX_POINTS = 10_000;
const MAX_LENGTH = 4_000_000;

/** The most buckets of a histogram for each sign, as in the SDKs. */
const MAX_BUCKETS = 160;

/** How long one request may take, in milliseconds. */
const TIMEOUT_MS = 10_000;

/** How much of an answer is read, in bytes. */
const MAX_ANSWER_BYTES = 65_536;

/** The longest wait that a target can ask for, in milliseconds. */
const MAX_RETRY_AFTER_MS = 3_600_000;

const CUMULATIVE = 2;

/** The types of metrics. */
type Type = "sum" | "level" | "gauge" | "exponentialHistogram";

/** The field of each type, with what stands before its points. */
const HEADS: Record<Type, string> = {
  sum: `"sum":{"aggregationTemporality":${CUMULATIVE},"isMonotonic":true,`,
  // A sum that also falls.
  level: `"sum":{"aggregationTemporality":${CUMULATIVE},`,
  gauge: `"gauge":{`,
  exponentialHistogram:
    `"exponentialHistogram":{"aggregationTemporality":${CUMULATIVE},`,
};

/** The attributes that OpenTelemetry has for labels of processes. */
const PROCESS_ATTRIBUTES: Readonly<Record<string, string>> = {
  process: "process.title",
  process_instance: "process.instance",
};

/** The attribute of a label of a process. */
function processAttribute([key, value]: readonly [string, string]): unknown {
  return key === "pid"
    ? { key: "process.pid", value: { intValue: value } }
    : attribute(PROCESS_ATTRIBUTES[key] ?? key, value);
}

/** Milliseconds as nanoseconds, in text, since they exceed the integers of a double. */
function nanoseconds(ms: number): string {
  return `${BigInt(Math.round(ms * 1000)) * 1000n}`;
}

/** The field of a number, which is a 64-bit integer or a double. */
function numberJson(value: number, fractional: boolean): string {
  return fractional || !Number.isInteger(value) || Math.abs(value) >= 2 ** 63
    ? `"asDouble":${value}`
    : `"asInt":"${BigInt(value)}"`;
}

function attribute(key: string, value: string): unknown {
  return { key, value: { stringValue: value } };
}

/** Contiguous buckets, including empty ones. */
function bucketsJson(buckets: Buckets): string {
  const offset = smallest(buckets);
  const counts = new Array<string>(spanOf(buckets)).fill('"0"');
  for (const [index, n] of buckets) counts[index - offset] = `"${n}"`;
  return `{"offset":${offset},"bucketCounts":[${counts.join(",")}]}`;
}

function smallest(buckets: Buckets): number {
  let min = Infinity;
  for (const index of buckets.keys()) min = Math.min(min, index);
  return min;
}

/** How many buckets there are from the first to the last one. */
function spanOf(buckets: Buckets): number {
  if (buckets.size === 0) return 0;
  let max = -Infinity;
  for (const index of buckets.keys()) max = Math.max(max, index);
  return max - smallest(buckets) + 1;
}

/** The fields of a histogram's data point, besides labels and times. */
export function histogramJson(histogram: Histogram): string {
  const small = emptyHistogram(histogram.scale);
  addHistogram(small, histogram);
  while (
    Math.max(spanOf(small.positive), spanOf(small.negative)) > MAX_BUCKETS
  ) downscale(small, small.scale - 1);
  const { scale, zeros, positive, negative, min, max, sum } = small;
  const count = countOf(small);
  const parts = [
    `"count":"${count}","scale":${scale},"zeroCount":"${zeros}"`,
  ];
  // The protocol forbids a sum that can fall.
  if (!(min < 0)) parts.push(`"sum":${sum}`);
  if (count > 0) parts.push(`"min":${min},"max":${max}`);
  if (positive.size > 0) parts.push(`"positive":${bucketsJson(positive)}`);
  if (negative.size > 0) parts.push(`"negative":${bucketsJson(negative)}`);
  return parts.join(",");
}

/** The start times of cumulative series. */
class Starts {
  #starts = new Map<string, { start: string; last: number }>();
  #next = new Map<string, { start: string; last: number }>();
  #start = "";
  #previous: number | undefined;

  /** Begins a tick. Series that the last tick did not have are forgotten. */
  begin(time: number, { processes }: HostStats): void {
    this.#starts = this.#next;
    this.#next = new Map();
    let start = this.#previous;
    if (start === undefined) {
      // Series of the first tick began with the oldest process, as far as is known.
      start = time;
      for (const process of processes) {
        if (process.start !== undefined) {
          start = Math.min(start, process.start * 1000);
        }
      }
    }
    this.#start = nanoseconds(start);
    this.#previous = time;
  }

  /** The start of a series, in nanoseconds since 1970. */
  of(key: string, value: number): string {
    const known = this.#starts.get(key);
    // A cumulative value that has fallen has begun again.
    const start = known === undefined || value < known.last
      ? this.#start
      : known.start;
    this.#next.set(key, { start, last: value });
    return start;
  }
}

/** All data points of one name and type. */
interface Metric {
  /** The JSON of the metric up to its first point. */
  readonly head: string;
  readonly points: string[];
}

/** Writes ticks as the bodies of requests. */
export class OtlpEncoder {
  readonly #prefix: string;
  readonly #head: string;
  /** The labels of each name, as JSON. */
  readonly #attributes = new NameCache((_, { labels }) =>
    JSON.stringify(labels.map((pair) => attribute(...pair)))
  );
  readonly #ofProcesses = new NameCache((_, { labels }) =>
    JSON.stringify(labels.map(processAttribute))
  );
  readonly #starts = new Starts();

  /**
   * @param prefix The prefix of each name, with its dot.
   * @param host The name of the host.
   */
  constructor(prefix: string, host: string) {
    this.#prefix = prefix;
    const resource = {
      attributes: [
        attribute("service.name", "statvent"),
        attribute("host.name", host),
      ],
    };
    const scope = { name: "statvent", version: VERSION };
    this.#head = `{"resourceMetrics":[{"resource":${
      JSON.stringify(resource)
    },"scopeMetrics":[{"scope":${JSON.stringify(scope)},"metrics":[`;
  }

  /** Writes a tick as one body or more. Call it once for each tick. */
  encode(tick: Tick): { body: string; points: number }[] {
    return this.#split(this.#metrics(tick));
  }

  #metrics({ time, host, points, recorded }: Tick): Iterable<Metric> {
    this.#starts.begin(time, host);
    const now = `"timeUnixNano":"${nanoseconds(time)}"`;
    const metrics = new Map<string, Metric>();
    const { table } = host;
    const add = (
      id: number,
      type: Type,
      last: number,
      rest: string,
      figure?: ProcessFigure,
    ) => {
      const { family } = table.labelled(id);
      const metricKey = `${type} ${family}`;
      let metric = metrics.get(metricKey);
      if (metric === undefined) {
        const described = figure ?? host.descriptions.get(family);
        metric = {
          head: this.#metricHead(family, type, described),
          points: [],
        };
        metrics.set(metricKey, metric);
      }
      const key = `${type} ${table.names[id]}`;
      const start = type === "gauge" || type === "level"
        ? ""
        : `"startTimeUnixNano":"${this.#starts.of(key, last)}",`;
      const made = figure === undefined ? this.#attributes : this.#ofProcesses;
      const attributes = made.get(table, id);
      metric.points.push(
        `{"attributes":${attributes},${start}${now},${rest}}`,
      );
    };
    for (const { id, value, fractional, kind, derived, figure } of points) {
      // The histogram has its count and its sum.
      if (derived) continue;
      const type = kind === COUNTER
        ? "sum"
        : figure?.kind === "level"
        ? "level"
        : "gauge";
      add(id, type, value, numberJson(value, fractional), figure);
    }
    for (const { id, histogram } of recorded) {
      const json = histogramJson(histogram);
      add(id, "exponentialHistogram", countOf(histogram), json);
    }
    return metrics.values();
  }

  #metricHead(
    family: string,
    type: Type,
    { help, unit }: Pick<Description, "help" | "unit"> = {},
  ): string {
    const name = type === "exponentialHistogram"
      // A name may be anything in OTLP, so "{0}" can stay where it is all of it.
      ? withoutPlaceholder(family) || family
      : family;
    const head = JSON.stringify({
      name: `${this.#prefix}${name}`,
      description: help,
      unit,
    });
    return `${head.slice(0, -1)},${HEADS[type]}"dataPoints":[`;
  }

  #split(metrics: Iterable<Metric>): { body: string; points: number }[] {
    const bodies: { body: string; points: number }[] = [];
    let written: string[] = [];
    let length = 0;
    let count = 0;
    const flush = () => {
      if (count === 0) return;
      const body = `${this.#head}${written.join(",")}]}]}]}`;
      bodies.push({ body, points: count });
      written = [];
      length = count = 0;
    };
    for (const { head, points } of metrics) {
      for (let from = 0; from < points.length;) {
        let end = from;
        length += head.length;
        do length += points[end++].length + 1; while (
          end < points.length && count + end - from < MAX_POINTS &&
          length + points[end].length < MAX_LENGTH
        );
        written.push(`${head}${points.slice(from, end).join(",")}]}}`);
        count += end - from;
        from = end;
        if (
          count >= MAX_POINTS || length >= MAX_LENGTH || end < points.length
        ) {
          flush();
        }
      }
    }
    flush();
    return bodies;
  }
}

/** Counts the data points of a tick. */
function countPoints({ points, recorded }: Tick): number {
  const plain = points.filter(({ derived }: Point) => !derived);
  return plain.length + recorded.length;
}

/** The wait that a header `Retry-After` asks for, in milliseconds. */
export function retryAfter(
  header: string | null,
  now: number,
): number | undefined {
  if (header === null) return undefined;
  const ms = /^\d+$/.test(header.trim())
    ? Number(header) * 1000
    : Date.parse(header) - now;
  return Number.isNaN(ms)
    ? undefined
    : Math.min(Math.max(ms, 0), MAX_RETRY_AFTER_MS);
}

/** Reads the beginning of an answer, and cancels the rest. */
async function readText(response: Response): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  let length = 0;
  const reader = response.body?.getReader();
  while (reader !== undefined) {
    const { done, value } = await reader.read();
    if (done) break;
    text += decoder.decode(value, { stream: true });
    length += value.length;
    if (length > MAX_ANSWER_BYTES) {
      await reader.cancel();
      break;
    }
  }
  return text;
}

/** The points of an accepted request that the server says it rejected. */
export function rejectedIn(
  answer: string,
): { points: number; message: string } {
  try {
    const { rejectedDataPoints = 0, errorMessage = "" } =
      JSON.parse(answer).partialSuccess ?? {};
    const points = Number(rejectedDataPoints);
    return {
      points: Number.isSafeInteger(points) && points > 0 ? points : 0,
      message: String(errorMessage),
    };
  } catch {
    // Some servers answer without JSON.
    return { points: 0, message: "" };
  }
}

/** An answer as one short line for an error message. */
function summary(status: number, text: string): string {
  const line = text.replace(/\p{Cc}+/gu, " ").trim().slice(0, 200);
  return `the server answered ${status}${line && `: ${line}`}`;
}

const RETRYABLE = [429, 502, 503, 504];

/** Sends to an OpenTelemetry collector, or to a server with its protocol. */
export class OtlpSender implements Sender {
  waiting = 0;
  sent = 0;
  dropped = 0;
  /** How many points are being sent. */
  #sending = 0;
  readonly #url: string;
  readonly #encoder: OtlpEncoder;
  readonly #now: () => number;
  #tick: Tick | undefined;
  #bodies: { body: string; points: number }[] = [];

  constructor(url: string, encoder: OtlpEncoder, now: () => number) {
    this.#url = url;
    this.#encoder = encoder;
    this.#now = now;
  }

  offer(tick: Tick): void {
    this.dropped += this.waiting - this.#sending;
    this.#tick = tick;
    this.#bodies = [];
    this.waiting = countPoints(tick);
  }

  async send(signal: AbortSignal): Promise<Trouble | undefined> {
    if (this.#tick !== undefined) {
      this.#bodies = this.#encoder.encode(this.#tick).reverse();
      this.#tick = undefined;
    }
    const bodies = this.#bodies;
    const { body, points } = bodies.at(-1)!;
    this.#sending = points;
    try {
      const { rejected, trouble } = await this.#post(body, points, signal);
      this.sent += points - rejected;
      this.dropped += rejected;
      // A later tick may have been offered meanwhile.
      if (bodies === this.#bodies) {
        bodies.pop();
        this.waiting -= points;
      }
      return trouble;
    } catch (error) {
      if (bodies !== this.#bodies) this.dropped += points;
      throw error;
    } finally {
      this.#sending = 0;
    }
  }

  close(): void {}

  async #post(
    body: string,
    points: number,
    signal: AbortSignal,
  ): Promise<{ rejected: number; trouble?: Trouble }> {
    const controller = new AbortController();
    const abort = () => controller.abort(new Error("it took too long"));
    if (signal.aborted) abort();
    signal.addEventListener("abort", abort);
    const timer = setTimeout(abort, TIMEOUT_MS);
    let response, text;
    try {
      response = await fetch(this.#url, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body,
        // A redirected POST would arrive as a GET.
        redirect: "manual",
        signal: controller.signal,
      });
      text = await readText(response);
    } catch (error) {
      // Node says "fetch failed"; the reason is in the cause.
      const { message, cause } = error as Error;
      throw new Error(cause instanceof Error ? cause.message : message);
    } finally {
      clearTimeout(timer);
      signal.removeEventListener("abort", abort);
    }
    const { status, headers, ok } = response;
    if (RETRYABLE.includes(status)) {
      const after = retryAfter(headers.get("retry-after"), this.#now());
      const message = summary(status, text);
      throw after === undefined
        ? new Error(message)
        : new RetryLater(message, after);
    }
    if (!ok) {
      const trouble = { message: summary(status, text), isFailure: true };
      return { rejected: points, trouble };
    }
    const { points: all, message } = rejectedIn(text);
    if (all === 0) return { rejected: 0 };
    const rejected = Math.min(all, points);
    const trouble = {
      message: `the server rejected ${rejected} points: ${message}`,
      isFailure: false,
    };
    return { rejected, trouble };
  }
}
