import { assert, assertEquals, assertMatch } from "@std/assert";
import fc from "fast-check";
import { checksumOf } from "../../format/checksum.ts";
import { NameTable } from "../../format/snapshot.ts";
import { parseSnapshot, SnapshotParser } from "../../format/snapshot_parser.ts";
import {
  type DistributionSource,
  type SnapshotSource,
  SnapshotWriter,
} from "../../format/snapshot_writer.ts";
import { GAUGE_MERGES } from "../../model/gauge_merge.ts";
import {
  countOf,
  emptyHistogram,
  type Histogram,
} from "../../model/histogram.ts";
import type { ProcessInfo } from "../../model/identity.ts";
import { COUNTER, GAUGE, SHOWN, UNKNOWN } from "../../model/kinds.ts";
import { IS_FRACTIONAL, IS_GAUGE } from "../../model/marks.ts";
import { whyNoName } from "../../model/names.ts";
import { mean, percentile } from "../../percentile.ts";
import { crc32 } from "../../runtime/crc32.ts";
import { encode, withEnd } from "../helpers/text.ts";

const name = fc.oneof(
  fc.constantFrom(
    "__proto__",
    "constructor",
    "a: b",
    'q{x="a\\"b"}',
    '"values":[',
    '"scale":',
    '"min":1.5',
    "]}: 5",
    "\\",
    "",
  ),
  fc.string({ unit: "binary", maxLength: 12 }),
).filter((name) => whyNoName(name) === undefined);

const value = fc.oneof(
  fc.integer(),
  fc.maxSafeInteger(),
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  fc.constantFrom(0, 1e21, -1e21, Number.MAX_VALUE, 5e-324, 2 ** 53 + 2, 0.1),
).map((value) => value + 0);

const buckets = fc.array(
  fc.tuple(
    fc.integer({ min: -17_000, max: 17_000 }),
    fc.integer({ min: 1, max: 5 }),
  ),
  { maxLength: 12 },
).map((entries) =>
  // Neighbours, too.
  new Map(entries.flatMap(([index, n]) => [[index, n], [index + 1, n]]))
);

interface Stat {
  name: string;
  percentiles: [number, string][];
  mean: string;
  window: number[];
  histogram: Histogram | undefined;
}

const recorded: fc.Arbitrary<Stat> = fc.record({
  name,
  percentiles: fc.uniqueArray(
    fc.tuple(fc.double({ min: 0, max: 100, noNaN: true }), name),
    { maxLength: 3, selector: ([, name]) => name },
  ),
  mean: name,
  window: fc.array(value, { maxLength: 6 }),
  histogram: fc.option(
    fc.record({
      // All indexes above count something at these.
      scale: fc.integer({ min: 5, max: 20 }),
      sum: value,
      min: value,
      max: value,
      zeros: fc.nat(5),
      positive: buckets,
      negative: buckets,
    }),
    { nil: undefined },
  ),
}).map(({ histogram, ...stat }) => {
  const [min, max] = histogram === undefined
    ? []
    : [histogram.min, histogram.max].sort((a, b) => a - b);
  return {
    ...stat,
    percentiles: stat.percentiles.map(([p, name]) => [p + 0, name]),
    histogram: histogram && { ...histogram, min: min!, max: max! },
  };
});

/**
 * Whether JSON has no escapes for a name. As the keys of an object, escapes are
 * sometimes read wrong by V8 15.0, which Deno 2.9.6 has: `"\\u0000"` as `"\\\\"`.
 */
const isPlain = (name: string) =>
  JSON.stringify(name).length === name.length + 2;

const isFractional = (values: readonly number[]) =>
  values.some((value) => !Number.isInteger(value));

const source = fc.record({
  scalars: fc.uniqueArray(fc.tuple(name, value, fc.boolean(), fc.boolean()), {
    maxLength: 12,
    selector: ([name]) => name,
  }),
  stats: fc.uniqueArray(recorded, {
    maxLength: 3,
    selector: ({ name }) => name,
  }),
  descriptions: fc.uniqueArray(
    fc.tuple(
      name,
      fc.record({
        help: fc.option(fc.string(), { nil: undefined }),
        unit: fc.constantFrom(undefined, "bytes", "\u2028\n\x85"),
        merge: fc.constantFrom(undefined, ...GAUGE_MERGES),
      }),
    ),
    { maxLength: 4, selector: ([name]) => name },
  ),
  process: fc.option(
    fc.record({
      id: fc.constant("0123456789abcdef0123456789abcdef"),
      start: fc.double({ min: 0, max: 1e10, noNaN: true }).map((n) => n + 0),
      name: fc.string(),
      runtime: fc.string(),
      stalled: fc.double({ min: 0, max: 1e6, noNaN: true }).map((n) => n + 0),
    }, { requiredKeys: ["id", "start", "name", "runtime"] }),
    { nil: undefined },
  ),
});

