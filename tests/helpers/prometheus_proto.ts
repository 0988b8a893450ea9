/**
 * Decodes Prometheus's protocol buffers with a library that is not ours.
 *
 * @module
 */

import protobuf from "protobufjs";

// The published definitions, as far as they matter here.
const DEFINITIONS = `
syntax = "proto2";
package io.prometheus.client;
message LabelPair { optional string name = 1; optional string value = 2; }
enum MetricType {
  COUNTER = 0; GAUGE = 1; SUMMARY = 2; UNTYPED = 3; HISTOGRAM = 4; GAUGE_HISTOGRAM = 5;
}
message Gauge { optional double value = 1; }
message Timestamp { optional int64 seconds = 1; optional int32 nanos = 2; }
message Counter { optional double value = 1; optional Timestamp created_timestamp = 3; }
message Quantile { optional double quantile = 1; optional double value = 2; }
message Summary {
  optional uint64 sample_count = 1;
  optional double sample_sum = 2;
  repeated Quantile quantile = 3;
  optional Timestamp created_timestamp = 4;
}
message Untyped { optional double value = 1; }
message Histogram {
  optional uint64 sample_count = 1;
  optional double sample_count_float = 4;
  optional double sample_sum = 2;
  repeated Bucket bucket = 3;
  optional sint32 schema = 5;
  optional double zero_threshold = 6;
  optional uint64 zero_count = 7;
  optional double zero_count_float = 8;
  repeated BucketSpan negative_span = 9;
  repeated sint64 negative_delta = 10;
  repeated double negative_count = 11;
  repeated BucketSpan positive_span = 12;
  repeated sint64 positive_delta = 13;
  repeated double positive_count = 14;
  optional Timestamp created_timestamp = 15;
}
message Bucket {
  optional uint64 cumulative_count = 1;
  optional double cumulative_count_float = 4;
  optional double upper_bound = 2;
}
message BucketSpan { optional sint32 offset = 1; optional uint32 length = 2; }
message Metric {
  repeated LabelPair label = 1;
  optional Gauge gauge = 2;
  optional Counter counter = 3;
  optional Summary summary = 4;
  optional Untyped untyped = 5;
  optional Histogram histogram = 7;
  optional int64 timestamp_ms = 6;
}
message MetricFamily {
  optional string name = 1;
  optional string help = 2;
  optional MetricType type = 3;
  repeated Metric metric = 4;
  optional string unit = 5;
}
`;

/** A time as it was sent. */
export interface DecodedTime {
  seconds: number;
  nanos: number;
}

interface Span {
  offset?: number;
  length: number;
}

/** A histogram as it was sent. */
export interface DecodedHistogram {
  sampleCount: number;
  sampleSum: number;
  bucket?: { cumulativeCount: number; upperBound: number }[];
  schema?: number;
  zeroThreshold?: number;
  zeroCount?: number;
  negativeSpan?: Span[];
  negativeDelta?: number[];
  positiveSpan?: Span[];
  positiveDelta?: number[];
  createdTimestamp?: DecodedTime;
}

/** A family as it was sent. */
export interface DecodedFamily {
  name: string;
  help: string;
  type: string;
  unit?: string;
  metric?: {
    label?: { name: string; value: string }[];
    gauge?: { value: number };
    counter?: { value: number; createdTimestamp?: DecodedTime };
    untyped?: { value: number };
    summary?: {
      sampleCount?: number;
      sampleSum?: number;
      quantile?: { quantile: number; value: number }[];
      createdTimestamp?: DecodedTime;
    };
    histogram?: DecodedHistogram;
  }[];
}

const MetricFamily = protobuf.parse(DEFINITIONS).root
  .lookupType("io.prometheus.client.MetricFamily");

/** Reads families, each after its length. */
export function decodeFamilies(bytes: Uint8Array): DecodedFamily[] {
  const reader = protobuf.Reader.create(bytes);
  const families: DecodedFamily[] = [];
  while (reader.pos < reader.len) {
    const family = MetricFamily.decodeDelimited(reader);
    families.push(
      MetricFamily.toObject(family, {
        enums: String,
        longs: Number,
      }) as DecodedFamily,
    );
  }
  return families;
}

/** The buckets of one sign, by the index that Prometheus has for each. */
export function bucketsOf(
  spans: readonly Span[] = [],
  deltas: readonly number[] = [],
): [index: number, count: number][] {
  const buckets: [number, number][] = [];
  let index = 0;
  let count = 0;
  for (const { offset = 0, length } of spans) {
    index += offset;
    for (let i = 0; i < length; i++) {
      count += deltas[buckets.length];
      buckets.push([index++, count]);
    }
  }
  return buckets;
}
