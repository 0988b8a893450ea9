import { assertEquals } from "@std/assert";
import { toAsked } from "../../runtime/http_server.ts";

Deno.test("toAsked() takes the host from the header, whatever the path looks like", () => {
  const urlOf = (host: string, url: string) => {
    const headers = { host };
    try {
      return toAsked({ method: "GET", url, headers }).url;
    } catch {
      return undefined;
    }
  };
  const paths = ["/stats", "//localhost/stats", "//127.0.0.1/metrics", "/@x"];
  for (const path of paths) {
    assertEquals(urlOf("evil.com:7828", path), `http://evil.com:7828${path}`);
  }
  for (const host of ["localhost#.evil.com", "localhost/x?.evil.com", "a b"]) {
    assertEquals(urlOf(host, "/stats"), undefined);
  }
  assertEquals(urlOf("evil.com", "http://localhost/stats"), undefined);
  assertEquals(urlOf("a.com", "http://a.com/stats"), "http://a.com/stats");
});
