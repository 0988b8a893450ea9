/**
 * The metrics of processes as Prometheus scrapes them.
 *
 * Made apart from those of stats, since processes come and go, and everything
 * else would have to be made anew with them. Keeps encoded names from one scrape
 * to the next.
 *
 * Pure: no clock, no I/O.
 *
 * @module
 */

import type { HostStats, ProcessStatus } from "../collect/host_stats.ts";
import type { ByteBuffer } from "../format/byte_buffer.ts";
import { NameTable } from "../format/snapshot.ts";
import { type Family, makeFamilies, type OwnMetric } from "./families.ts";
import type { Negotiated } from "./negotiate.ts";
import { processMetrics } from "./process_metrics.ts";
import { writeProtobuf } from "./protobuf.ts";
import { TextLayout } from "./text.ts";

/** A host without stats. */
const NO_STATS: HostStats = {
  table: new NameTable(),
  ids: new Int32Array(),
  values: new Float64Array(),
  fractional: new Uint8Array(),
  kinds: new Uint8Array(),
  recorded: [],
  descriptions: new Map(),
  processes: [],
};

/** What is kept of a form, as long as the series are the same. */
interface Made {
  readonly series: string;
  readonly families: readonly Family[];
  readonly layout: TextLayout;
}

/** Which series there are, in a text that is made faster than they are. */
function seriesOf(metrics: readonly OwnMetric[]): string {
  return metrics.map(({ name, labels }) =>
    `${name}\0${Object.values(labels ?? {}).join("\0")}`
  ).join("\0\0");
}

/** Writes the metrics of processes, scrape after scrape. */
export class ProcessExposition {
  readonly #made = new Map<string, Made>();

  /** Appends the metrics in a form. */
  write(
    out: ByteBuffer,
    processes: readonly ProcessStatus[],
    { format, escaping }: Pick<Negotiated, "format" | "escaping">,
  ): void {
    const metrics = processMetrics(processes);
    const values = Float64Array.from(metrics, ({ value }) => value);
    const series = seriesOf(metrics);
    const form = `${format} ${escaping}`;
    let made = this.#made.get(form);
    if (made?.series !== series) {
      const families = makeFamilies(NO_STATS, metrics, escaping);
      const layout = new TextLayout(families, format === "openmetrics");
      made = { series, families, layout };
      this.#made.set(form, made);
    }
    if (format === "protobuf") writeProtobuf(out, made.families, values, []);
    else made.layout.write(out, values, []);
  }
}
