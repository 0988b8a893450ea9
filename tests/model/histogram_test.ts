import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { distribution } from "../../mod.ts";
import {
  addHistogram,
  type Buckets,
  countOf,
  downscale,
  emptyHistogram,
  type Histogram,
  upperBound,
} from "../../model/histogram.ts";
import { nap } from "../../runtime/pause.ts";
import { ProcessStats } from "../../slab/process_stats.ts";
import { ownSlab } from "../../stats/stats.ts";

const stats = new ProcessStats(nap);
let names = 0;

/** What statvent makes of values that are recorded. */
function record(values: readonly number[]): Histogram {
  const name = `h${names++}.{0}`;
  const handle = distribution(name);
  for (const value of values) handle.record(value);
  stats.refresh([ownSlab().slab]);
  return stats.recorded.get(name)!.histogram();
}

// One stat for all values of a property: what is new is what is more.
const one = distribution("one.{0}");
const sofar = {
  positive: new Map<number, number>(),
  negative: new Map<number, number>(),
};

/** The bucket that `record()` chooses, and of which sign. */
function bucketOf(value: number): [sign: number, index: number] {
  one.record(value);
  stats.refresh([ownSlab().slab]);
  const now = stats.recorded.get("one.{0}")!.histogram();
  const found: [number, number][] = [];
  for (const [key, sign] of [["positive", 1], ["negative", -1]] as const) {
    for (const [index, count] of now[key]) {
      const more = count - (sofar[key].get(index) ?? 0);
      for (let i = 0; i < more; i++) found.push([sign, index]);
    }
    sofar[key] = now[key];
  }
  assertEquals(found.length, 1);
  return found[0];
}

/** A double as a whole number times a power of two, exactly. */
function exact(value: number): [mantissa: bigint, exponent: bigint] {
  const bits = new BigUint64Array(Float64Array.of(value).buffer)[0];
  const exponent = (bits >> 52n) & 2047n;
  const fraction = bits & ((1n << 52n) - 1n);
  return exponent === 0n
    ? [fraction, -1074n]
    : [fraction | (1n << 52n), exponent - 1075n];
}

/** Whether value <= 2^(n/16), exactly: by their 16th powers. */
function isAtMost(value: number, n: number): boolean {
  const [mantissa, exponent] = exact(value);
  let left = mantissa ** 16n;
  let right = 1n;
  const power = 16n * exponent - BigInt(n);
  if (power >= 0n) left <<= power;
  else right <<= -power;
  return left <= right;
}

/** The next double towards zero. */
function before(value: number): number {
  const bits = new BigUint64Array(Float64Array.of(value).buffer)[0];
  return new Float64Array(BigUint64Array.of(bits - 1n).buffer)[0];
}

function assertBucket(value: number): void {
  const [sign, index] = bucketOf(value);
  const size = Math.abs(value);
  assertEquals(sign, Math.sign(value));
  // But for powers of two, the bound is no double, and the nearest one counts
  // as within it, also where that is greater.
  const isExact = (index + 1) % 16 === 0;
  if (
    !isAtMost(isExact ? size : before(size), index + 1) ||
    isAtMost(size, index)
  ) {
    throw new Error(`${value} is in bucket ${index}`);
  }
}

/** The doubles next to a positive one. */
function neighbours(value: number): number[] {
  const bits = new BigUint64Array(Float64Array.of(value).buffer);
  return [-2n, -1n, 0n, 1n, 2n].map((step) =>
    new Float64Array(BigUint64Array.of(bits[0] + step).buffer)[0]
  ).filter((value) => Number.isFinite(value) && value > 0);
}

Deno.test("record() puts a value into the bucket i with 2^(i/16) < |v| <= 2^((i+1)/16): powers of two, and their neighbours", () => {
  for (let exponent = -1022; exponent <= 1023; exponent++) {
    for (const value of neighbours(2 ** exponent)) {
      assertBucket(exponent % 2 ? value : -value);
    }
  }
});

Deno.test("record() puts a value into its bucket: all bounds of some octaves, and their neighbours", () => {
  for (
    const exponent of [-1022, -700, -53, -3, -1, 0, 1, 2, 30, 31, 32, 1022]
  ) {
    for (let k = 0; k <= 16; k++) {
      for (const value of neighbours(2 ** (exponent + k / 16))) {
        assertBucket(value);
        assertBucket(-value);
      }
    }
  }
});

Deno.test("record() puts a value into its bucket: any double of any exponent, and whole numbers", () => {
  const double = fc.tuple(
    fc.bigInt(0n, (1n << 52n) - 1n),
    fc.bigInt(1n, 2046n),
    fc.bigInt(0n, 1n),
  ).map(([fraction, exponent, sign]) =>
    new Float64Array(
      BigUint64Array.of((sign << 63n) | (exponent << 52n) | fraction).buffer,
    )[0]
  );
  const value = fc.oneof(double, fc.integer(), fc.nat(1000))
    .filter((value) => value !== 0);
  fc.assert(fc.property(value, assertBucket), { numRuns: 3000 });
});

Deno.test("record() takes numbers below 2^-1022 for no less than they are counted for", () => {
  // Their exponent is none; they count in a bucket below all others.
  for (const value of [5e-324, 1e-310, 2 ** -1022 - 5e-324]) {
    const [sign, index] = bucketOf(value);
    assertEquals(sign, 1);
    assert(index < -1022 * 16, `${index}`);
  }
});

