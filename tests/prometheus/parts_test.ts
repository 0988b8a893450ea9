import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import type { HostStats } from "../../collect/host_stats.ts";
import { NameTable } from "../../format/snapshot.ts";
import { countOf } from "../../model/histogram.ts";
import { PrometheusExposition } from "../../prometheus/exposition.ts";
import { negotiate } from "../../prometheus/negotiate.ts";
import { type HostPart, shareOut } from "../../prometheus/parts.ts";
import { checkExposition } from "../helpers/exposition_checker.ts";
import {
  accept,
  COUNTER,
  GAUGE,
  type HostInput,
  makeHost,
  type PlainStat,
  recordedOf,
  UNKNOWN,
} from "../helpers/host.ts";
import { decodeFamilies } from "../helpers/prometheus_proto.ts";

/** A host and its parts, which share a table as those do that are read. */
function split(
  parts: readonly Readonly<Record<string, number>>[],
  { recorded = [], ...more }: HostInput = {},
): { host: HostStats; parts: HostPart[] } {
  const table = new NameTable();
  const kindOf = (name: string) =>
    name.startsWith("g") ? GAUGE : name.startsWith("u") ? UNKNOWN : COUNTER;
  const hostOf = (stats: Readonly<Record<string, number>>) => {
    for (const name of Object.keys(stats)) table.idOf(name);
    const all = Object.entries(stats)
      .map(([name, n]): PlainStat => [name, kindOf(name), n])
      .sort(([a], [b]) => table.idOf(a) - table.idOf(b));
    const host = makeHost({ stats: all, recorded, ...more });
    const ids = Int32Array.from(all, ([name]) => table.idOf(name));
    return { ...host, table, ids };
  };
  const sums: Record<string, number> = {};
  for (const part of parts) {
    for (const [name, n] of Object.entries(part)) {
      sums[name] = (sums[name] ?? 0) + n;
    }
  }
  return {
    host: hostOf(sums),
    parts: parts.map((stats, i): HostPart => ({
      labels: i === 0
        ? { process: "ended" }
        : { process: "app", pid: `${i}`, process_instance: "a" },
      host: hostOf(stats),
    })),
  };
}

const FORMATS = ["text", "openmetrics"] as const;

function samplesOf(
  { host, parts }: ReturnType<typeof split>,
  format: typeof FORMATS[number],
  escaping?: string,
  maxSeries?: number,
) {
  const body = new PrometheusExposition().write(
    host,
    negotiate(accept(format, escaping)),
    [],
    { parts, maxSeries },
  );
  return checkExposition(
    new TextDecoder().decode(body),
    format === "openmetrics",
  ).flatMap(({ samples }) => samples)
    .filter(({ name }) => !/statvent_+processes/.test(name));
}

const name = fc.constantFrom(
  ..."n g.x u.y n.total".split(" "),
  'n{a="1"}',
  'n{process="1"}',
  'n{exported_process="1"}',
  'n{process="1",pid="2",process_instance="3"}',
  'g.x{pid="5"}',
);

Deno.test("respond() splits every stat by its parts, whatever it is called, so that the sums are those of the host", () => {
  fc.assert(fc.property(
    fc.array(
      fc.dictionary(name, fc.integer({ min: 0, max: 1000 })),
      { minLength: 1, maxLength: 4 },
    ),
    fc.constantFrom("underscores", "dots", "values", "allow-utf-8"),
    (stats, escaping) => {
      const input = split(stats);
      const plain = new PrometheusExposition()
        .respond(input.host, accept("text", escaping), []);
      const sums = new Map<string, number>();
      for (
        const { samples } of checkExposition(
          new TextDecoder().decode(plain.body),
          false,
        )
      ) {
        for (const { name, value } of samples) {
          if (/statvent_+processes/.test(name)) continue;
          sums.set(name, (sums.get(name) ?? 0) + value);
        }
      }
      for (const format of FORMATS) {
        const samples = samplesOf(input, format, escaping)
          .filter(({ name }) => !name.includes("left"));
        const own = new Map<string, number>();
        for (const { name, labels, value } of samples) {
          own.set(name, (own.get(name) ?? 0) + value);
          assert(["ended", "app"].includes(labels.process));
        }
        assertEquals([...own].sort(), [...sums].sort());
        assertEquals(
          samples.length,
          stats.reduce((n, some) => n + Object.keys(some).length, 0),
        );
      }
    },
  ));
});

Deno.test("respond() splits distributions, which in some parts have no window or no histogram", () => {
  const { host, parts } = split([{ n: 1 }, { n: 2 }]);
  const stat = recordedOf("db.{0}.ms", [1, 2, 3]);
  const ended = { ...stat, window: new Float64Array() };
  const live = { ...stat, histogram: undefined };
  const body = new PrometheusExposition().write(
    { ...host, recorded: [stat] },
    negotiate(accept("protobuf")),
    [],
    {
      parts: [
        { ...parts[0], host: { ...parts[0].host, recorded: [ended] } },
        { ...parts[1], host: { ...parts[1].host, recorded: [live] } },
      ],
    },
  );
  const [, histogram] = decodeFamilies(body)
    .filter(({ name }) => name.startsWith("db"));
  assertEquals(
    histogram.metric!.map(({ label, histogram }) => [
      label!.map(({ value }) => value).join(),
      histogram!.sampleCount,
    ]),
    [["ended", countOf(stat.histogram!)]],
  );
});

