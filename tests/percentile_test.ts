import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { mean, percentile, pool } from "../percentile.ts";

/** The first statvent's way, word by word. */
function reference(sorted: number[], p: number): number {
  let index = Math.floor(sorted.length * (p * 0.01)) - 1;
  if (index < 0) {
    index = 0;
  }
  return sorted.length > 0 ? sorted[index] : 0;
}

Deno.test("percentile() picks the ancestors' value for every n from 0 to 1000 and every p", () => {
  const window: number[] = [];
  for (let n = 0; n <= 1000; n++) {
    for (let p = 0; p <= 100; p++) {
      if (percentile(window, p) !== reference(window, p)) {
        assertEquals(percentile(window, p), reference(window, p), `${n} ${p}`);
      }
    }
    window.push(n * n);
  }
});

Deno.test("percentile() picks the ancestors' value for fractional percentiles", () => {
  fc.assert(fc.property(
    fc.array(fc.double({ noNaN: true }), { maxLength: 1000 }),
    fc.double({ min: 0, max: 100, noNaN: true }),
    (values, p) => {
      const sorted = values.sort((a, b) => a - b);
      assertEquals(percentile(sorted, p), reference(sorted, p));
    },
  ));
});

Deno.test("percentile() gives the known values of known windows", () => {
  const upTo = (n: number) => Array.from({ length: n }, (_, i) => i + 1);
  const table = [1, 2, 3, 10, 99, 100].map((n) =>
    [50, 95, 99, 100].map((p) => percentile(upTo(n), p))
  );
  assertEquals(table, [
    [1, 1, 1, 1],
    [1, 1, 1, 2],
    [1, 2, 2, 3],
    [5, 9, 9, 10],
    [49, 94, 98, 99],
    [50, 95, 99, 100],
  ]);
});

Deno.test("mean() is the sum over the number, and finite", () => {
  assertEquals(mean([]), 0);
  assertEquals(mean([1, 2, 4.5]), 2.5);
  assertEquals(mean([Number.MAX_VALUE, Number.MAX_VALUE]), Number.MAX_VALUE);
});

Deno.test("pool() sorts all values and leaves the windows as they are", () => {
  const windows = [[3, 1], [], [2, -1]];
  assertEquals([...pool(windows)], [-1, 1, 2, 3]);
  assertEquals(windows, [[3, 1], [], [2, -1]]);
});
