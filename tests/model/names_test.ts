import { assertEquals, assertThrows } from "@std/assert";
import { checkName, formatName, MAX_NAME_LENGTH } from "../../format.ts";
import { withoutPlaceholder } from "../../model/names.ts";
import { printable } from "../../model/printable.ts";

Deno.test("formatName() replaces every {0} and nothing else", () => {
  assertEquals(formatName("a.{0}.b.{0}.{1}", "$&"), "a.$&.b.$&.{1}");
});

Deno.test("checkName() takes any text that can begin a line", () => {
  for (
    const name of [
      "a",
      "My Nice Stat",
      "another[one]",
      "a: b: ",
      "#",
      "#a",
      " # a",
      "__proto__",
      "\t",
      "\0",
      "größe.😀",
      "x".repeat(MAX_NAME_LENGTH),
    ]
  ) checkName(name);
});

Deno.test("checkName() refuses what cannot begin a line and says why", () => {
  const start = "Cannot name a stat: the name must";
  const table: [unknown, string][] = [
    [5, "be a string, got 5"],
    [undefined, "be a string, got undefined"],
    [{}, "be a string, got an object"],
    ["", 'not be empty, got ""'],
    ["# a", 'not begin with "# ", got "# a"'],
    ["\ud800", 'be well-formed Unicode, got "\\ud800"'],
    [
      "x".repeat(MAX_NAME_LENGTH + 1),
      "have at most 65536 characters, got 65537",
    ],
    ...["\n", "\r", "\v", "\f", "\x85", "\u2028", "\u2029"].map((
      char,
    ): [string, string] => [
      `a${char}b`,
      `not contain a line break, got ${printable(JSON.stringify(`a${char}b`))}`,
    ]),
  ];
  for (const [name, why] of table) {
    const error = assertThrows(() => checkName(name as string), TypeError);
    assertEquals(error.message, `${start} ${why}`);
  }
});

Deno.test("withoutPlaceholder() leaves out {0} and one separator", () => {
  for (
    const [name, expected] of [
      ["db.{0}.ms", "db.ms"],
      ["latency.{0}", "latency"],
      ["{0}.latency", "latency"],
      ["latency{0}.ms", "latency.ms"],
      ["a_{0}_b-{0}", "a_b"],
      ["a:{0}/b", "a/b"],
      ["plain", "plain"],
      [".hidden", ".hidden"],
      ["{0}", ""],
    ]
  ) assertEquals(withoutPlaceholder(name), expected);
});
