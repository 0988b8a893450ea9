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
import { type Family, makeFamilies, type OwnMetric } from "./families.ts";
import {
  type Escaping,
  type ExpositionFormat,
  negotiate,
  type Negotiated,
} from "./negotiate.ts";
import { ProcessExposition } from "./process_exposition.ts";
import { PROCESS_METRICS } from "./process_metrics.ts";
import { writeProtobuf } from "./protobuf.ts";
import { TextLayout } from "./text.ts";

export type { OwnMetric };

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
   * @returns The body, which belongs to the caller.
   */
  write(
    host: HostStats,
    { format, escaping }: Negotiated,
    own: readonly OwnMetric[],
  ): Uint8Array<ArrayBuffer> {
    const allOwn = [...stateMetrics(host), ...own]
      .filter(({ value }) => Number.isFinite(value));
    if (this.#shape.update(host, allOwn)) {
      this.#families.clear();
      this.#layouts.clear();
    }
    const families = this.#familiesOf(host, allOwn, escaping);
    const values = new Float64Array(host.ids.length + allOwn.length);
    values.set(host.values);
    values.set(allOwn.map(({ value }) => value), host.ids.length);
    const out = this.#out;
    out.length = 0;
    this.#processes.write(out, host.processes, { format, escaping });
    if (format === "protobuf") {
      writeProtobuf(out, families, values, host.recorded);
    } else {
      const layout = this.#layoutOf(families, format, escaping);
      layout.write(out, values, host.recorded);
      if (format === "openmetrics") out.string("# EOF\n");
    }
    return out.bytes.slice(0, out.length);
  }

  #familiesOf(
    host: HostStats,
    own: readonly OwnMetric[],
    escaping: Escaping,
  ): Family[] {
    let families = this.#families.get(escaping);
    if (families === undefined) {
      families = makeFamilies(host, own, escaping, PROCESS_METRICS);
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

/** What the families of a host depend on, besides the escaping. */
class Shape {
  #table: NameTable | undefined;
  #ids = new Int32Array();
  #kinds = new Uint8Array();
  #rest = "";

  /**
   * Becomes the shape of a host.
   *
   * @returns Whether the shape has changed.
   */
  update(host: HostStats, own: readonly OwnMetric[]): boolean {
    const { table, ids, kinds, recorded, descriptions } = host;
    const rest = JSON.stringify([
      recorded.map(({ name, histogram }) => [name, histogram === undefined]),
      [...descriptions],
      own.map(({ name, help, type, labels }) => [name, help, type, labels]),
    ]);
    const isSame = table === this.#table && rest === this.#rest &&
      equal(ids, this.#ids) && equal(kinds, this.#kinds);
    if (isSame) return false;
    this.#table = table;
    this.#rest = rest;
    this.#ids = ids.slice();
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
