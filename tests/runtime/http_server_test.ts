import { createServer } from "node:net";
import { assertEquals } from "@std/assert";
import { Gathering, toAsked } from "../../runtime/http_server.ts";

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

const CONNECT = `
import socket, sys
for _ in range(300): socket.create_connection(("127.0.0.1", int(sys.argv[1])))
`;

Deno.test("Gathering waits until all connections that wait are accepted", async () => {
  const gathering = new Gathering(60_000);
  await using server = createServer((socket) => {
    gathering.accepted++;
    socket.destroy();
  });
  server.listen({ port: 0, host: "127.0.0.1", backlog: 1024 });
  await new Promise((resolve) => server.once("listening", resolve));
  const { port } = server.address() as { port: number };
  // Blocks this thread, so that none is accepted meanwhile.
  const { success } = new Deno.Command("python3", {
    args: ["-c", CONNECT, `${port}`],
  }).outputSync();
  assertEquals([success, gathering.accepted], [true, 0]);
  await gathering.done();
  assertEquals(gathering.accepted, 300);
});