Deno.test("respond() follows a part that comes, goes, or gets another name", () => {
  const exposition = new PrometheusExposition();
  const all = split([{ n: 1 }, { n: 2, m: 3 }, { n: 4 }]);
  const write = (parts: readonly HostPart[]) =>
    new TextDecoder().decode(
      exposition.write(all.host, negotiate(null), [], { parts }),
    ).split("\n").filter((line) => /^[nm]_/.test(line));
  const [ended, first, second] = all.parts;
  assertEquals(write([ended, second]), [
    'n_total{process="ended"} 1',
    'n_total{pid="2",process="app",process_instance="a"} 4',
  ]);
  assertEquals(write([first]), [
    'm_total{pid="1",process="app",process_instance="a"} 3',
    'n_total{pid="1",process="app",process_instance="a"} 2',
  ]);
  assertEquals(write([{ ...first, labels: { process: "x" } }]), [
    'm_total{process="x"} 3',
    'n_total{process="x"} 2',
  ]);
  assertEquals(write([ended]), ['n_total{process="ended"} 1']);
});

Deno.test("shareOut() takes series only from the parts that have most, and keeps those seen first", () => {
  const names = (prefix: string, count: number) =>
    Object.fromEntries(
      Array.from({ length: count }, (_, i) => [`${prefix}${i}`, i]),
    );
  const share = (sizes: readonly number[], max: number, more?: HostInput) => {
    const { host, parts } = split(
      sizes.map((size, i) => names(`n${i}_`, size)),
      more,
    );
    const { plain, recorded, leftOut } = shareOut(host, parts, max);
    return [plain, recorded, leftOut];
  };
  assertEquals(share([5, 5], 10), [[5, 5], [0, 0], 0]);
  assertEquals(share([5, 500, 300], 105), [[5, 50, 50], [0, 0, 0], 700]);
  assertEquals(share([3, 3, 3], 2), [[0, 0, 0], [0, 0, 0], 9]);
  assertEquals(share([], 10), [[], [], 0]);
  // Distributions come last, and count as 50 each.
  const recorded = [recordedOf("a", [1]), recordedOf("b", [1])];
  assertEquals(share([10, 10], 150, { recorded }), [[10, 10], [1, 1], 100]);
  assertEquals(share([10, 10], 220, { recorded }), [[10, 10], [2, 2], 0]);

  const input = split([names("a", 3), names("b", 9)]);
  const kept = (format: typeof FORMATS[number]) =>
    samplesOf(input, format, undefined, 7).map(({ name, value }) =>
      `${name} ${value}`
    );
  for (const format of FORMATS) {
    assertEquals(kept(format), [
      "statvent_left_out_series 5",
      ...["a0", "a1", "a2", "b0", "b1", "b2", "b3"].map((name) =>
        `${name}_total ${name[1]}`
      ),
    ]);
  }
});

Deno.test("respond() says since when a part counts, where that is known and a format has it", () => {
  const recorded = [recordedOf("db.{0}.ms", [1, 2])];
  const { host, parts } = split([{ n: 1 }, { n: 2, "g.x": 3, "u.y": 4 }], {
    recorded,
  });
  const since = {
    host,
    parts: [
      parts[0],
      { ...parts[1], host: { ...parts[1].host, created: 1767225600.125 } },
    ],
  };
  const created = samplesOf(since, "openmetrics")
    .filter(({ name }) => name.endsWith("_created"));
  assertEquals(
    created.map(({ name, labels, value }) => [name, labels.pid, value]),
    ["n_created", "db_ms_created", "db_ms_histogram_created"]
      .map((name) => [name, "1", 1767225600.125]),
  );
  assertEquals(
    samplesOf(since, "text").filter(({ name }) => name.endsWith("_created")),
    [],
  );
  const body = new PrometheusExposition().write(
    host,
    negotiate(accept("protobuf")),
    [],
    { parts: since.parts },
  );
  const times = decodeFamilies(body).flatMap(({ name, metric = [] }) =>
    metric.map(({ label = [], counter, summary, histogram }) => {
      const time = (counter ?? summary ?? histogram)?.createdTimestamp;
      const pid = label.find(({ name }) => name === "pid")?.value;
      return time && [name, pid, time];
    })
  ).filter((one) => one !== undefined);
  const time = { seconds: 1767225600, nanos: 125_000_000 };
  assertEquals(times, [
    ["n_total", "1", time],
    ["db_ms", "1", time],
    ["db_ms_histogram", "1", time],
  ]);
  // Of the whole host too.
  const { body: whole } = new PrometheusExposition().respond(
    { ...host, recorded: [], created: 1767225600 },
    accept("openmetrics"),
    [{ name: "own_total", help: "Own", type: "counter", value: 1 }],
  );
  assertEquals(
    new TextDecoder().decode(whole).match(/^\w+_created.*/gm),
    ["n_created 1767225600"],
  );
});
