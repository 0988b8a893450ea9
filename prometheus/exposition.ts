/**
 * The stats of a host as Prometheus scrapes them.
 *
 * Keeps encoded names from one scrape to the next.
 *
 * Pure: no clock, no I/O.
 *
 * @module
 */

import { countStates, type HostStats } from "../collect/host_stats.ts";
import { ByteBuffer } from "../format/byte_buffer.ts";
import type { NameTable } from "../format/snapshot.ts";
import { markCreated } from "./created.ts";
import { type Family, makeFamilies, type OwnMetric } from "./families.ts";
import {
  type Escaping,
  type ExpositionFormat,
  negotiate,
  type Negotiated,
} from "./negotiate.ts";
import {
  type HostPart,
  joinRecorded,
  joinValues,
  MAX_SERIES,
  reservedLabels,
  shareOut,
  type Shares,
  shownParts,
  splitFamilies,
} from "./parts.ts";
import { ProcessExposition } from "./process_exposition.ts";
import { PROCESS_METRICS } from "./process_metrics.ts";
import { writeProtobuf } from "./protobuf.ts";
import { TextLayout } from "./text.ts";

export type { HostPart, OwnMetric };

/** The answer to a scrape. */
export interface ScrapeAnswer {
  /** The header `Content-Type`. */
  readonly contentType: string;
  /** The body, which belongs to the caller. */
  readonly body: Uint8Array<ArrayBuffer>;
}

/** Answers scrapes, one after the other. */
export class PrometheusExposition {
  readonly #shape = new Shape();
  readonly #families = new Map<Escaping, Family[]>();
  readonly #layouts = new Map<string, TextLayout>();
  readonly #processes = new ProcessExposition();
  readonly #out = new ByteBuffer();

  /**
   * Writes the stats in the format that the client prefers.
   *
   * @param host The stats.
   * @param accept The header `Accept`, or `null` without one.
   * @param own More metrics of the service itself.
   * @returns The answer.
   */
  respond(
    host: HostStats,
    accept: string | null,
    own: readonly OwnMetric[],
  ): ScrapeAnswer {
    const negotiated = negotiate(accept);
    const body = this.write(host, negotiated, own);
    return { contentType: negotiated.contentType, body };
  }

  /**
   * Writes the stats in a format.
   *
   * @param host The stats.
   * @param negotiated The format that the client prefers.
   * @param own More metrics of the service itself.
   * @param split The parts of the host, if each is to have series of its own.
   * @returns The body, which belongs to the caller.
   */
  write(
    host: HostStats,
    { format, escaping }: Negotiated,
    own: readonly OwnMetric[],
    split?: Split,
  ): Uint8Array<ArrayBuffer> {
    const source = sourceOf(host, own, split);
    if (this.#shape.update(source)) {
      this.#families.clear();
      this.#layouts.clear();
    }
    const families = this.#familiesOf(source, escaping);
    const values = valuesOf(source);
    const recorded = source.parts === undefined
      ? host.recorded
      : joinRecorded(source.parts);
    const out = this.#out;
    out.length = 0;
    this.#processes.write(out, host.processes, { format, escaping });
    if (format === "protobuf") writeProtobuf(out, families, values, recorded);
    else {
      const layout = this.#layoutOf(families, format, escaping);
      layout.write(out, values, recorded);
      if (format === "openmetrics") out.string("# EOF\n");
    }
    return out.bytes.slice(0, out.length);
  }

  #familiesOf(source: Source, escaping: Escaping): Family[] {
    let families = this.#families.get(escaping);
    if (families === undefined) {
      families = familiesOf(source, escaping);
      this.#families.set(escaping, families);
    }
    return families;
  }

  #layoutOf(
    families: readonly Family[],
    format: ExpositionFormat,
    escaping: Escaping,
  ): TextLayout {
    const key = `${format} ${escaping}`;
    let layout = this.#layouts.get(key);
    if (layout === undefined) {
      layout = new TextLayout(families, format === "openmetrics");
      this.#layouts.set(key, layout);
    }
    return layout;
  }
}

