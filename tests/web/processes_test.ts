/**
 * What answers say of processes, each of which is a real one.
 *
 * @module
 */

import { assertEquals, assertStringIncludes } from "@std/assert";
import type { Handler } from "../../runtime/command_line.ts";
import { createHandler } from "../../web.ts";
import { inStates } from "../helpers/host.ts";
import {
  killShell,
  startProgram,
  startShell,
  until,
  withDir,
} from "../helpers/program.ts";

const get = async (handler: Handler, path: string): Promise<string> =>
  await (await handler(new Request(`http://localhost/${path}`))).text();

/** A writer without annotations, which knows of nothing but its pipe. */
const SIMPLE =
  'mkfifo $0/$$.stats; while :; do echo "m: 1" > $0/$$.stats; sleep 0.02; done';

Deno.test("a program that hangs is hung, and a writer that nobody measures unknown, wherever processes are counted", () =>
  withDir(async (dir) => {
    await using hanging = await startProgram(
      `incr("n"); await startRecorder(); console.log("live");
       await fetch("data:,"); for (;;);`,
      { dir },
    );
    await using turning = await startProgram(
      `incr("n"); await startRecorder(); console.log("live"); setInterval(() => {}, 1e6);`,
      { dir },
    );
    await Promise.all([hanging.printed("live"), turning.printed("live")]);
    const simple = startShell(SIMPLE, dir);
    try {
      const handler = createHandler({ pipeDir: dir, deadline: 5000 });
      const expected = inStates({ ok: 1, hung: 1, unknown: 1 });
      const { stats } = await until("the states", async () => {
        const answer = JSON.parse(await get(handler, "stats"));
        return JSON.stringify(answer.processes) === JSON.stringify(expected) &&
          answer;
      });
      // They are read like any other.
      assertEquals(stats, { n: 2, m: 1 });
      const { processes } = JSON.parse(await get(handler, "processes"));
      const byPid = new Map(
        processes.map((one: { pid: number }) => [one.pid, one]),
      ) as Map<number, { state: string; stalled?: number }>;
      assertEquals(byPid.get(hanging.pid)!.state, "hung");
      assertEquals(byPid.get(turning.pid)!.state, "ok");
      const unmeasured = byPid.get(simple.pid)!;
      assertEquals([unmeasured.state, unmeasured.stalled], [
        "unknown",
        undefined,
      ]);
      const metrics = await get(handler, "metrics");
      for (const [state, count] of Object.entries(expected)) {
        assertStringIncludes(
          metrics,
          `\nstatvent_processes{state="${state}"} ${count}\n`,
        );
      }
    } finally {
      await killShell(simple);
    }
  }));
