/**
 * Hosts, and what Prometheus is answered about them.
 *
 * @module
 */

import fc from "fast-check";
import type { HostStats } from "../../collect/host_stats.ts";
import type { Kind } from "../../model/kinds.ts";
import { PrometheusExposition } from "../../prometheus/exposition.ts";
import type { OwnMetric } from "../../prometheus/families.ts";
import { checkExposition } from "./exposition_checker.ts";
import {
  accept,
  COUNTER,
  GAUGE,
  type HostInput,
  makeHost,
  recordedOf,
  SHOWN,
  UNKNOWN,
  withoutHistogram,
} from "./host.ts";

export const ESCAPINGS = ["allow-utf-8", "underscores", "dots", "values"];

/** The text without the families that every answer has. */
export function write(
  host: HostStats | HostInput,
  format: "text" | "openmetrics",
  escaping?: string,
  own: readonly OwnMetric[] = [],
): string {
  const { body } = new PrometheusExposition().respond(
    "table" in host ? host : makeHost(host),
    accept(format, escaping),
    own,
  );
  const text = new TextDecoder("utf-8", { fatal: true }).decode(body);
  checkExposition(text, format === "openmetrics");
  return text.replaceAll(/.*\bstatvent_+process(es|_+up)\b.*\n/g, "");
}

/** The names and values of the samples. */
export function samples(text: string): string[] {
  return text.split("\n").filter((line) => line !== "" && line[0] !== "#");
}

export const SMALL: HostInput = {
  stats: [
    ['http.requests{method="GET"}', COUNTER, 5],
    ['http.requests{http.method="a\\"\\\\\\n"}', COUNTER, 2],
    ["bytes_total", COUNTER, 1.5],
    ["queue.length", GAUGE, -3],
    ["größe", UNKNOWN, 1e22],
    ["db.ms median", SHOWN, 2],
    ["latency", GAUGE, 0.25],
  ],
  recorded: [recordedOf('db.{0}.ms{table="users"}', [1, 2, 3, 1000])],
  descriptions: {
    "http.requests": { help: 'Requests "so far"\n\\ all' },
    latency: { unit: "seconds", help: "How long" },
  },
  processes: ["ok", "ok", "dead", "timeout"],
};

export const FEW: HostInput = {
  ...SMALL,
  recorded: [recordedOf("db.{0}.ms", [1.5, 0], { percentiles: [50, 100] })],
};

// Names that come close to each other.
const name = fc.array(
  fc.constantFrom(
    ...'a b . _ : é {0} 9 U__ _2e_ total _total .total _sum _count _bucket _created histogram _histogram _gauge _counter seconds " \\ 💥'
      .split(" "),
    " ",
  ),
  { maxLength: 4 },
).map((parts) => parts.join(""));

const labels = fc.oneof(
  fc.constant(""),
  fc.uniqueArray(
    fc.tuple(
      fc.constantFrom(
        ..."a a.b a_b _x __x _.x le quantile name exported_name exported_le"
          .split(" "),
      ),
      fc.oneof(
        fc.constantFrom('""', '"1"', '"\\n\\\\\\""', '"\\ud800"', '"\\udbff"'),
        fc.string({ unit: "grapheme" }).map((text) => JSON.stringify(text)),
      ),
    ),
    { selector: ([key]) => key, minLength: 1, maxLength: 3 },
  ).map((pairs) => `{${pairs.map(([k, v]) => `${k}=${v}`).join(",")}}`),
);

const series = fc.tuple(name, labels)
  .map((parts) => parts.join("").replaceAll(/[\n\v\f\r\x85\u2028\u2029]/g, ""));

export const anyHost = fc.record({
  stats: fc.uniqueArray(
    fc.tuple(series, fc.constantFrom<Kind>(COUNTER, GAUGE, UNKNOWN, SHOWN)),
    { selector: ([name]) => name, maxLength: 8 },
  ),
  recorded: fc.uniqueArray(
    fc.tuple(series, fc.boolean(), fc.boolean()),
    { selector: ([name]) => name, maxLength: 4 },
  ),
  descriptions: fc.dictionary(
    name,
    fc.record({
      help: fc.oneof(fc.string({ unit: "binary" }), fc.constant("\r\u2028\n")),
      unit: fc.constantFrom("", "seconds", "a_b", "é", "total"),
    }),
    { maxKeys: 4 },
  ),
}).map(({ stats, recorded, descriptions }): HostInput => ({
  // Each value is there once.
  stats: stats.map(([name, kind], i) => [name, kind, i + 1000]),
  recorded: recorded.map(([name, kept, negative], i) => {
    const values = [negative ? -0.5 : 1, 10 * i + 3000];
    return kept ? recordedOf(name, values) : withoutHistogram(name, values);
  }),
  descriptions,
}));