/** The parts of a host that each have series of their own. */
export interface Split {
  readonly parts: readonly HostPart[];
  /** How many series they have together at most, 50,000 by default. */
  readonly maxSeries?: number;
}

/** What is written in one answer. */
interface Source {
  readonly host: HostStats;
  readonly own: readonly OwnMetric[];
  readonly parts: readonly HostPart[] | undefined;
  readonly shares: Shares | undefined;
  /** Since when each part counts, or the host if it has no parts. */
  readonly created: readonly (number | undefined)[];
}

function sourceOf(
  host: HostStats,
  own: readonly OwnMetric[],
  split: Split | undefined,
): Source {
  const parts = split && shownParts(host, split.parts);
  const shares = parts && shareOut(host, parts, split.maxSeries ?? MAX_SERIES);
  const all = [
    ...stateMetrics(host),
    ...own,
    ...(shares === undefined ? [] : [leftOutMetric(shares)]),
  ];
  return {
    host,
    own: all.filter(({ value }) => Number.isFinite(value)),
    parts,
    shares,
    created: parts?.map(({ host }) => host.created) ?? [host.created],
  };
}

/** The values of stats, then those of own metrics, then the times of creation. */
function valuesOf({ host, own, parts, created }: Source): Float64Array {
  const ofStats = parts === undefined ? host.values : joinValues(parts);
  const count = ofStats.length;
  const values = new Float64Array(count + own.length + created.length);
  values.set(ofStats);
  values.set(own.map(({ value }) => value), count);
  values.set(created.map((time) => time ?? 0), count + own.length);
  return values;
}

function familiesOf(
  { host, own, parts, shares, created }: Source,
  escaping: Escaping,
): Family[] {
  const reserved = parts && reservedLabels(escaping);
  const families = makeFamilies(
    host,
    own,
    escaping,
    PROCESS_METRICS,
    reserved,
  );
  const split = parts === undefined
    ? families
    : splitFamilies(families, host, parts, shares!, escaping);
  const sources = parts?.map(({ host }) => host) ?? [host];
  const firstOwn = sources.reduce((sum, { ids }) => sum + ids.length, 0);
  return markCreated(split, created, firstOwn, firstOwn + own.length);
}

function leftOutMetric({ leftOut }: Shares): OwnMetric {
  return {
    name: "statvent_left_out_series",
    help: "Series left out, since there would be too many.",
    type: "gauge",
    value: leftOut,
  };
}

/** The number of processes in each state. */
function stateMetrics({ processes }: HostStats): OwnMetric[] {
  return Object.entries(countStates(processes)).map(([state, value]) => ({
    name: "statvent_processes",
    help: "Processes of this host by whether they answer and respond.",
    type: "gauge",
    value,
    labels: { state },
  }));
}

/** What the families of an answer depend on, besides the escaping. */
class Shape {
  #table: NameTable | undefined;
  #ids: Int32Array[] = [];
  #kinds = new Uint8Array();
  #rest = "";

  /**
   * Becomes the shape of an answer.
   *
   * @returns Whether the shape has changed.
   */
  update({ host, own, parts = [], shares, created }: Source): boolean {
    const { table, kinds, descriptions } = host;
    const hosts = [host, ...parts.map(({ host }) => host)];
    const rest = JSON.stringify([
      hosts.map(({ recorded }) =>
        recorded.map(({ name, histogram }) => [name, histogram === undefined])
      ),
      [...descriptions],
      own.map(({ name, help, type, labels }) => [name, help, type, labels]),
      parts.map(({ labels }) => labels),
      shares?.plain,
      shares?.recorded,
      created.map((time) => time === undefined),
    ]);
    const isSame = table === this.#table && rest === this.#rest &&
      hosts.length === this.#ids.length &&
      hosts.every(({ ids }, i) => equal(ids, this.#ids[i])) &&
      equal(kinds, this.#kinds);
    if (isSame) return false;
    this.#table = table;
    this.#rest = rest;
    this.#ids = hosts.map(({ ids }) => ids.slice());
    this.#kinds = kinds.slice();
    return true;
  }
}

function equal(
  a: Int32Array | Uint8Array,
  b: Int32Array | Uint8Array,
): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}