Deno.test("what SnapshotWriter writes, SnapshotParser reads, again and again as values change", () => {
  fc.assert(
    fc.property(source, fc.array(value, { minLength: 1 }), (source, later) => {
      const { scalars, stats, descriptions, process } = source;
      const names = scalars.map(([name]) => name);
      // Two stats that show under one name are not made by statvent.
      const shown = stats.flatMap(({ percentiles, mean }) => [
        ...percentiles.map(([, name]) => name),
        mean,
      ]);
      fc.pre(
        new Set([...names, ...shown]).size === names.length + shown.length,
      );
      const values = Float64Array.from(scalars, ([, value]) => value);
      const marks = Uint8Array.from(
        scalars,
        ([, value, isGauge]) =>
          (Number.isInteger(value) ? 0 : IS_FRACTIONAL) |
          (isGauge ? IS_GAUGE : 0),
      );
      const recorded = new Map<string, DistributionSource>(
        stats.map(({ name, percentiles, mean, window, histogram }) => [name, {
          description: { name, percentiles, mean },
          fractional: isFractional(window) ||
            (histogram !== undefined &&
              isFractional([histogram.sum, histogram.min, histogram.max])),
          sorted: () => Float64Array.from(window).sort(),
          histogram: () => histogram,
        }]),
      );
      const snapshot: SnapshotSource = {
        names,
        values,
        marks,
        times: new Map(
          scalars.flatMap(([name, , isGauge, isTimed], i) =>
            isGauge && isTimed && isPlain(name) ? [[i, 1000 * i + 500]] : []
          ),
        ),
        recorded,
        descriptions: new Map(descriptions),
        process,
        unknowns: scalars.flatMap(([name, , isGauge, isTimed]) =>
          !isGauge && isTimed ? [name] : []
        ),
      };
      const exposition = new SnapshotWriter();
      const parser = new SnapshotParser(new NameTable());
      for (const change of [undefined, ...later]) {
        for (let i = 0; change !== undefined && i < values.length; i += 2) {
          values[i] = change;
          if (!Number.isInteger(change)) marks[i] |= IS_FRACTIONAL;
          // More and more of them become gauges.
          if (change < 0) marks[i] |= IS_GAUGE;
        }
        const read = parser.parse(exposition.write(snapshot, true).slice());
        assertEquals(read.annotated, true);
        const at = (i: number) => ({
          name: read.table.names[read.ids[i]],
          value: read.values[i],
          fractional: read.fractional[i],
          kind: read.kinds[i],
        });
        const all = Array.from(read.ids, (_, i) => at(i));
        assertEquals(
          all.slice(0, names.length),
          scalars.map(
            ([name, , isGauge, isTimed], i) => ({
              name,
              value: values[i],
              fractional: marks[i] & IS_FRACTIONAL,
              kind: (marks[i] & IS_GAUGE) !== 0
                ? GAUGE
                : !isGauge && isTimed
                ? UNKNOWN
                : COUNTER,
            }),
          ),
        );
        assertEquals(
          all.slice(names.length),
          stats.flatMap(({ name, percentiles, mean: meanName, window }) => {
            const sorted = recorded.get(name)!.sorted();
            const fractional = recorded.get(name)!.fractional ? 1 : 0;
            if (window.length === 0) return [];
            return [
              ...percentiles.map(([p, name]) => ({
                name,
                value: percentile(sorted, p),
                fractional,
                kind: SHOWN,
              })),
              {
                name: meanName,
                value: mean(sorted) + 0,
                fractional: 1,
                kind: SHOWN,
              },
            ];
          }),
        );
        const filled = stats.filter(({ window, histogram }) =>
          window.length > 0 || (histogram && countOf(histogram) > 0)
        );
        assertEquals(
          new Map(read.recorded.map(({ description, values, histogram }) => [
            description.name,
            { values: values && [...values], histogram },
          ])),
          new Map(filled.map(({ name, window, histogram }) => [name, {
            values: window.length > 0
              ? [...recorded.get(name)!.sorted()]
              : undefined,
            histogram: histogram && countOf(histogram) > 0
              ? histogram
              : undefined,
          }])),
        );
        assertEquals(new Map(read.descriptions), new Map(descriptions));
        assertEquals(read.process, process);
        assertEquals(
          [...read.lastSet].sort(),
          [...snapshot.times].map(([i, ms]) => [names[i], ms / 1000]).sort(),
        );
      }
    }),
    { numRuns: 400 },
  );
});

