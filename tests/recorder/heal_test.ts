/**
 * How a recorder gets its pipe back that was lost.
 *
 * @module
 */

import { assert, assertEquals, assertMatch } from "@std/assert";
import {
  cat,
  leastPermissions,
  LIVE,
  namesIn,
  output,
  startProgram,
  until,
  withDir,
} from "../helpers/program.ts";
import { body } from "../helpers/text.ts";

Deno.test("a pipe that was long in coming heals like others", () =>
  withDir(async (dir) => {
    // A mkfifo that takes longer than it takes a pipe that was read is looked at.
    const slow = `${dir}/slow`;
    await Deno.mkdir(`${dir}/bin`);
    await Deno.writeTextFile(
      `${dir}/bin/mkfifo`,
      `#!/bin/sh\nif [ -e ${slow} ]; then sleep 3.6; fi\nPATH=\${PATH#*:} exec mkfifo "$@"\n`,
      { mode: 0o755 },
    );
    const pipes = `${dir}/pipes`;
    await using program = await startProgram(
      `Deno.env.set("PATH", "${dir}/bin:" + Deno.env.get("PATH"));
       incr("a"); await startRecorder(); ${LIVE}`,
      { dir: pipes },
    );
    await program.printed("live");
    await Deno.writeTextFile(slow, "");
    const inode = () => {
      try {
        return Deno.statSync(program.path).ino;
      } catch {
        return undefined;
      }
    };
    // Readers that stay use all pipes up, until new ones must be made.
    const readers = [];
    const atFirst = namesIn(pipes).length;
    while (namesIn(pipes).length <= atFirst) {
      const before = inode();
      const reader = await Deno.open(program.path);
      await reader.read(new Uint8Array(65_536));
      readers.push(reader);
      await until(
        "the next pipe",
        () => ![before, undefined].includes(inode()),
      );
    }
    for (const reader of readers) reader.close();
    await new Promise((resolve) => setTimeout(resolve, 4_500));
    const before = inode();
    await Deno.remove(program.path);
    await until("a new pipe", () => ![before, undefined].includes(inode()));
    assertEquals((await cat(program.path)).split("\n")[0], "a: 1");
    program.kill("SIGKILL");
  }));

Deno.test("a pipe that is lost again and again is served, and parks few threads", () =>
  withDir(async (dir) => {
    // Without a permission for /proc nobody can end the wait at a lost pipe.
    await using program = await startProgram(
      `incr("a"); await startRecorder(); ${LIVE}`,
      { dir, permissions: leastPermissions(dir) },
    );
    await program.printed("live");
    const threads = async () =>
      (await output("ls", `/proc/${program.pid}/task`)).stdout.split("\n")
        .length;
    await cat(program.path);
    const atFirst = await threads();
    for (let i = 0; i < 10; i++) {
      await Deno.remove(program.path);
      await until(
        "the pipe",
        () => namesIn(dir).includes(`${program.pid}.stats`),
      );
      assertEquals((await cat(program.path)).split("\n")[0], "a: 1");
    }
    const atLast = await threads();
    assert(atLast <= atFirst + 6, `${atFirst} to ${atLast} threads`);
    program.kill("SIGKILL");
  }));

Deno.test("a program that survives errors within milliseconds is served, and its pipe healed", () =>
  withDir(async (dir) => {
    await using program = await startProgram(
      `addEventListener("error", (event) => event.preventDefault());
       await startRecorder(); incr("a");
       for (const gap of [0, 1, 3, 0, 1, 3]) {
         for (const ms of [0, gap]) {
           setTimeout(() => { throw new Error("survived"); }, ms);
         }
         await new Promise((resolve) => setTimeout(resolve, 300));
         const cat = new Deno.Command("cat", { args: [config.pipeDir + "/" + Deno.pid + ".stats"] });
         const { stdout } = await cat.output();
         console.log(new TextDecoder().decode(stdout).split("\\n")[0]);
       }
       ${LIVE}`,
      { dir },
    );
    await program.printed("live");
    assertEquals(program.stdout, "a: 1\n".repeat(6) + "live\n");
    await Deno.remove(program.path);
    await until(
      "the pipe",
      () => namesIn(dir).includes(`${program.pid}.stats`),
    );
    assertEquals((await cat(program.path)).split("\n")[0], "a: 1");
    program.kill("SIGKILL");
  }));

Deno.test("a recorder whose directory somebody has made anew heals only where it is safe", () =>
  withDir(async (dir) => {
    const pipes = `${dir}/pipes`;
    await using program = await startProgram(
      `incr("n"); await startRecorder(); ${LIVE}`,
      { dir: pipes },
    );
    await program.printed("live");
    assertMatch(
      namesIn(pipes).find((name) => name.endsWith(".fifo"))!,
      /^\.\d+\.[0-9a-f]{32}\.[0-9a-f]{16}\.fifo$/,
    );
    const anew = `${dir}/new`;
    Deno.mkdirSync(anew);
    // Before it gets its place: the recorder may look at any time.
    Deno.chmodSync(anew, 0o777);
    Deno.renameSync(pipes, `${dir}/old`);
    Deno.renameSync(anew, pipes);
    // It looks every half a second.
    await new Promise((resolve) => setTimeout(resolve, 1500));
    assertEquals(namesIn(pipes), []);
    Deno.chmodSync(pipes, 0o755);
    await until(
      "the pipe",
      () => namesIn(pipes).includes(`${program.pid}.stats`),
    );
    // Neither are the last values left where that is not safe.
    Deno.chmodSync(pipes, 0o777);
    await program.kill("SIGTERM");
  }));

Deno.test("deleting the pipe, its private names or the directory heals within two seconds", () =>
  withDir(async (parent) => {
    const dir = `${parent}/pipes`;
    await using program = await startProgram(
      `incr("a"); await startRecorder(); ${LIVE}`,
      { dir, permissions: leastPermissions(dir) },
    );
    await program.printed("live");
    const remove = (...names: string[]) =>
      Promise.all(names.map((name) => Deno.remove(`${dir}/${name}`)));
    const deeds: [string, () => Promise<unknown>][] = [
      ["the pipe", () => remove(`${program.pid}.stats`)],
      ["the directory", () => Deno.remove(dir, { recursive: true })],
      [
        "the private names",
        () => remove(...namesIn(dir).filter((name) => name.startsWith("."))),
      ],
    ];
    // At once after a read, between two polls, and when the pipe was not read for a while.
    for (const pause of [0, 400, 4_000]) {
      for (const [what, deed] of deeds) {
        await new Promise((resolve) => setTimeout(resolve, pause));
        await deed();
        const start = performance.now();
        await until(
          what,
          () => namesIn(dir).includes(`${program.pid}.stats`),
        );
        const ms = performance.now() - start;
        // A loaded machine adds to the two seconds.
        assert(ms < 6000, `${what}: ${ms} ms`);
        for (let i = 0; i < 8; i++) {
          assertEquals(body(await cat(program.path)), "a: 1\n", what);
        }
      }
    }
    program.kill("SIGKILL");
  }));
