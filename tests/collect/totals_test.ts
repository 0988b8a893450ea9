import { end, recorded, startCounting, values } from "../helpers/counting.ts";
import { assert, assertEquals } from "@std/assert";
import { Collector } from "../../collect.ts";
import {
  leftIn,
  LIVE,
  namesIn,
  startProgram,
  stop,
  until,
  withDir,
} from "../helpers/program.ts";

Deno.test("all collectors say the same of processes that ended or were killed, also one that is new", () =>
  withDir(async (dir) => {
    const [a, b] = await Promise.all([3, 4].map((n) => startCounting(n, dir)));
    const collectors = [1, 2].map(() =>
      new Collector({ pipeDir: dir, deadline: 5000 })
    );
    const both = () =>
      Promise.all(
        collectors.map(async (collector) => values(await collector.collect())),
      );
    assertEquals(await both(), [{ n: 7, g: 2 }, { n: 7, g: 2 }]);
    await end(a, "SIGUSR2");
    assertEquals(leftIn(dir).some((name) => name.includes(`${a.pid}`)), false);
    assertEquals(await both(), [{ n: 107, g: 1 }, { n: 107, g: 1 }]);
    b.kill("SIGUSR1");
    await b.printed("more");
    assertEquals(values(await collectors[0].collect()), { n: 117, g: 1 });
    b.kill("SIGUSR1");
    await b.printed("more\nmore");
    await end(b, "SIGKILL");
    // The other collector has read less of it, and nobody knows how much more
    // than that its last checkpoint has.
    const n = await until("the death", async () => {
      const { n, g } = values(await collectors[0].collect());
      return g === undefined && n;
    });
    assert(n === 117 || n === 127, `${n}`);
    await until("the death", async () => (await both())[1].g === undefined);
    for (let i = 0; i < 3; i++) assertEquals(await both(), [{ n }, { n }]);
    assertEquals(recorded(await collectors[0].collect()), 2);
    assertEquals(leftIn(dir), []);
    const late = new Collector({ pipeDir: dir, deadline: 5000 });
    assertEquals(values(await late.collect()), { n });
    const { unbooked, killed, missed } = await late.read();
    assertEquals([unbooked, killed, missed], [0, 1, 0]);
  }));

Deno.test("a total never falls while processes come, end and are killed", () =>
  withDir(async (dir) => {
    const collectors = [1, 2].map(() =>
      new Collector({ pipeDir: dir, deadline: 5000 })
    );
    let over = false;
    const watched = Promise.all(collectors.map(async (collector) => {
      let last = 0;
      let lastRecorded = 0;
      while (!over) {
        const host = await collector.collect();
        const { n = 0 } = values(host);
        assert(n >= last, `fell from ${last} to ${n}`);
        assert(recorded(host) >= lastRecorded);
        last = n;
        lastRecorded = recorded(host);
        await new Promise((resolve) => setTimeout(resolve, 1));
      }
    }));
    const lives = [1, 2, 3].map(async (n) => {
      for (let i = 0; i < 5; i++) {
        const program = await startCounting(n, dir);
        // Both have read it, since a killed one counts from then on.
        for (const collector of collectors) await collector.collect();
        for (const collector of collectors) await collector.collect();
        await end(program, i % 2 === 0 ? "SIGUSR2" : "SIGKILL");
      }
    });
    try {
      await Promise.all(lives);
    } finally {
      over = true;
    }
    await watched;
    // Each has counted 1, 2 or 3 five times, and three of five 100 more.
    for (const collector of collectors) {
      const host = await collector.collect();
      assertEquals([values(host), recorded(host)], [{ n: 30 + 900 }, 15]);
    }
    assertEquals(leftIn(dir), []);
  }));

Deno.test("processes that end at the same instant lose nothing and leave one ledger", () =>
  withDir(async (dir) => {
    const programs = await Promise.all(
      Array.from({ length: 10 }, () => startCounting(1, dir)),
    );
    for (const program of programs) program.kill("SIGUSR2");
    await Promise.all(programs.map((program) => program.ended()));
    const host = await new Collector({ pipeDir: dir, deadline: 5000 })
      .collect();
    assertEquals([values(host), recorded(host)], [{ n: 1010 }, 10]);
    assertEquals(leftIn(dir), []);
  }));

Deno.test("a stopped process keeps its last values, and says how old they are", () =>
  withDir(async (dir) => {
    await using program = await startCounting(3, dir);
    const collector = new Collector({ pipeDir: dir, deadline: 100 });
    await collector.collect();
    await stop(program);
    let last = 0;
    for (let i = 0; i < 3; i++) {
      const host = await until("timeout", async () => {
        const host = await collector.collect();
        return host.processes[0].state === "timeout" && host;
      });
      assertEquals(values(host), { n: 3, g: 1 });
      assertEquals(recorded(host), 1);
      const [{ pid, name, age, stalled, error }] = host.processes;
      assertEquals([pid, stalled, error], [
        program.pid,
        undefined,
        "It gave no answer in time",
      ]);
      assert(name?.startsWith("statvent-program-"));
      assert(age! > last + 0.09 && age! < 20, `${age}`);
      last = age!;
    }
    program.kill("SIGCONT");
    const { processes: [{ age }] } = await until("ok", async () => {
      const host = await collector.collect();
      return host.processes[0].state === "ok" && host;
    });
    assert(age! < 0.1, `${age}`);
  }));

Deno.test("a recorder that is stopped and started again counts once", () =>
  withDir(async (dir) => {
    await using program = await startProgram(
      `incr("n", 3); let recorder = await startRecorder();
       const states = [() => recorder.stop(), async () => { incr("n"); recorder = await startRecorder(); }, () => Deno.exit()];
       Deno.addSignalListener("SIGUSR1", async () => { await states.shift()(); console.log("state " + states.length); });
       ${LIVE}`,
      { dir },
    );
    await program.printed("live");
    const collector = new Collector({ pipeDir: dir, deadline: 5000 });
    const n = async () => values(await collector.collect()).n;
    assertEquals(await n(), 3);
    program.kill("SIGUSR1");
    await program.printed("state 2");
    assertEquals([await n(), await n()], [3, 3]);
    program.kill("SIGUSR1");
    await program.printed("state 1");
    assertEquals([await n(), await n()], [4, 4]);
    await end(program, "SIGUSR1");
    assertEquals([await n(), await n()], [4, 4]);
    assertEquals(leftIn(dir), []);
  }));

Deno.test("values of which nothing is known end with their process, and it hands nothing over", () =>
  withDir(async (dir) => {
    for (const signal of ["SIGUSR2", "SIGKILL"] as const) {
      const program = await startCounting(
        3,
        dir,
        "config.annotations = false;",
      );
      const collector = new Collector({ pipeDir: dir, deadline: 5000 });
      assertEquals(values(await collector.collect()), { n: 3, g: 1 });
      await end(program, signal);
      await until("the death", async () => {
        const { g, n } = values(await collector.collect());
        return g === undefined && n === undefined;
      });
      assertEquals(namesIn(dir).length, signal === "SIGKILL" ? 1 : 0);
      const { killed } = await new Collector({ pipeDir: dir }).read();
      assertEquals(killed, signal === "SIGKILL" ? 1 : 0);
    }
  }));
