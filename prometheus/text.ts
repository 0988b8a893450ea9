/**
 * Metric families as text: Prometheus's format 0.0.4, of which 1.0.0 only adds
 * names in quotes, and OpenMetrics 1.0.
 *
 * Pure: no clock, no I/O.
 *
 * @module
 */

import type { HostDistribution } from "../collect/host_stats.ts";
import { NEWLINE } from "../format/ascii.ts";
import { ByteBuffer } from "../format/byte_buffer.ts";
import { countOf } from "../model/histogram.ts";
import { bucketsOf } from "./classic_buckets.ts";
import {
  type Family,
  isOfDistributions,
  type LabelPair,
  type Series,
} from "./families.ts";
import {
  escapeText,
  goNumber,
  isPlainMetric,
  labelName,
  quantileValues,
  quote,
} from "./names.ts";

const encoder = new TextEncoder();

/** The text of a host, except for the numbers: made once, written often. */
export class TextLayout {
  // The text before each value: views of one buffer. Making a view on each write
  // takes four times as long, and so does copying byte by byte.
  readonly #texts: readonly Uint8Array[];
  /** For each text, the index of its value. */
  readonly #indices: number[] = [];
  readonly #recorded: DistributionFamilyText[] = [];

  /**
   * Encodes all names.
   *
   * @param families What to write.
   * @param open Whether the text is OpenMetrics.
   */
  constructor(families: readonly Family[], open: boolean) {
    const texts = new ByteBuffer();
    const ends: number[] = [];
    for (const family of families) {
      if (isOfDistributions(family.type)) {
        this.#recorded.push(new DistributionFamilyText(family, open));
        continue;
      }
      texts.string(header(family, family.type, open));
      const suffix = family.type === "counter" ? "_total" : "";
      for (const series of family.series) {
        texts.string(sample(`${family.name}${suffix}`, series.labels));
        ends.push(texts.length);
        this.#indices.push(series.index);
        if (!open || series.created === undefined) continue;
        texts.string(sample(`${family.name}_created`, series.labels));
        ends.push(texts.length);
        this.#indices.push(series.created);
      }
    }
    this.#texts = ends.map((end, i) =>
      texts.bytes.subarray(ends[i - 1] ?? 0, end)
    );
  }

  /**
   * Appends the text, without the line that ends OpenMetrics.
   *
   * @param out What to append to.
   * @param values The values of plain series and times, by their indices.
   * @param recorded The distributions, by their indices.
   */
  write(
    out: ByteBuffer,
    values: Float64Array,
    recorded: readonly HostDistribution[],
  ): void {
    for (let i = 0; i < this.#texts.length; i++) {
      writeLine(out, this.#texts[i], values[this.#indices[i]]);
    }
    for (const family of this.#recorded) family.write(out, values, recorded);
  }
}

/** The text of one distribution, except for the numbers. */
class DistributionText {
  readonly #family: Family;
  readonly #series: Series;
  readonly #open: boolean;
  readonly #sum: Uint8Array;
  readonly #count: Uint8Array;
  readonly #created: Uint8Array | undefined;
  // The text before a value, by quantile or by upper bound.
  readonly #numbered = new Map<number, Uint8Array>();

  constructor(family: Family, series: Series, open: boolean) {
    this.#family = family;
    this.#series = series;
    this.#open = open;
    this.#sum = encoder.encode(sample(`${family.name}_sum`, series.labels));
    this.#count = encoder.encode(sample(`${family.name}_count`, series.labels));
    if (open && series.created !== undefined) {
      const line = sample(`${family.name}_created`, series.labels);
      this.#created = encoder.encode(line);
    }
  }

  /** Appends the text, without sum, count and time if it is `bare`. */
  write(
    out: ByteBuffer,
    values: Float64Array,
    stat: HostDistribution,
    bare: boolean,
  ): void {
    const { histogram } = stat;
    if (this.#family.type === "histogram") {
      const { buckets } = this.#family;
      for (const [bound, count] of bucketsOf(histogram!, buckets)) {
        writeLine(out, this.#bucket(bound), count);
      }
      writeLine(out, this.#bucket(Infinity), countOf(histogram!));
    } else {
      for (const [quantile, value] of quantileValues(stat)) {
        writeLine(out, this.#quantile(quantile), value);
      }
    }
    if (histogram === undefined || bare) return;
    writeLine(out, this.#sum, histogram.sum);
    writeLine(out, this.#count, countOf(histogram));
    if (this.#created === undefined) return;
    writeLine(out, this.#created, values[this.#series.created!]);
  }

  #quantile(quantile: number): Uint8Array {
    return this.#line(quantile, "", "quantile");
  }

  #bucket(bound: number): Uint8Array {
    return this.#line(bound, "_bucket", "le");
  }

  #line(number: number, suffix: string, label: string): Uint8Array {
    let text = this.#numbered.get(number);
    if (text === undefined) {
      const value = number === Infinity ? "+Inf" : goNumber(number, this.#open);
      const labels = [...this.#series.labels, [label, value] as const];
      text = encoder.encode(sample(`${this.#family.name}${suffix}`, labels));
      this.#numbered.set(number, text);
    }
    return text;
  }
}

/** The text of a family of distributions, except for the numbers. */
class DistributionFamilyText {
  readonly #family: Family;
  readonly #open: boolean;
  readonly #header: Uint8Array;
  readonly #gaugeHeader: Uint8Array;
  readonly #stats: readonly DistributionText[];

  constructor(family: Family, open: boolean) {
    this.#family = family;
    this.#open = open;
    this.#header = encoder.encode(header(family, family.type, open));
    this.#gaugeHeader = encoder.encode(header(family, "gauge", open));
    this.#stats = family.series.map((series) =>
      new DistributionText(family, series, open)
    );
  }

  write(
    out: ByteBuffer,
    values: Float64Array,
    recorded: readonly HostDistribution[],
  ): void {
    const { type, series } = this.#family;
    // OpenMetrics forbids negative numbers in a summary, and a sum of a histogram
    // with negative buckets; without a sum there must be no count.
    const bare = series.map(({ index }) =>
      this.#open && hasNegative(recorded[index])
    );
    const asGauge = type === "summary" && bare.includes(true);
    out.text(asGauge ? this.#gaugeHeader : this.#header);
    for (const [i, { index }] of series.entries()) {
      const isBare = asGauge || bare[i];
      this.#stats[i].write(out, values, recorded[index], isBare);
    }
  }
}

/** Whether a value below 0 was ever recorded, as far as is known. */
function hasNegative({ histogram, window }: HostDistribution): boolean {
  return window[0] < 0 || (histogram?.negative.size ?? 0) > 0;
}

/** The lines before the samples of a family. */
function header(
  { name, help, unit, type: real }: Family,
  type: Family["type"],
  open: boolean,
): string {
  const full = real === "counter" && !open ? `${name}_total` : name;
  const shown = isPlainMetric(full) ? full : quote(full);
  const lines = open
    ? [
      `# TYPE ${shown} ${type === "untyped" ? "unknown" : type}\n`,
      unit === undefined ? "" : `# UNIT ${shown} ${unit}\n`,
      `# HELP ${shown} ${quote(help).slice(1, -1)}\n`,
    ]
    : [
      `# HELP ${shown} ${escapeText(help)}\n`,
      `# TYPE ${shown} ${type}\n`,
    ];
  return lines.join("");
}

/** A sample up to its value. */
function sample(name: string, labels: readonly LabelPair[]): string {
  const pairs = labels.map(([key, value]) =>
    `${labelName(key)}=${quote(value)}`
  );
  const plain = isPlainMetric(name);
  if (!plain) pairs.unshift(quote(name));
  const block = pairs.length === 0 ? "" : `{${pairs.join(",")}}`;
  return `${plain ? name : ""}${block} `;
}

function writeLine(out: ByteBuffer, text: Uint8Array, value: number): void {
  out.reserve(text.length);
  out.bytes.set(text, out.length);
  out.length += text.length;
  out.number(value, !Number.isSafeInteger(value));
  out.char(NEWLINE);
}
