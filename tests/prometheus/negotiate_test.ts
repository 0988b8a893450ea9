import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { negotiate } from "../../prometheus/negotiate.ts";

const TEXT = "text/plain; version=0.0.4; charset=utf-8; escaping=underscores";

const TEXT_1 = "text/plain; version=1.0.0; charset=utf-8";

const OPEN = "application/openmetrics-text; version=1.0.0; charset=utf-8";

const PROTOBUF =
  "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited";

const ASK_PROTOBUF =
  "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited";

Deno.test("negotiate() answers each header with the content type that it wants most", () => {
  const table: [accept: string | null, contentType: string][] = [
    [null, TEXT],
    ["", TEXT],
    ["*/*", TEXT],
    ["text/*", TEXT],
    ["text/plain", TEXT],
    ["application/json", TEXT],
    ["text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", TEXT],
    // Prometheus 2.42, without and with native histograms.
    [
      "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
      `${OPEN}; escaping=underscores`,
    ],
    [
      `${ASK_PROTOBUF},application/openmetrics-text;version=1.0.0;q=0.8,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1`,
      `${PROTOBUF}; escaping=underscores`,
    ],
    // Prometheus 3, without and with native histograms.
    [
      "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,text/plain;version=0.0.4;q=0.2,*/*;q=0.1",
      `${OPEN}; escaping=allow-utf-8`,
    ],
    [
      `${ASK_PROTOBUF};q=0.6,application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,text/plain;version=0.0.4;q=0.2,*/*;q=0.1`,
      `${PROTOBUF}; escaping=underscores`,
    ],
    // Prometheus 3 that is told to want the text format most.
    [
      "text/plain;version=1.0.0;escaping=values;q=0.6,text/plain;version=0.0.4;q=0.5,application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.4,*/*;q=0.1",
      `${TEXT_1}; escaping=values`,
    ],
    ["text/plain;version=1.0.0;escaping=dots", `${TEXT_1}; escaping=dots`],
    // The escaping is that of the range, and underscores if it is unknown.
    [
      "application/json;escaping=dots,text/plain;version=1.0.0",
      `${TEXT_1}; escaping=underscores`,
    ],
    [
      "text/plain;version=1.0.0;escaping=other",
      `${TEXT_1}; escaping=underscores`,
    ],
    [
      "application/openmetrics-text;version=0.0.1",
      "application/openmetrics-text; version=0.0.1; charset=utf-8; escaping=underscores",
    ],
    ["application/openmetrics-text", `${OPEN}; escaping=underscores`],
    ["application/openmetrics-text;version=2.0.0", TEXT],
    ["application/vnd.google.protobuf;encoding=delimited", TEXT],
    [`${ASK_PROTOBUF.replace("delimited", "text")}`, TEXT],
    // Case, spaces and quotes.
    [
      ' Application/OpenMetrics-Text ; Version="1.0.0" ; Escaping="values" ; Q=0.5 , text/plain ; q=0.25 ',
      `${OPEN}; escaping=values`,
    ],
    [
      'text/html;x=",";q=0.9, text/plain;version=1.0.0;q=0.8',
      `${TEXT_1}; escaping=underscores`,
    ],
    // Weights.
    [
      "application/openmetrics-text;version=1.0.0;q=0.2,text/plain;version=1.0.0;q=0.3",
      `${TEXT_1}; escaping=underscores`,
    ],
    ["application/openmetrics-text;q=0", TEXT],
    ["application/openmetrics-text;q=0,text/plain;q=0", TEXT],
    ["application/openmetrics-text;q=often", `${OPEN}; escaping=underscores`],
    ["*/*,application/openmetrics-text", `${OPEN}; escaping=underscores`],
    ["*/*;q=0.9,application/openmetrics-text;q=0.5", TEXT],
  ];
  assertEquals(
    table.map(([accept]) => [accept, negotiate(accept).contentType]),
    table,
  );
});

Deno.test("negotiate() answers any header", () => {
  const pieces = fc.constantFrom(
    ...'text/plain application/openmetrics-text */* ; , = " \\ q 0.5 version 1.0.0 escaping'
      .split(" "),
  );
  fc.assert(fc.property(
    fc.oneof(fc.string(), fc.array(pieces).map((all) => all.join(""))),
    (header) => {
      const { format, escaping, contentType } = negotiate(header);
      assertEquals(contentType.endsWith(`; escaping=${escaping}`), true);
      assertEquals(
        /^(text|openmetrics|protobuf)$/.test(format) &&
          /^[\x20-\x7e]+$/.test(contentType),
        true,
      );
    },
  ));
});
