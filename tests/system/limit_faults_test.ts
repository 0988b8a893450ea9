/**
 * Recorder and service without files or threads left.
 *
 * @module
 */

import { assertEquals, assertMatch } from "@std/assert";
import {
  AS_USER,
  assertSaidOnce,
  ignores,
  notCreatable,
  ownDir,
  Place,
  programOfUser,
  RUNTIMES,
  withoutFiles,
} from "../helpers/place.ts";
import { until } from "../helpers/program.ts";

const encoder = new TextEncoder();

/** Asks for the stats over a connection. Returns what comes first, or nothing if it is closed. */
async function ask(connection: Deno.Conn): Promise<string> {
  const request = "GET /stats HTTP/1.1\r\nHost: localhost\r\n\r\n";
  const bytes = new Uint8Array(4096);
  try {
    await connection.write(encoder.encode(request));
    const count = await connection.read(bytes);
    return new TextDecoder().decode(bytes.subarray(0, count ?? 0));
  } catch {
    return "";
  }
}

for (const name of ["deno", "node"]) {
  Deno.test({
    name:
      `without files in the whole system the recorder on ${name} says so, waits and heals`,
    ignore: ignores(name, "cc"),
    async fn() {
      await using place = await Place.make();
      const { dir } = place;
      const flag = `${dir}/.flag`;
      const env = await withoutFiles(flag);
      await using program = await place.program(name, dir, { env });
      await program.says("warm");
      await place.sh(`: > ${flag}`);
      assertMatch(
        await program.says("start"),
        notCreatable(
          dir,
          "file table overflow",
          "let more be open (ulimit -n, fs.file-max)",
        ),
      );
      await Deno.remove(flag);
      assertEquals(await program.says("start"), "started");
      await place.sh(`: > ${flag}`);
      await place.cat(dir, program);
      assertEquals(await program.says("ping"), "pong");
      await Deno.remove(flag);
      await place.heals(dir, program);
      await program.ends();
    },
  });

  Deno.test({
    name:
      `without files in the whole system the service on ${name} says so once, lives and heals`,
    ignore: ignores(name, "cc"),
    async fn() {
      await using place = await Place.make();
      const { dir } = place;
      const flag = `${dir}/.flag`;
      const env = await withoutFiles(flag);
      await using program = await place.program(name, dir);
      await program.says("start");
      await using service = await place.service(name, dir, { env });
      await service.shows(3, "ok");
      const { port } = service;
      {
        using old = await Deno.connect({ hostname: "127.0.0.1", port });
        assertMatch(await ask(old), /^HTTP\/1\.1 200 /);
        await place.sh(`: > ${flag}`);
        // What was read before counts.
        assertMatch(
          await ask(old),
          /^HTTP\/1\.1 200 [^]*"n": 3\}.*"timeout": 1/,
        );
        // Who comes now gets no answer, or no connection. A server that has to
        // listen again tries that twice in this time.
        const connection = await Deno.connect({ hostname: "127.0.0.1", port })
          .catch(() => undefined);
        await new Promise((resolve) => setTimeout(resolve, 2_200));
        connection?.close();
        await Deno.remove(flag);
      }
      await until("an answer", async () => {
        const stats = await service.stats().catch(() => undefined);
        return stats?.n === 3 && stats.states[0] === "ok";
      });
      assertSaidOnce(await service.logged());
    },
  });

  Deno.test({
    name:
      `the service on ${name} answers again when so many connections have closed that it had no files`,
    ignore: ignores(name),
    async fn() {
      await using place = await Place.make();
      const { dir } = place;
      const limit = ["sh", "-c", 'ulimit -n 60; exec "$@"', "sh"];
      await using program = await place.program(name, dir);
      await program.says("start");
      await using service = await place.service(name, dir, { before: limit });
      const { port } = service;
      const connections: Deno.Conn[] = [];
      for (let i = 0; i < 80; i++) {
        const connection = await Deno.connect({ hostname: "127.0.0.1", port })
          .catch(() => undefined);
        if (connection !== undefined) connections.push(connection);
      }
      assertMatch(await ask(connections[0]), /^HTTP\/1\.1 (200|500) /);
      for (const connection of connections) connection.close();
      await until("an answer", async () => {
        const stats = await service.stats().catch(() => undefined);
        return stats?.n === 3 && stats.states[0] === "ok";
      });
      assertSaidOnce(await service.logged());
    },
  });

  Deno.test({
    name:
      `the service on ${name} answers again although those who took all files send a byte now and then`,
    ignore: ignores(name),
    async fn() {
      await using place = await Place.make();
      const limit = ["sh", "-c", 'ulimit -n 60; exec "$@"', "sh"];
      const { dir } = place;
      await using service = await place.service(name, dir, { before: limit });
      const { port } = service;
      const open: Deno.Conn[] = [];
      const send = (text: string) =>
        Promise.all(
          open.map((connection) =>
            connection.write(new TextEncoder().encode(text)).catch(() => 0)
          ),
        );
      for (let i = 0; i < 80; i++) {
        await Deno.connect({ hostname: "127.0.0.1", port })
          .then((connection) => open.push(connection), () => {});
      }
      await send("GET /stats HTTP/1.1\r\nX: ");
      const timer = setInterval(() => send("x"), 1_000);
      try {
        // They have ten seconds for their requests.
        await new Promise((resolve) => setTimeout(resolve, 10_000));
        await until("an answer", () => service.stats().catch(() => undefined));
      } finally {
        clearInterval(timer);
        for (const connection of open) connection.close();
      }
    },
  });
}

