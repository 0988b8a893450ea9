import { assertEquals } from "@std/assert";
import { printable } from "../../model/printable.ts";
import { show } from "../../model/show.ts";

const BIDI = [0x61c, 0x200e, 0x200f]
  .concat([0x202a, 0x202b, 0x202c, 0x202d, 0x202e])
  .concat([0x2066, 0x2067, 0x2068, 0x2069]);

Deno.test("printable() escapes exactly the characters that act on what shows them", () => {
  const escaped = new Set([...BIDI, 0x2028, 0x2029, 0x7f]);
  for (let code = 0; code < 0x20; code++) escaped.add(code);
  for (let code = 0x80; code < 0xa0; code++) escaped.add(code);
  for (let code = 0; code < 0xffff; code++) {
    const text = String.fromCharCode(code);
    const shown = printable(text);
    assertEquals(shown !== text, escaped.has(code), code.toString(16));
    assertEquals(JSON.parse(`"${shown.replace(/^["\\]$/, "\\$&")}"`), text);
  }
});

Deno.test("printable() writes escapes as JSON does", () => {
  assertEquals(
    printable("a\x1b[2J\n\u009b1m\u202egnp.exe"),
    "a\\u001b[2J\\n\\u009b1m\\u202egnp.exe",
  );
});

Deno.test("show() leaves nothing that acts on a terminal", () => {
  assertEquals(show("\u202e\u009b\x1b"), '"\\u202e\\u009b\\u001b"');
});