Deno.test("record() counts, sums, and keeps the least and the greatest of all values, not of the window", () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: -1e6, max: 1e6 }), {
        minLength: 1,
        maxLength: 400,
        size: "max",
      }),
      (values) => {
        const { sum, min, max, zeros, ...rest } = record(values);
        assertEquals({
          sum,
          min,
          max,
          zeros,
          count: countOf({ sum, min, max, zeros, ...rest }),
        }, {
          sum: values.reduce((a, b) => a + b),
          min: Math.min(...values),
          max: Math.max(...values),
          zeros: values.filter((value) => value === 0).length,
          count: values.length,
        });
      },
    ),
    { numRuns: 40 },
  );
});

Deno.test("record() keeps the sum finite", () => {
  const { MAX_VALUE } = Number;
  assertEquals(record([MAX_VALUE, MAX_VALUE, MAX_VALUE / 4]).sum, MAX_VALUE);
  assertEquals(record([-MAX_VALUE, -MAX_VALUE]).sum, -MAX_VALUE);
});

/** The value in the middle of a bucket. */
const middle = (index: number, scale: number) =>
  2 / (1 / upperBound(index - 1, scale) + 1 / upperBound(index, scale));

Deno.test("a value taken from the middle of its bucket is off by at most 2.2 %", () => {
  fc.assert(
    fc.property(
      fc.double({ min: 1e-300, max: 1e300, noNaN: true }),
      (value) => {
        const [, index] = bucketOf(value);
        const off = Math.abs(middle(index, 4) / value - 1);
        assert(off <= 0.022, `${value} ${off}`);
      },
    ),
    { numRuns: 2000 },
  );
});

/** The upper bound of the bucket that holds the value at a part of all. */
function quantile(histogram: Histogram, part: number): number {
  const { positive, negative, zeros, scale } = histogram;
  const entries = (buckets: Buckets) => [...buckets].sort(([a], [b]) => a - b);
  const all: [number, number][] = [
    ...entries(negative).reverse().map(([index, n]): [number, number] => [
      -upperBound(index - 1, scale),
      n,
    ]),
    [0, zeros],
    ...entries(positive).map(([index, n]): [number, number] => [
      upperBound(index, scale),
      n,
    ]),
  ];
  let left = part * countOf(histogram);
  for (const [value, n] of all) if (n > 0 && (left -= n) <= 0) return value;
  return histogram.max;
}

const plain = ({ positive, negative, ...rest }: Histogram) => ({
  ...rest,
  positive: [...positive].sort(([a], [b]) => a - b),
  negative: [...negative].sort(([a], [b]) => a - b),
});

Deno.test("addHistogram() makes of several processes' histograms the one of a process that has recorded all", () => {
  fc.assert(
    fc.property(
      fc.array(
        fc.array(fc.integer({ min: -10_000, max: 10_000 }), { maxLength: 80 }),
        { minLength: 1, maxLength: 6 },
      ),
      (windows) => {
        const sum = emptyHistogram();
        for (const values of windows) addHistogram(sum, record(values));
        const all = record(windows.flat());
        assertEquals(plain(sum), plain(all));
        for (const part of [0.01, 0.25, 0.5, 0.95, 0.999, 1]) {
          assertEquals(quantile(sum, part), quantile(all, part));
        }
      },
    ),
    { numRuns: 50 },
  );
});

Deno.test("addHistogram() keeps its scale: of a finer histogram buckets become one, of a coarser one they are counted in the middle", () => {
  const values = fc.array(fc.integer({ min: -5000, max: 5000 }), {
    minLength: 1,
  });
  fc.assert(
    fc.property(
      values,
      values,
      fc.integer({ min: -10, max: 4 }),
      (a, b, scale) => {
        const [own, other, all] = [record(a), record(b), record([...a, ...b])];
        downscale(other, scale);
        const before = plain(other);
        addHistogram(own, other);
        assertEquals(plain(other), before);
        // What is not in the buckets is exact.
        const { positive: _, negative: __, ...rest } = all;
        assertEquals({ ...own, ...rest }, own);
        assertEquals(countOf(own), countOf(all));
        // What was counted finely still is; the rest is in its coarse bucket.
        for (const sign of ["positive", "negative"] as const) {
          const theirs = new Map(own[sign]);
          for (const [index, n] of record(a)[sign]) {
            theirs.set(index, theirs.get(index)! - n);
          }
          const coarse = { ...emptyHistogram(), [sign]: theirs };
          downscale(coarse, scale);
          const counts = [...coarse[sign]].filter(([, n]) => n > 0);
          assertEquals(new Map(counts), other[sign]);
        }
      },
    ),
    { numRuns: 100 },
  );
  // Those of a finer one.
  const [coarse, fine, all] = [
    record([3, 70]),
    record([5]),
    record([3, 70, 5]),
  ];
  downscale(coarse, 1);
  downscale(all, 1);
  addHistogram(coarse, fine);
  assertEquals(plain(coarse), plain(all));
});

Deno.test("addHistogram() counts nothing of a coarse histogram below its least value, or above its greatest", () => {
  const coarse = record([5, 6]);
  downscale(coarse, -10);
  const sum = record([1]);
  addHistogram(sum, coarse);
  // The middle of the one bucket would be 2^512.
  assertEquals([...sum.positive], [[-1, 1], [41, 2]]);
});

Deno.test("downscale() keeps every value between the bounds of its bucket", () => {
  for (let scale = 4; scale >= -10; scale--) {
    for (const value of [1e-300, 0.1, 1, 1.5, 2, 3, 1024, 1e300]) {
      const histogram = record([value]);
      downscale(histogram, scale);
      const [[index, count]] = histogram.positive;
      assertEquals([histogram.scale, count], [scale, 1]);
      assert(
        value > upperBound(index - 1, scale) &&
          value <= upperBound(index, scale),
        `${value} in ${index} of ${scale}`,
      );
    }
  }
});