for (const name of Object.keys(RUNTIMES)) {
  Deno.test({
    name:
      `without files the recorder on ${name} says so, waits, heals, and hands its last values over`,
    ignore: ignores(name),
    async fn() {
      await using place = await Place.make();
      const { dir } = place;
      const limit = ["sh", "-c", 'ulimit -n 150; exec "$@"', "sh"];
      await using program = await place.program(name, dir, { before: limit });
      await program.says("warm");
      // With some left a runtime may fail in other ways.
      for (const rest of [0, 1, 2, 4, 6, 8, 12]) {
        await program.says(`exhaust ${rest}`);
        const said = await program.says("start");
        const cure = "let more be open (ulimit -n, fs.file-max)";
        // A runtime opens and closes some by itself.
        if (!notCreatable(dir, "too many open files", cure).test(said)) {
          const [start, end] = said.split(/ \(.*too many open files.*\); /i);
          assertEquals(
            [start, end],
            ["Cannot start the recorder: 20 more files must be openable", cure],
          );
        }
        await program.says("free");
      }
      assertEquals(await program.says("start"), "started");
      await program.says("exhaust");
      await place.cat(dir, program);
      assertEquals(await program.says("ping"), "pong");
      await program.says("free");
      await place.heals(dir, program);
      await program.says("exhaust");
      await program.ends();
      const left = (await place.sh('ls -A "$0"')).trim().split("\n").sort();
      for (const name of left) assertMatch(name, /^\.(ended|ledger)\./);
      assertMatch(await place.sh(`cat ${dir}/${left.at(-1)}`), /^n: 103$/m);
    },
  });

  Deno.test({
    name:
      `without threads the recorder on ${name} says so, and with threads again it starts`,
    ignore: ignores(name, "root", "setpriv", "prlimit"),
    async fn() {
      await using place = await Place.make();
      const dir = await ownDir(place);
      await using program = await programOfUser(place, name, dir);
      await program.says("warm");
      const limit = (count: string) =>
        place.sh(
          `${AS_USER.join(" ")} prlimit --pid ${program.pid} --nproc=${count}:`,
        );
      const before = await place.sh(`ls -A ${dir}`);
      await limit("1");
      assertMatch(
        await program.says("start"),
        /^Cannot start the recorder: its thread must start \(.*\); let more run \(ulimit -u\), or give it memory$/,
      );
      assertEquals(await place.sh(`ls -A ${dir}`), before);
      await limit("");
      await limit("1000");
      assertEquals(await program.says("start"), "started");
      await place.heals(dir, program);
      await program.ends();
    },
  });
}
