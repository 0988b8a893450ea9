/**
 * Recorder and service without `/proc`, or with less of it.
 *
 * @module
 */

import { assert, assertEquals, assertMatch } from "@std/assert";
import {
  AS_USER,
  assertSaidOnce,
  ignores,
  notCreatable,
  ownDir,
  Place,
  RUNTIMES,
} from "../helpers/place.ts";
import { until } from "../helpers/program.ts";

const NO_PROC = "mount -t tmpfs none /proc";

Deno.test({
  name: "without /proc the recorder on Node says so if mkfifo needs it",
  ignore: ignores("node", "root", "mount"),
  async fn() {
    await using place = await Place.make(NO_PROC);
    const { dir } = place;
    await using program = await place.program("node", dir);
    const said = await program.says("start");
    // Where `mkfifo -m` can do without, so can the recorder.
    if (said !== "started") {
      assertMatch(said, notCreatable(dir, "set permissions", "mount /proc"));
    }
    await program.ends();
  },
});

Deno.test({
  name:
    "without /proc recorder and service on Node work if mkfifo does, and no thread is left waiting",
  ignore: ignores("node", "root", "mount"),
  async fn() {
    await using place = await Place.make(NO_PROC);
    const { dir } = place;
    const bin = `${dir}/bin`;
    await Deno.mkdir(bin);
    // As that of other systems.
    await Deno.writeTextFile(
      `${bin}/mkfifo`,
      '#!/bin/sh\nshift 2\nexec /usr/bin/mkfifo "$@"\n',
      { mode: 0o755 },
    );
    const pipes = `${dir}/pipes`;
    const env = { PATH: `${bin}:${Deno.env.get("PATH")}` };
    await using program = await place.program("node", pipes, { env });
    assertEquals(await program.says("start"), "started");
    await place.heals(pipes, program);
    // Nothing but /proc knows the pipe now whose reader was awaited.
    await Deno.remove(`${pipes}/${program.pid}.stats`);
    await place.heals(pipes, program);
    await using service = await place.service("node", pipes);
    await service.shows(3, "ok");
    await using other = await place.program("node", pipes, { env });
    assertEquals(await other.says("start"), "started");
    await service.shows(6, "ok");
    other.kill("SIGKILL");
    await other.ended();
    await service.shows(6, "ok", "dead");
    assertMatch(
      await service.get("/metrics"),
      /^statvent_service_cpu_seconds_total \d/m,
    );
    await program.ends();
    assertEquals((await service.stats()).n, 106);
    assertEquals(await service.logged(), []);
  },
});

for (const name of Object.keys(RUNTIMES)) {
  Deno.test({
    name: `recorder and service on ${name} go on where /proc is lost`,
    ignore: ignores(name, "root", "mount"),
    async fn() {
      await using place = await Place.make("true");
      const { dir } = place;
      await using program = await place.program(name, dir);
      await program.says("start");
      await using service = await place.service(name, dir);
      await service.shows(3, "ok");
      await place.sh(NO_PROC);
      // Where it needs more pipes than it has, and `mkfifo` fails, it waits for
      // those that are being read.
      for (let i = 0; i < 3; i++) {
        await place.heals(dir, program);
        await until(
          "an answer",
          async () => (await service.stats()).states[0] === "ok",
        );
      }
      await program.ends();
      await service.shows(103);
      // Said again only after there was an answer.
      const said = await service.logged();
      assert(said.length <= 3, said.join("\n"));
      assertSaidOnce([...new Set(said)]);
    },
  });
}

Deno.test({
  name:
    "a process that /proc hides from the service is not dead, and keeps its pipe",
  ignore: ignores("node", "root", "mount", "setpriv"),
  async fn() {
    await using place = await Place.make("mount -o remount,hidepid=2 /proc");
    const hidden = await place.sh(
      `${AS_USER.join(" ")} ls /proc | grep -c '^1$'`,
    );
    assertEquals(hidden, "0\n");
    const dir = await ownDir(place);
    // The recorder of root would not start in a directory of another user.
    const pipe = `${dir}/${Deno.pid}.stats`;
    await place.sh(`mkfifo ${pipe}`);
    await using service = await place.service("node", dir, {
      before: AS_USER,
    });
    const answer = service.stats();
    await place.sh(`timeout 5 sh -c 'echo "n: 3" > ${pipe}'`);
    assertEquals(await answer, { n: 3, states: ["unknown"] });
    assertEquals(await place.sh(`ls ${dir}`), `${Deno.pid}.stats\n`);
    // At its start the service has read a pipe that nobody wrote to.
    const said = await service.logged();
    assertEquals(
      said.filter((line) => !line.endsWith(": It gave no answer in time")),
      [],
    );
  },
});
