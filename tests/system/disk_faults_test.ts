/**
 * Recorder and service on a disk without space, or one that is read-only.
 *
 * @module
 */

import { assert, assertEquals, assertMatch } from "@std/assert";
import {
  DISK,
  ELSEWHERE,
  EMPTY,
  FILL,
  ignores,
  isWhole,
  notCreatable,
  Place,
  READ_ONLY,
  RUNTIMES,
  WRITABLE,
} from "../helpers/place.ts";
import { until } from "../helpers/program.ts";

for (const name of Object.keys(RUNTIMES)) {
  Deno.test({
    name: `without space the recorder on ${name} says so, goes on and heals`,
    ignore: ignores(name, "root", "mount"),
    async fn() {
      await using place = await Place.make(DISK);
      const { dir } = place;
      await place.sh(FILL);
      await using program = await place.program(name, dir);
      for (let i = 0; i < 2; i++) {
        assertMatch(
          await program.says("start"),
          notCreatable(dir, "no space left", `make room ${ELSEWHERE}`),
        );
      }
      await place.sh(EMPTY);
      assertEquals(await program.says("start"), "started");
      await place.sh(FILL);
      // It needs no space to be read, more often than it has pipes.
      for (let i = 0; i < 6; i++) {
        assert(isWhole(await place.cat(dir, program)));
      }
      // Its last values find no room. Those in its checkpoint count.
      await program.ends();
      await place.sh(EMPTY);
      await using service = await place.service(name, dir);
      await service.shows(3);
      assertMatch(await place.sh('ls -A "$0"'), /^\.ended\.\S+\n$/);
    },
  });

  Deno.test({
    name:
      `on a read-only file system the recorder on ${name} says so, waits and heals`,
    ignore: ignores(name, "root", "mount"),
    async fn() {
      await using place = await Place.make(DISK);
      const { dir } = place;
      await place.sh(READ_ONLY);
      await using program = await place.program(name, dir);
      assertMatch(
        await program.says("start"),
        notCreatable(dir, "read-only", `make it writable ${ELSEWHERE}`),
      );
      await place.sh(WRITABLE);
      assertEquals(await program.says("start"), "started");
      await place.sh(READ_ONLY);
      await place.cat(dir, program);
      assertEquals(await program.says("ping"), "pong");
      await place.sh(WRITABLE);
      await place.heals(dir, program);
      await place.sh(READ_ONLY);
      await program.ends();
    },
  });
}

for (const name of ["deno", "node"]) {
  Deno.test({
    name:
      `without space for its state the service on ${name} says so once, answers and heals`,
    ignore: ignores(name, "root", "mount"),
    async fn() {
      await using place = await Place.make(DISK);
      await using pipes = await Place.make();
      const state = `${place.dir}/state`;
      const flags = ["--state", state];
      const start = () => place.service(name, pipes.dir, { flags });
      {
        await using program = await place.program(name, pipes.dir);
        await program.says("start");
        await using service = await start();
        await service.shows(3, "ok");
        for (const fault of [[FILL, EMPTY], [READ_ONLY, WRITABLE]]) {
          const before = await service.stateErrors();
          await place.sh(fault[0]);
          for (let i = 0; i < 3; i++) {
            assertEquals(await service.stats(), { n: 3, states: ["ok"] });
          }
          // The last one is of the answer that says so.
          assertEquals(await service.stateErrors(), before + 4);
          await place.sh(fault[1]);
          assertEquals(await service.stateErrors(), before + 4);
        }
        program.kill("SIGKILL");
        await program.ended();
        await service.shows(3, "dead");
        await place.sh(READ_ONLY);
        const log = await service.logged();
        assertEquals(log.length, 2, log.join("\n"));
        const line = `^statvent: Cannot use the state file ${state}: .*`;
        assertMatch(log[0], new RegExp(`${line}no space left`, "i"));
        assertMatch(log[1], new RegExp(`${line}read-only`, "i"));
      }
      // It has left its lock, as if it had been killed.
      {
        await using late = place.start([
          ...RUNTIMES[name].serve,
          ...["--port", "0", "--pipe-dir", pipes.dir, ...flags],
        ]);
        const { code, stderr } = await late.ended();
        assertEquals(code, 1);
        assertMatch(
          stderr,
          new RegExp(
            `^statvent: Cannot use the state file ${state}: .*read-only.*\n$`,
            "i",
          ),
        );
      }
      await place.sh(WRITABLE);
      await using service = await start();
      await service.shows(3);
      assertEquals(await service.logged(), []);
      assertEquals(await place.sh('ls -A "$0"'), "state\nstate.bak\n");
    },
  });

  Deno.test({
    name:
      `the service on ${name} counts what it has read of pipes that are read-only by now`,
    ignore: ignores(name, "root", "mount"),
    async fn() {
      await using place = await Place.make(DISK);
      const { dir } = place;
      await using program = await place.program(name, dir);
      // No disk becomes read-only while a checkpoint is open.
      await program.says("start plain");
      await using service = await place.service(name, dir);
      await service.shows(3, "ok");
      await place.sh(READ_ONLY);
      await place.cat(dir, program);
      await service.shows(3, "timeout");
      await service.shows(3, "timeout");
      await place.sh(WRITABLE);
      await until(
        "the pipe",
        async () => (await service.stats()).states[0] === "ok",
      );
      await place.sh(READ_ONLY);
      await program.ends();
      // Its pipe is still there, and what it counted last is not.
      await service.shows(3, "dead");
      await place.sh(WRITABLE);
      await until(
        "the last pipe to go",
        async () => (await service.stats()).states.length === 0,
      );
      await service.shows(3);
      assertEquals(await service.logged(), [
        `statvent: ${dir}/${program.pid}.stats: It gave no answer in time`,
      ]);
    },
  });
}
