/**
 * Tests of what counts of programs that do not answer: because they were killed,
 * stopped, or have much to say.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { Collector } from "../../collect.ts";
import { isIncomplete } from "../../directory/file_names.ts";
import { cpuTime } from "../helpers/cpu_time.ts";
import { end, recorded, startCounting, values } from "../helpers/counting.ts";
import {
  leftIn,
  LIVE,
  namesIn,
  output,
  startProgram,
  startShell,
  stop,
  until,
  withDir,
} from "../helpers/program.ts";

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

Deno.test("of programs that are killed with no collector running at most the last second is missing", () =>
  withDir(async (dir) => {
    const programs = await Promise.all(
      [1, 2, 3].map((n) => startCounting(n, dir)),
    );
    await pause(1_500);
    for (const program of programs) await end(program, "SIGKILL");
    const collectors = [1, 2, 3].map(() =>
      new Collector({ pipeDir: dir, deadline: 5000 })
    );
    for (const collector of collectors) {
      const host = await collector.collect();
      assertEquals([values(host), recorded(host)], [{ n: 6 }, 3]);
    }
    const { killed, unbooked, missed, late } = await collectors[2].read();
    assertEquals([killed, unbooked, missed, late], [3, 0, 0, 0]);
    // `cat *.stats` finds nothing at which it would wait.
    assertEquals(leftIn(dir), []);
    assertEquals(namesIn(dir).filter((name) => !name.startsWith(".")), []);
  }));

Deno.test("of programs that are killed and of which nothing is known a figure says so, the same in all collectors", () =>
  withDir(async (dir) => {
    const collectors = [1, 2, 3].map(() =>
      new Collector({ pipeDir: dir, deadline: 5000 })
    );
    const start = async (options: string) => {
      const program = await startProgram(
        `incr("n", 3); await startRecorder(${options}); ${LIVE}`,
        { dir },
      );
      await program.printed("live");
      return program;
    };
    const figures = () =>
      Promise.all(collectors.map(async (collector) => {
        const { killed, missed, unbooked } = await collector.read();
        return [killed, missed, unbooked];
      }));
    await end(await start("{ checkpoint: false }"), "SIGKILL");
    // Nothing is left out while all of them do it at once.
    await until(
      "the death",
      async () => (await figures()).every(([killed]) => killed === 1),
    );
    const damaged = await start("");
    const isCheckpoint = (name: string) => name.endsWith(".checkpoint");
    await until("a checkpoint", () => namesIn(dir).some(isCheckpoint));
    await end(damaged, "SIGKILL");
    Deno.truncateSync(`${dir}/${namesIn(dir).find(isCheckpoint)}`, 70);
    await until(
      "the death",
      async () => (await figures()).every(([killed]) => killed === 2),
    );
    for (let i = 0; i < 2; i++) {
      assertEquals(await figures(), [[2, 1, 0], [2, 1, 0], [2, 1, 0]]);
    }
    // A program that is killed as soon as it starts may be taking in.
    const left = leftIn(dir).filter((name) => !isIncomplete(name));
    assertEquals(left, [`.ledger.${Deno.uid()}.missed`]);
  }));

Deno.test("a file of a killed program that is damaged is written again by whoever has read it", () =>
  withDir(async (dir) => {
    const program = await startCounting(7, dir);
    const services = [1, 2].map(() =>
      new Collector({ pipeDir: dir, deadline: 5000 })
    );
    await until(
      "an answer",
      async () => values(await services[0].collect()).n === 7,
    );
    await end(program, "SIGKILL");
    const isLeft = (name: string) => name.startsWith(".ended.");
    await until("the booking", async () => {
      for (const service of services) await service.read();
      return namesIn(dir).some(isLeft);
    });
    for (const service of services) await service.read();
    const path = `${dir}/${namesIn(dir).find(isLeft)}`;
    const { mode } = Deno.statSync(path);
    Deno.truncateSync(path, 100);
    for (const service of services) {
      assertEquals(values(await service.collect()), { n: 7 });
    }
    assertEquals(namesIn(dir).filter(isLeft).length, 1);
    assertEquals(Deno.statSync(path).mode, mode);
    for (const service of [new Collector({ pipeDir: dir }), ...services]) {
      const { killed, missed, unbooked } = await service.read();
      assertEquals([killed, missed, unbooked], [1, 0, 0]);
      assertEquals(values(await service.collect()), { n: 7 });
    }
  }));

Deno.test("a program that is killed before it has counted anything is a killed one for all collectors", () =>
  withDir(async (dir) => {
    const isCheckpoint = (name: string) => name.endsWith(".checkpoint");
    const killed = async () => {
      const { killed } = await new Collector({ pipeDir: dir }).read();
      return killed;
    };
    const first = await startProgram(`await startRecorder(); ${LIVE}`, { dir });
    // While it starts, it has a lock, which would stay for some seconds.
    await first.printed("live");
    await until("a checkpoint", () => namesIn(dir).some(isCheckpoint));
    await end(first, "SIGKILL");
    await until("the death", async () => await killed() === 1);
    // Another one has read this one's pipe, and has seen nothing in it either.
    const reader = new Collector({ pipeDir: dir });
    const second = await startProgram(
      `await startRecorder({ checkpoint: false }); ${LIVE}`,
      { dir },
    );
    await second.printed("live");
    await until(
      "an answer",
      async () => (await reader.read()).processes?.length === 1,
    );
    await end(second, "SIGKILL");
    await until("the death", async () => (await reader.read()).killed === 2);
    assertEquals(await killed(), 2);
    assertEquals(leftIn(dir), []);
  }));

Deno.test("a new collector sees the numbers of a program that is stopped, and removes nothing of it", () =>
  withDir(async (dir) => {
    await using program = await startCounting(4, dir);
    const first = new Collector({ pipeDir: dir });
    assertEquals(values(await first.collect()), { n: 4, g: 1 });
    program.kill("SIGUSR1");
    await program.printed("more");
    await pause(2_200);
    await stop(program);
    const before = namesIn(dir);
    const second = new Collector({ pipeDir: dir });
    for (let i = 0; i < 3; i++) {
      // One that has read it before knows its gauges too.
      assertEquals(values(await first.collect()), { n: 14, g: 1 });
      const host = await second.collect();
      assertEquals(values(host).n, 14);
      const [{ state, age, name }] = host.processes;
      assertEquals(state, "timeout");
      assert(age! > 0 && age! < 20, `${age}`);
      assert(name?.startsWith("statvent-program-"));
    }
    assertEquals(namesIn(dir), before);
    program.kill("SIGCONT");
    await until("an answer", async () => {
      const host = await second.collect();
      return host.processes[0].state === "ok";
    });
    assertEquals(values(await second.collect()), { n: 14, g: 1 });
  }));

Deno.test("a pipe of a simple writer is not taken for dead before it was tried, nor because nobody has its process id here", () =>
  withDir(async (dir) => {
    const child = new Deno.Command("true").spawn();
    await child.status;
    const path = `${dir}/${child.pid}.stats`;
    await output("mkfifo", path);
    const writer = startShell(
      `while :; do printf 'n: 3\\n# EOF: 5\\n' > "$0"; sleep 0.01; done`,
      path,
    );
    const collector = new Collector({ pipeDir: dir });
    const answered = () =>
      until("an answer", async () => values(await collector.collect()).n === 3);
    await answered();
    for (let i = 0; i < 5; i++) {
      await collector.collect();
      assertEquals(namesIn(dir), [`${child.pid}.stats`]);
    }
    await answered();
    writer.kill("SIGKILL");
    await writer.status;
    // Nobody has been there for two seconds and more.
    const start = performance.now();
    await until("the end", async () => {
      const { processes } = await collector.collect();
      if (processes.length > 0) return false;
      return namesIn(dir).length === 0;
    });
    assert(performance.now() - start > 2_000);
    assertEquals(values(await collector.collect()), { n: 3 });
  }));

Deno.test("a collector with a state knows of a simple writer that the one before has read that it is dead", () =>
  withDir(async (parent) => {
    const pipeDir = `${parent}/pipes`;
    const state = `${parent}/state`;
    Deno.mkdirSync(pipeDir);
    const child = new Deno.Command("sh", {
      args: [
        "-c",
        `mkfifo "$0/$$.stats"; while :; do printf 'g: 1\\n# gauge ["g"]: 1\\n# EOF: 22\\n' > "$0/$$.stats"; sleep 0.01; done`,
        pipeDir,
      ],
    }).spawn();
    const first = new Collector({ pipeDir, state });
    await until("an answer", async () => values(await first.collect()).g === 1);
    child.kill("SIGKILL");
    await child.status;
    const second = new Collector({ pipeDir, state });
    const { processes } = await second.collect();
    assertEquals(processes.map(({ state }) => state), ["dead"]);
    assertEquals(values(await second.collect()), {});
    assertEquals(namesIn(pipeDir), []);
  }));

Deno.test("as much as the defaults allow is read: past the deadline if need be, and at the end of its program", () =>
  withDir(async (dir) => {
    await using program = await startProgram(
      `for (const name of ["a", "b", "c", "d"]) {
         for (let i = 0; i < 2000; i++) {
           const labels = { path: "/some/path/of/the/application/" + i };
           for (let k = 0; k < 300; k++) {
             record(name + ".{0}", k + 0.123456789 * i, labels);
           }
         }
       }
       incr("n", 5);
       await startRecorder();
       ${LIVE}`,
      { dir },
    );
    await program.printed("live");
    const collector = new Collector({ pipeDir: dir });
    const start = performance.now();
    await until("all", async () => {
      const begin = cpuTime();
      const host = await collector.collect();
      assert(cpuTime() - begin < 5_000);
      return host.recorded.length === 8_000 &&
        values(host).n === 5;
    });
    console.log(`    read after ${Math.round(performance.now() - start)} ms`);
    const [{ state }] = (await collector.collect()).processes;
    assert(state === "ok" || state === "timeout", state);
    program.kill("SIGKILL");
    await program.ended();
    await until("the death", async () => {
      const host = await collector.collect();
      assertEquals([values(host).n, host.recorded.length], [5, 8_000]);
      return host.processes.length === 0;
    });
    const host = await new Collector({ pipeDir: dir }).collect();
    assertEquals([values(host).n, host.recorded.length], [5, 8_000]);
  }));
