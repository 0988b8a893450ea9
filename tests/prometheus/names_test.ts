import { assertEquals } from "@std/assert";
import { goNumber } from "../../prometheus/names.ts";

Deno.test("goNumber() writes as Go's strconv does", () => {
  const table: [number, string, string][] = [
    [0, "0", "0.0"],
    [1, "1", "1.0"],
    [-2, "-2", "-2.0"],
    [0.5, "0.5", "0.5"],
    [0.0001, "0.0001", "0.0001"],
    [0.00001, "1e-05", "1e-05"],
    [100000, "100000", "100000.0"],
    [1e6, "1e+06", "1e+06"],
    [1048576, "1.048576e+06", "1.048576e+06"],
    [1e10, "1e+10", "1e+10"],
    [1e-10, "1e-10", "1e-10"],
    [1.5e300, "1.5e+300", "1.5e+300"],
    [5e-324, "5e-324", "5e-324"],
  ];
  assertEquals(
    table.map(([n]) => [n, goNumber(n, false), goNumber(n, true)]),
    table,
  );
});