/** A source with one counter and one recorded stat. */
function small(process: ProcessInfo): SnapshotSource {
  return {
    names: ["n"],
    values: Float64Array.of(3),
    marks: new Uint8Array(1),
    times: new Map(),
    recorded: new Map([["r", {
      description: { name: "r", percentiles: [[50, "r.median"]], mean: "r.m" },
      fractional: false,
      sorted: () => Float64Array.of(1),
      histogram: () => ({
        ...emptyHistogram(),
        sum: 1,
        min: 1,
        max: 1,
        positive: new Map([[-1, 1]]),
      }),
    }]]),
    descriptions: new Map(),
    process,
  };
}

Deno.test("write() numbers a snapshot, leaves out windows and adds the checksum of all before it", () => {
  const id = "0123456789abcdef0123456789abcdef";
  const process = { start: 1.5, name: "p", final: true, id, stalled: 0 };
  const bytes = new SnapshotWriter().write(small(process), true, {
    windows: false,
    seq: 7,
    crc32,
  });
  const before = `n: 3
# process {"id":"${id}","start":1.5,"name":"p","final":true}: 0.0
# histogram {"name":"r","scale":4,"sum":1,"min":1,"max":1,"zeros":0,"positive":[[-1,1]],"negative":[]}: 1
# seq: 7
`;
  const sum = crc32(encode(before));
  assertEquals(
    new TextDecoder().decode(bytes),
    withEnd(`${before}# crc32 ["${sum}"]: ${before.length}\n`),
  );
  assertEquals(checksumOf(bytes), { crc32: sum, length: before.length });
  const { seq, process: read } = parseSnapshot(bytes);
  assertEquals([seq, read?.id, read?.final], [7, id, true]);
  const mayLive = { start: 1.5, last: true, id, stalled: 0 };
  const last = new SnapshotWriter().write(small(mayLive), true);
  assertEquals(parseSnapshot(last).process?.last, true);
  // On a pipe the number stands before the end, and there is no checksum.
  const onPipe = new SnapshotWriter().write(small(process), true, { seq: 8 });
  assertMatch(
    new TextDecoder().decode(onPipe),
    /\n# window .*\n# histogram .*\n# seq: 8\n# EOF: \d+\n$/,
  );
  assertEquals(checksumOf(onPipe), undefined);
});

Deno.test("checksumOf() takes the line only where it stands, with the bytes before it", () => {
  const line = (length: number | string, crc = "00000000") =>
    encode(withEnd(`n: 1\n# crc32 ["${crc}"]: ${length}\n`));
  assertEquals(checksumOf(line(5)), { crc32: "00000000", length: 5 });
  for (const bytes of [line(4), line(6), line("5.0"), line(5, "0000000A")]) {
    assertEquals(checksumOf(bytes), undefined);
  }
  const behind = encode(withEnd(`n: 1\n# crc32 ["00000000"]: 5\nm: 1\n`));
  for (const bytes of [behind, encode(""), line(5).subarray(0, -1)]) {
    assertEquals(checksumOf(bytes), undefined);
  }
});

Deno.test("write() leaves out a histogram of which not all has arrived in memory", () => {
  const torn = { ...emptyHistogram(), zeros: 1 };
  const bytes = new SnapshotWriter().write({
    names: [],
    values: new Float64Array(0),
    marks: new Uint8Array(0),
    times: new Map(),
    recorded: new Map([["r", {
      description: { name: "r", percentiles: [], mean: undefined },
      fractional: false,
      sorted: () => new Float64Array(0),
      histogram: () => torn,
    }]]),
    descriptions: new Map(),
  }, true);
  assertEquals(new TextDecoder().decode(bytes), "# EOF: 0\n");
  assert(torn.min === Infinity);
});
