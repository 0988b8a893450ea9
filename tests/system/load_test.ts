import { assert, assertEquals } from "@std/assert";
import { output, ROOT, until } from "../helpers/program.ts";
import {
  home,
  ignores,
  Place,
  RUNTIMES,
  type Subject,
} from "../helpers/place.ts";

/** The most memory that a service has had, in megabytes. */
async function peak({ pid }: Subject): Promise<number> {
  const status = await Deno.readTextFile(`/proc/${pid}/status`);
  return Number(/^VmHWM:\s+(\d+)/m.exec(status)![1]) / 1000;
}

/** Compiles a program in C. */
async function compile(name: string, source: string): Promise<string> {
  const file = `${home}/${name}`;
  const { code, stderr } = await output(
    ...["cc", "-O2", "-D_GNU_SOURCE", "-o", file] as const,
    new URL(source, ROOT).pathname,
  );
  assertEquals(code, 0, stderr);
  return file;
}

/** Opens connections that send a text and nothing more. */
async function connect(port: number, text: string, times: number) {
  return await Promise.all(Array.from({ length: times }, async () => {
    const connection = await Deno.connect({ hostname: "127.0.0.1", port });
    await connection.write(new TextEncoder().encode(text));
    return connection;
  }));
}

for (const runtime of Object.keys(RUNTIMES).filter((name) => name !== "bun")) {
  Deno.test({
    name: `500 connections to the service on ${runtime} get their answers`,
    ignore: ignores(runtime, "cc"),
    fn: async () => {
      await using place = await Place.make();
      const load = await compile("load", "tests/helpers/load.c");
      const writers = await compile("writers", "bench/writers.c");
      await using all = place.start([writers, "100", "1000", place.dir]);
      await all.printed("ready");
      await using service = await place.service(runtime, place.dir);
      for (const path of ["/stats", "/metrics"]) {
        const port = `${service.port}`;
        const { stdout } = await output(load, port, path, "500", "4");
        const [answers, errors, p99] = stdout.split(" ").map(Number);
        console.log(`${runtime} ${path}: ${answers} answers, p99 ${p99} ms`);
        assertEquals(errors, 0);
        // Every client gets answers. How fast depends on the machine.
        assert(answers > 500, stdout);
      }
      assert(await peak(service) < 500, `${await peak(service)} MB`);
    },
  });

  Deno.test({
    name:
      `the service on ${runtime} drops clients that are slow, or that pipeline too much`,
    ignore: ignores(runtime, "cc"),
    fn: async () => {
      await using place = await Place.make();
      const writers = await compile("writers", "bench/writers.c");
      await using all = place.start([writers, "1", "50000", place.dir]);
      await all.printed("ready");
      await using service = await place.service(runtime, place.dir);
      const { port } = service;
      await service.stats();
      const files = () =>
        [...Deno.readDirSync(`/proc/${service.pid}/fd`)].length;
      const before = files();
      const request = "GET /stats HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n";
      const open = [
        ...await connect(port, "", 300),
        ...await connect(port, request.slice(0, -2), 300),
        ...await connect(port, request.repeat(5), 300),
        ...await connect(port, request.repeat(1400), 1),
      ];
      const start = performance.now();
      await service.stats();
      assert(performance.now() - start < 3000);
      await until("connections", () => files() > before + 500);
      const end = performance.now() + 25_000;
      while (files() > before + 5 && performance.now() < end) {
        await new Promise((resolve) => setTimeout(resolve, 200));
      }
      assert(files() <= before + 5, `${files() - before} are open`);
      assert(await peak(service) < 500, `${await peak(service)} MB`);
      for (const connection of open) connection.close();
      assertEquals((await service.stats()).states, ["ok"]);
    },
  });
}
