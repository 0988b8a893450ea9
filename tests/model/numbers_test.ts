import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { formatNumber } from "../../format.ts";
import { add } from "../../model/numbers.ts";

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
