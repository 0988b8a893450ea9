import { assertEquals } from "@std/assert";
import { isLoopback } from "../../web/guard.ts";

Deno.test("isLoopback() knows every form of an address that only this host can reach", () => {
  const own = [
    "127.0.0.1",
    "127.1",
    "127.255.255.254",
    "0x7f000001",
    "::1",
    "0:0:0:0:0:0:0:1",
    "::ffff:127.0.0.1",
    "localhost",
  ];
  const others = ["0.0.0.0", "128.0.0.1", "::", "::2", "fe80::1", "1.2.3.4"];
  assertEquals(own.filter((address) => !isLoopback(address)), []);
  assertEquals(others.filter(isLoopback), []);
  assertEquals(["", "127.0.0.1.evil.com", "%"].filter(isLoopback), []);
});
