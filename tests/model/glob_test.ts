import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { compileGlob } from "../../model/glob.ts";
import { cpuTime } from "../helpers/cpu_time.ts";

const matchesGlob = (pattern: string, text: string) =>
  compileGlob(pattern)(text);

/** The same by a regular expression. */
function reference(pattern: string, text: string): boolean {
  const source = [...pattern].map((char) =>
    ({ "*": "[^]*", "?": "[^]" })[char] ??
      char.replace(/[\\^$.|+()[\]{}]/g, "\\$&")
  ).join("");
  return new RegExp(`^${source}$`, "u").test(text);
}

Deno.test("compileGlob() matches as a regular expression does", () => {
  const unit = fc.constantFrom(..."ab*?.{}[]\\^$\n😀");
  const text = fc.string({ unit, maxLength: 12 });
  const pattern = fc.string({
    unit: fc.constantFrom(..."ab**??.{[\\^😀"),
    maxLength: 8,
  });
  fc.assert(
    fc.property(pattern, text, (pattern, text) => {
      assertEquals(
        matchesGlob(pattern, text),
        reference(pattern, text),
        JSON.stringify([pattern, text]),
      );
      // A text matches itself, with any part of it left to a star.
      if (text.includes("[")) return;
      assert(matchesGlob(text, text));
      assert(matchesGlob(`${[...text].slice(0, 3).join("")}*`, text));
    }),
    { numRuns: 20_000 },
  );
});

Deno.test("compileGlob() matches names of stats", () => {
  const table: [string, string, boolean][] = [
    ["http.*", "http.requests", true],
    ["http.*", "http", false],
    ["*.requests", "http.requests", true],
    ["*", "", true],
    ["", "", true],
    ["", "a", false],
    ["?", "é", true],
    ["?", "😀", true],
    ["??", "😀", false],
    ['hits{code="5??"}', 'hits{code="503"}', true],
  ];
  for (const [pattern, text, expected] of table) {
    assertEquals(matchesGlob(pattern, text), expected, `${pattern} ${text}`);
  }
});

Deno.test("compileGlob() takes no longer than the product of the lengths, whatever the pattern", () => {
  const text = "a".repeat(3000);
  for (
    const pattern of [
      "*a".repeat(1000) + "b",
      "a*".repeat(1000) + "b",
      "*".repeat(5000) + "b",
      "?*".repeat(1000) + "b",
    ]
  ) {
    const start = cpuTime();
    assertEquals(matchesGlob(pattern, text), false);
    const ms = cpuTime() - start;
    assert(ms < 500, `${ms} ms`);
  }
});

Deno.test("compileGlob() takes no time that explodes", () => {
  const matches = compileGlob("*a".repeat(50) + "b");
  assertEquals(matches("a".repeat(10_000)), false);
});
