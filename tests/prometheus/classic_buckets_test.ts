import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import {
  boundedBuckets,
  classicBuckets,
} from "../../prometheus/classic_buckets.ts";
import { histogramOf } from "../helpers/host.ts";

Deno.test("classicBuckets() counts the values up to each power of two that they reach", () => {
  // Thirds are no powers of two: those below 0 lie in the bucket above.
  const value = fc.oneof(
    fc.integer({ min: -3000, max: 3000 }).map((n) => n / 3),
    fc.integer({ min: 0, max: 64 }).map((n) => 2 ** (n - 32)),
    fc.constant(0),
  ).filter((n) => n >= 0 || !Number.isInteger(Math.log2(-n)));
  fc.assert(fc.property(
    fc.array(value, { maxLength: 50 }),
    fc.integer({ min: -1, max: 6 }),
    (values, scale) => {
      const buckets = classicBuckets(histogramOf(values, scale));
      assertEquals(
        buckets,
        buckets.map(([bound]) => [
          bound,
          values.filter((value) => value <= bound).length,
        ]),
      );
      const bounds = buckets.map(([bound]) => bound);
      const step = scale < 0 ? 2 : 1;
      for (const sign of [1, -1]) {
        const own = values.map((v) => v * sign).filter((v) => v > 0);
        const exponents = bounds.map((v) => v * sign).filter((v) => v > 0)
          .map(Math.log2).sort((a, b) => a - b);
        if (own.length === 0) {
          assertEquals(exponents, []);
          continue;
        }
        // One after the other, and no further than the values reach.
        assert(
          exponents.every((e, i) => i === 0 || e === exponents[i - 1] + step),
        );
        assert(2 ** exponents[0] < Math.min(...own));
        assert(2 ** (exponents[0] + step) >= Math.min(...own));
        assert(2 ** exponents.at(-1)! >= Math.max(...own));
        assert(2 ** (exponents.at(-1)! - step) < Math.max(...own));
      }
      assertEquals(bounds.includes(0), values.includes(0));
    },
  ));
});

Deno.test("classicBuckets() leaves the histogram as it is, and is empty for an empty one", () => {
  const histogram = histogramOf([-3, 0, 5]);
  classicBuckets(histogram);
  assertEquals(histogram, histogramOf([-3, 0, 5]));
  assertEquals(classicBuckets(histogramOf([])), []);
});

Deno.test("classicBuckets() is not led astray by an index that no double has", () => {
  const histogram = histogramOf([], 0);
  histogram.positive.set(1e9, 1).set(-1e9, 2);
  const buckets = classicBuckets(histogram);
  assertEquals(buckets.length, 2098);
  assertEquals(buckets[0], [5e-324, 2]);
  assertEquals(buckets.at(-1), [2 ** 1023, 2]);
});

Deno.test("boundedBuckets() counts all values up to each bound, and at most those that share its bucket", () => {
  const value = fc.oneof(
    fc.integer({ min: -3000, max: 3000 }).map((n) => n / 3),
    fc.constantFrom(0, 0.1, 100, -100, 2 ** -1000, 2 ** 1000),
  );
  fc.assert(fc.property(
    fc.array(value, { maxLength: 50 }),
    fc.uniqueArray(value, { minLength: 1, maxLength: 10 }),
    fc.integer({ min: -1, max: 6 }),
    (values, bounds, scale) => {
      bounds.sort((a, b) => a - b);
      const base = 2 ** (2 ** -scale);
      const buckets = boundedBuckets(histogramOf(values, scale), bounds);
      assertEquals(buckets.map(([bound]) => bound), bounds);
      for (const [bound, count] of buckets) {
        const upTo = (n: number) => values.filter((v) => v <= n).length;
        assert(count >= upTo(bound));
        const most = bound > 0 ? bound * base : bound / base;
        assert(count <= upTo(most + Math.abs(most) * 1e-9));
      }
      const counts = buckets.map(([, count]) => count);
      assertEquals(counts, counts.toSorted((a, b) => a - b));
    },
  ));
});

Deno.test("boundedBuckets() is exact at the ends, at powers of two and at 0", () => {
  const buckets = (values: number[], ...bounds: number[]) =>
    boundedBuckets(histogramOf(values), bounds).map(([, count]) => count);
  assertEquals(buckets([], 1, 2), [0, 0]);
  assertEquals(buckets([0, 0], -1, 0, 1), [0, 2, 2]);
  assertEquals(buckets([100, 100], 99.9, 100), [0, 2]);
  assertEquals(buckets([1, 2, 4.001, 8], 1, 2, 4, 8, 9), [1, 2, 2, 4, 4]);
  assertEquals(buckets([-3, 5], -4, -2, 0, 4, 6), [0, 1, 1, 1, 2]);
  assertEquals(buckets([2 ** -1074, 2 ** 1023], 0, 1e-300, 1e308), [0, 1, 2]);
});
