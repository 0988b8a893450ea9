/**
 * Metric families as protocol buffers, each after its length: messages
 * `io.prometheus.client.MetricFamily`, with histograms both native and classic.
 *
 * Pure: no clock, no I/O.
 *
 * @module
 */

import type { HostDistribution } from "../collect/host_stats.ts";
import type { ByteBuffer } from "../format/byte_buffer.ts";
import {
  type Buckets,
  countOf,
  downscale,
  type Histogram,
} from "../model/histogram.ts";
import { bucketsOf } from "./classic_buckets.ts";
import type { Family, FamilyType, LabelPair } from "./families.ts";
import { goNumber, quantileValues } from "./names.ts";
import { ProtobufWriter } from "./protobuf_writer.ts";

// The types of families, and the fields of a metric that hold their values.
const TYPES: Readonly<Record<FamilyType, number>> = {
  counter: 0,
  gauge: 1,
  summary: 2,
  untyped: 3,
  histogram: 4,
};
const FIELDS: Readonly<Record<FamilyType, number>> = {
  gauge: 2,
  counter: 3,
  summary: 4,
  untyped: 5,
  histogram: 7,
};

// The fields that hold the time since which a metric counts.
const CREATED_IN_COUNTER = 3;
const CREATED_IN_SUMMARY = 4;
const CREATED_IN_HISTOGRAM = 15;

// The scales that Prometheus knows.
const LEAST_SCALE = -4;
const GREATEST_SCALE = 8;

/** Writes the buckets of one sign: spans of used buckets, then the differences of their counts. */
function writeBuckets(
  w: ProtobufWriter,
  field: number,
  buckets: Buckets,
): void {
  const used = [...buckets].filter(([, n]) => n > 0).sort(([a], [b]) => a - b);
  let next = 0;
  for (let i = 0; i < used.length;) {
    const start = i++;
    while (i < used.length && used[i][0] === used[i - 1][0] + 1) i++;
    w.message(field, () => {
      // Prometheus numbers buckets by their upper bounds.
      w.sint(1, used[start][0] + 1 - next);
      w.uint(2, i - start);
    });
    next = used[i - 1][0] + 2;
  }
  let before = 0;
  w.message(field + 1, () => {
    for (const [, n] of used) {
      w.zigzag(n - before);
      before = n;
    }
  });
}

function writeHistogram(
  w: ProtobufWriter,
  histogram: Histogram,
  bounds: readonly number[] | undefined,
): void {
  w.uint(1, countOf(histogram));
  w.double(2, histogram.sum);
  for (const [bound, count] of bucketsOf(histogram, bounds)) {
    w.message(3, () => {
      w.uint(1, count);
      w.double(2, bound);
    });
  }
  if (histogram.scale < LEAST_SCALE) return;
  const native = {
    ...histogram,
    negative: new Map(histogram.negative),
    positive: new Map(histogram.positive),
  };
  downscale(native, GREATEST_SCALE);
  const { scale, zeros, negative, positive } = native;
  w.sint(5, scale);
  w.double(6, 0);
  w.uint(7, zeros);
  writeBuckets(w, 9, negative);
  writeBuckets(w, 12, positive);
  // A histogram without a span would not count as a native one.
  if (positive.size === 0) w.message(12, () => w.uint(2, 0));
}

function writeSummary(w: ProtobufWriter, stat: HostDistribution): void {
  const { histogram } = stat;
  if (histogram !== undefined) {
    w.uint(1, countOf(histogram));
    w.double(2, histogram.sum);
  }
  for (const [quantile, value] of quantileValues(stat)) {
    w.message(3, () => {
      w.double(1, quantile);
      w.double(2, value);
    });
  }
}

/** Writes a message `Timestamp`. */
function writeTime(
  w: ProtobufWriter,
  field: number,
  time: number | undefined,
): void {
  if (time === undefined) return;
  // Times are given to the millisecond.
  const ms = Math.round(time * 1000);
  w.message(field, () => {
    w.uint(1, Math.floor(ms / 1000));
    w.uint(2, ms % 1000 * 1e6);
  });
}

function writeLabels(w: ProtobufWriter, labels: readonly LabelPair[]): void {
  for (const [name, value] of labels) {
    w.message(1, () => {
      w.string(1, name);
      w.string(2, value);
    });
  }
}

/**
 * Appends families.
 *
 * @param out What to append to.
 * @param families The families.
 * @param values The values of plain series and times, by their indices.
 * @param recorded The distributions, by their indices.
 */
export function writeProtobuf(
  out: ByteBuffer,
  families: readonly Family[],
  values: Float64Array,
  recorded: readonly HostDistribution[],
): void {
  const w = new ProtobufWriter(out);
  for (const family of families) w.delimited(() => writeFamily(family));

  function writeFamily(family: Family): void {
    const { name, help, unit, buckets, series } = family;
    // Prometheus would give a summary without count and sum a count and a sum of 0.
    const asGauge = family.type === "summary" &&
      series.every(({ index }) => recorded[index].histogram === undefined);
    const type = asGauge ? "gauge" : family.type;
    const metric = (labels: readonly LabelPair[], write: () => void) =>
      w.message(4, () => {
        writeLabels(w, labels);
        w.message(FIELDS[type], write);
      });
    w.string(1, type === "counter" ? `${name}_total` : name);
    w.string(2, help);
    w.uint(3, TYPES[type]);
    for (const { labels, index, created } of series) {
      const time = created === undefined ? undefined : values[created];
      if (type === "histogram") {
        const histogram = recorded[index].histogram!;
        metric(labels, () => {
          writeHistogram(w, histogram, buckets);
          writeTime(w, CREATED_IN_HISTOGRAM, time);
        });
      } else if (type === "summary") {
        metric(labels, () => {
          writeSummary(w, recorded[index]);
          if (recorded[index].histogram === undefined) return;
          writeTime(w, CREATED_IN_SUMMARY, time);
        });
      } else if (type === "counter") {
        metric(labels, () => {
          w.double(1, values[index]);
          writeTime(w, CREATED_IN_COUNTER, time);
        });
      } else if (asGauge) {
        for (const [quantile, value] of quantileValues(recorded[index])) {
          const label = ["quantile", goNumber(quantile, true)] as const;
          metric([...labels, label], () => w.double(1, value));
        }
      } else metric(labels, () => w.double(1, values[index]));
    }
    if (unit !== undefined) w.string(5, unit);
  }
}
