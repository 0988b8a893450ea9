import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { formatNumber, parseSnapshot, type Snapshot } from "../format.ts";
import { toMap } from "../host_stats.ts";
import { merge } from "../merge.ts";

const parse = (text: string) => parseSnapshot(new TextEncoder().encode(text));

/** The snapshot of a process that recorded `values` as `name`. */
function recorded(name: string, values: number[], others = ""): Snapshot {
  const names = [[50, `${name}.median`], [95, `${name}.95th`]];
  const description = {
    name: `${name}.{0}`,
    percentiles: names,
    mean: `${name}.mean`,
    values,
  };
  const lines = [...names.map(([, label]) => label), `${name}.mean`]
    .map((label) =>
      `${label}: ${formatNumber(1e6, values.some((v) => v % 1))}\n`
    )
    .join("");
  const text = `${others}${lines}# window ${
    JSON.stringify(description)
  }: ${values.length}\n`;
  return parse(`${text}# EOF: ${new TextEncoder().encode(text).length}\n`);
}

Deno.test("merge() sums what has no window, and is a float if one of them is", () => {
  const host = merge({
    live: [
      parse("a: 1\nb: 2\n__proto__: 1\n"),
      parse("b: 3\nc: 4.0\nconstructor: 1\n"),
      parse("c: 1\n__proto__: 2\n"),
    ],
  });
  assertEquals([...toMap(host)], [
    ["a", { value: 1, fractional: false }],
    ["b", { value: 5, fractional: false }],
    ["__proto__", { value: 3, fractional: false }],
    ["c", { value: 5, fractional: true }],
    ["constructor", { value: 1, fractional: false }],
  ]);
  assertEquals(merge({ live: [] }).ids.length, 0);
});

Deno.test("merge() takes percentiles and mean of the pooled windows", () => {
  fc.assert(fc.property(
    fc.array(fc.array(fc.integer(), { minLength: 1, maxLength: 100 }), {
      minLength: 1,
      maxLength: 8,
    }),
    (windows) => {
      const stats = toMap(
        merge({ live: windows.map((values) => recorded("r", values)) }),
      );
      const all = windows.flat().sort((a, b) => a - b);
      const at = (p: number) =>
        all[Math.max(0, Math.floor(all.length * (p * 0.01)) - 1)];
      assertEquals(
        [...stats].map(([name, { value }]) => [name, value]),
        [
          ["r.median", at(50)],
          ["r.95th", at(95)],
          ["r.mean", all.reduce((a, b) => a + b, 0) / all.length],
        ],
      );
    },
  ));
});

Deno.test("merge() pools by name, and keeps each process's other stats", () => {
  const stats = toMap(merge({
    live: [
      recorded("a", [1, 2], "count: 1\n"),
      recorded("b", [10.5]),
      recorded("a", [3, 4], "count: 2\n"),
      parse("count: 4\nold.95th: 7\n"),
    ],
  }));
  assertEquals(
    Object.fromEntries(
      [...stats].map((
        [name, { value, fractional }],
      ) => [name, formatNumber(value, fractional)]),
    ),
    {
      "count": "7",
      "old.95th": "7",
      "a.median": "2",
      "a.95th": "3",
      "a.mean": "2.5",
      "b.median": "10.5",
      "b.95th": "10.5",
      "b.mean": "10.5",
    },
  );
});
