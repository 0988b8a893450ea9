/**
 * Recorder and ledger whose directory or file is inaccessible for a while.
 *
 * @module
 */

import { assertEquals, assertMatch } from "@std/assert";
import { takeIn } from "../../ended/ledger_writer.ts";
import { ledgerIn, namesIn } from "../helpers/program.ts";
import {
  AS_USER,
  ignores,
  ownDir,
  Place,
  programOfUser,
  RUNTIMES,
  USER,
} from "../helpers/place.ts";

for (const name of Object.keys(RUNTIMES)) {
  Deno.test({
    name:
      `where the directory cannot be entered for a while the recorder on ${name} heals`,
    ignore: ignores(name, "root", "setpriv"),
    async fn() {
      await using place = await Place.make();
      const dir = await ownDir(place);
      await using program = await programOfUser(place, name, dir);
      assertEquals(await program.says("start"), "started");
      await place.heals(dir, program);
      await Deno.chmod(dir, 0);
      await Deno.remove(`${dir}/${program.pid}.stats`);
      await place.cat(dir, program);
      // The recorder looks after its pipe meanwhile.
      await new Promise((resolve) => setTimeout(resolve, 700));
      await Deno.chmod(dir, 0o755);
      await place.heals(dir, program);
      await program.ends();
    },
  });
}

Deno.test({
  name: "a ledger that cannot be read for a while loses nothing",
  ignore: ignores("node", "root", "setpriv"),
  async fn() {
    await using place = await Place.make();
    const dir = await ownDir(place);
    const live = async () => {
      await using program = await place.program("node", dir, {
        before: AS_USER,
      });
      await program.says("start");
      await program.ends();
    };
    await live();
    takeIn(dir, USER);
    const ledger = ledgerIn(dir, USER)!;
    await Deno.chmod(ledger, 0);
    await live();
    const isEnded = (name: string) => name.startsWith(".ended.");
    assertEquals(namesIn(dir).filter(isEnded).length, 1);
    await Deno.chmod(ledger, 0o644);
    await live();
    takeIn(dir, USER);
    assertEquals(namesIn(dir).filter(isEnded), []);
    assertMatch(await Deno.readTextFile(ledgerIn(dir, USER)!), /^n: 309$/m);
  },
});
