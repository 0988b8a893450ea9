/**
 * Tests of programs that end where so many have left their last values that there
 * is no room for more.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { Collector } from "../../collect.ts";
import { end, startCounting, values } from "../helpers/counting.ts";
import { idOf, lastValues } from "../helpers/last_values.ts";
import { namesIn, until, withDir } from "../helpers/program.ts";

const MAX_FILES = 4_096;

const missedPath = (dir: string) => `${dir}/.ledger.${Deno.uid()}.missed`;

/** How many processes are noted as missed. */
function missed(dir: string): number {
  try {
    return Deno.statSync(missedPath(dir)).size;
  } catch {
    return 0;
  }
}

const isLastValues = (name: string) => name.startsWith(".ended.");

Deno.test("what ended programs leave is bounded in number, and a figure says how many have left nothing", () =>
  withDir(async (dir) => {
    // Damaged, so that nobody can take them in.
    for (let i = 1; i <= MAX_FILES; i++) {
      Deno.writeFileSync(`${dir}/.ended.${idOf(i)}.1`, new Uint8Array(1));
    }
    let programs = 0;
    await until("a program that leaves nothing", async () => {
      // It needs a moment to see that there is no room.
      await using program = await startCounting(5, dir);
      await new Promise((resolve) => setTimeout(resolve, 500 * programs));
      await end(program, "SIGUSR2");
      programs++;
      return missed(dir) > 0;
    });
    assertEquals(missed(dir), 1);
    assert(namesIn(dir).filter(isLastValues).length <= MAX_FILES + 1);
    const collector = new Collector({ pipeDir: dir, deadline: 10_000 });
    const host = await collector.read();
    assertEquals(host.missed, MAX_FILES + 1);
    assertEquals(
      values(await collector.collect()).n ?? 0,
      105 * (programs - 1),
    );
  }));

Deno.test("programs that start make room, however much others have left", () =>
  withDir(async (dir) => {
    for (let i = 1; i <= MAX_FILES; i++) {
      Deno.writeFileSync(
        `${dir}/.ended.${idOf(i)}.1`,
        lastValues(i, "n: 1\n", 1, true),
      );
    }
    let programs = 0;
    await until("room", async () => {
      await using program = await startCounting(5, dir);
      await new Promise((resolve) => setTimeout(resolve, 500));
      await end(program, "SIGUSR2");
      programs++;
      return namesIn(dir).filter(isLastValues).length < MAX_FILES / 2;
    });
    const collector = new Collector({ pipeDir: dir, deadline: 10_000 });
    const n = MAX_FILES + 105 * (programs - missed(dir));
    assertEquals(values(await collector.collect()).n, n);
  }));
