import { assertEquals } from "@std/assert";
import { NameCache } from "../../push/name_cache.ts";
import { hostOf } from "../helpers/push.ts";

Deno.test("NameCache forgets what it has made when the host has other names", () => {
  const made: string[] = [];
  const cache = new NameCache((name, { family }) => {
    made.push(name, family);
    return name;
  });
  const name = 'a{b="c"}';
  const host = hostOf({ [name]: [1] });
  for (const { table } of [host, host, hostOf({ [name]: [1] })]) {
    assertEquals([cache.get(table, 0), cache.get(table, 0)], [name, name]);
  }
  assertEquals(made, [name, "a", name, "a"]);
});
