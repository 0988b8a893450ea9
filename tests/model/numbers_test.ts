import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { formatNumber } from "../../format.ts";
import { add, addExactly } from "../../model/numbers.ts";

Deno.test("formatNumber() writes whole numbers as digits, fractional ones with a point", () => {
  const table: [number, boolean, string][] = [
    [0, false, "0"],
    [-0, false, "0"],
    [-0, true, "0.0"],
    [3, true, "3.0"],
    [-3, false, "-3"],
    [0.1, true, "0.1"],
    [2 ** 53, false, "9007199254740992"],
    [1e21, false, "1000000000000000000000"],
    [-1e21, false, "-1000000000000000000000"],
    [1e21, true, "1.0e+21"],
    [1e-7, true, "1.0e-7"],
    [1.5e-7, true, "1.5e-7"],
    [5e-324, true, "5.0e-324"],
    [Number.MAX_VALUE, true, "1.7976931348623157e+308"],
  ];
  for (const [value, fractional, text] of table) {
    assertEquals(formatNumber(value, fractional), text);
  }
});

Deno.test("formatNumber() writes what reads back as the same double", () => {
  fc.assert(fc.property(
    fc.double({ noNaN: true, noDefaultInfinity: true }),
    (value) => {
      const text = formatNumber(value, true);
      assert(Object.is(Number(text), value + 0), text);
      assert(/^-?\d+\.\d+(e[+-]\d+)?$/.test(text), text);
    },
  ));
});

Deno.test("add() keeps a sum finite", () => {
  const { MAX_VALUE } = Number;
  assertEquals(
    [add(1, 2), add(MAX_VALUE, MAX_VALUE), add(-MAX_VALUE, -MAX_VALUE)],
    [3, MAX_VALUE, -MAX_VALUE],
  );
});

Deno.test("addExactly() makes the sum that is exact, rounded once, in any order", () => {
  const number = fc.double({
    min: -1e15,
    max: 1e15,
    noNaN: true,
  }).map((value) => Math.round(value * 1024) / 1024);
  fc.assert(fc.property(
    fc.array(number, { minLength: 1, maxLength: 40 }),
    (values) => {
      const sum = { value: 0, rest: 0 };
      for (const value of values) addExactly(sum, value);
      const exact = values.reduce((sum, v) => sum + BigInt(v * 1024), 0n);
      assertEquals(sum.value, Number(exact) / 1024);
      const back = { value: 0, rest: 0 };
      for (const value of values.reverse()) addExactly(back, value);
      assertEquals(back, sum);
    },
  ));
});

Deno.test("addExactly() keeps a sum finite", () => {
  const sum = { value: Number.MAX_VALUE, rest: 0 };
  addExactly(sum, Number.MAX_VALUE);
  assertEquals(sum, { value: Number.MAX_VALUE, rest: 0 });
});
