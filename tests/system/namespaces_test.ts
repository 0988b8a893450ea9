/**
 * Tests that programs in several process id namespaces count that share a
 * directory, and that nothing of theirs is removed.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { Collector } from "../../collect.ts";
import { values } from "../helpers/counting.ts";
import {
  denoRun,
  hasNamespaces,
  Namespace,
  startInNamespace,
} from "../helpers/namespaces.ts";
import {
  leftIn,
  LIVE,
  namesIn,
  until,
  withDir,
  writeProgram,
} from "../helpers/program.ts";

const ignore = !await hasNamespaces();

const isPipe = (name: string) => name.endsWith(".stats");

/** A service in a namespace of its own, which prints what it reads `times` times. */
async function startService(dir: string, times: number): Promise<Namespace> {
  const file = await Deno.makeTempFile({ suffix: ".ts" });
  const url = new URL("../../collect.ts", import.meta.url).href;
  await Deno.writeTextFile(
    file,
    `import { Collector, toMap } from ${JSON.stringify(url)};
     const collector = new Collector({ pipeDir: ${JSON.stringify(dir)} });
     for (let i = 0; i < ${times}; i++) {
       const host = await collector.collect();
       console.log(toMap(host).get("n")?.value ?? 0);
       await new Promise((resolve) => setTimeout(resolve, 50));
     }
     console.log("done");`,
  );
  // Process 1 is a shell, so that the service has another id than the programs.
  return new Namespace(`:; ${denoRun(file)}; true`);
}

Deno.test({
  name:
    "programs that are process 1 of their namespaces both count, and a service in a third one removes nothing of theirs",
  ignore,
  fn: () =>
    withDir(async (dir) => {
      const count = (n: number) =>
        startInNamespace(
          dir,
          `incr("n", ${n}); await startRecorder(); ${LIVE}`,
        );
      await using a = await count(5);
      await until("the first", () => a.stdout.includes("live"));
      await using b = await count(7);
      await until("the second", () => b.stdout.includes("live"));
      const pipes = namesIn(dir).filter(isPipe);
      assertEquals(pipes.length, 2, `${pipes}`);
      await using service = await startService(dir, 10);
      await until("the service", () => service.stdout.includes("done"));
      assertEquals(
        service.stdout.trim().split("\n"),
        [...Array(10).fill("12"), "done"],
      );
      assertEquals(namesIn(dir).filter(isPipe), pipes);
      const collector = new Collector({ pipeDir: dir });
      const { processes, byBase } = await collector.read();
      assertEquals(processes!.map(({ pid, state }) => [pid, state]), [
        [1, "ok"],
        [1, "ok"],
      ]);
      assertEquals(new Set(processes!.map(({ id }) => id)).size, 2);
      assertEquals(
        [...byBase.keys()].map((base) => `${base}.stats`).sort(),
        pipes.sort(),
      );
      // Killed, each is told from the other.
      await a[Symbol.asyncDispose]();
      await until("the death", async () => {
        const host = await collector.collect();
        assertEquals(values(host).n, 12);
        return namesIn(dir).filter(isPipe).length === 1;
      });
      await b[Symbol.asyncDispose]();
      await until("the death", async () => {
        const host = await collector.collect();
        assertEquals(values(host).n, 12);
        return host.processes.length === 0;
      });
      const { killed, unbooked } = await new Collector({ pipeDir: dir }).read();
      assertEquals([killed, unbooked], [2, 0]);
      assertEquals(leftIn(dir), []);
    }),
});

Deno.test({
  name: "a killed program is dead although another process has got its id",
  ignore,
  fn: () =>
    withDir(async (dir) => {
      const file = await writeProgram(
        `incr("n", 3); set("g", 42); await startRecorder(); ${LIVE}`,
        { dir },
      );
      // The last process id is set so that the next process gets the id again.
      await using namespace = new Namespace(
        `${denoRun(file)} & pid=$!; ` +
          `while ! ls ${dir} | grep -q "^$pid.stats"; do sleep 0.05; done; sleep 1.5; ` +
          `kill -9 $pid; wait $pid; ` +
          `until [ "$other" = "$pid" ]; do ` +
          `  echo $((pid - 1)) > /proc/sys/kernel/ns_last_pid; sleep 60 & other=$!; ` +
          `  [ "$other" = "$pid" ] || kill $other; done; ` +
          `echo "again $pid"; wait`,
      );
      await until("the same id", () => namespace.stdout.includes("again"));
      const collector = new Collector({ pipeDir: dir });
      assertEquals(values(await collector.collect()), { n: 3 });
      const start = performance.now();
      const host = await collector.collect();
      assert(performance.now() - start < 150);
      assertEquals([values(host), host.processes], [{ n: 3 }, []]);
      assertEquals(leftIn(dir), []);
    }),
});

/** The programs that a test starts in namespaces, each of which may be process 1. */
const PYTHON = new URL("../../examples/writer.py", import.meta.url).pathname;

Deno.test({
  name:
    "nothing is said of what a process uses that has its id in another namespace",
  ignore,
  fn: () =>
    withDir(async (dir) => {
      // Each is process 1, or one whose id is that of another process here.
      const simple =
        `mkfifo ${dir}/1.stats; while :; do echo "m: 1" > ${dir}/1.stats; sleep 0.02; done`;
      const python =
        `export STATVENT_PIPE_DIR=${dir}; sleep 1000 | exec python3 ${PYTHON} & wait`;
      for (const text of [simple, python]) {
        await using _ = new Namespace(text);
        const collector = new Collector({ pipeDir: dir });
        const processes = await until("the answers", async () => {
          const { processes } = await collector.collect();
          return processes.length > 0 &&
            processes.every(({ age }) => age !== undefined) && processes;
        });
        for (const { pid, state, usage } of processes) {
          assertEquals([pid! > 0, state, usage], [true, "unknown", undefined]);
          assertEquals(Deno.statSync(`/proc/${pid}`).isDirectory, true);
        }
        for (const name of namesIn(dir)) await Deno.remove(`${dir}/${name}`);
      }

      // A program and a service that start at the same time, each as process 1.
      const file = await Deno.makeTempFile({ suffix: ".ts" });
      const url = new URL("../../collect.ts", import.meta.url).href;
      await Deno.writeTextFile(
        file,
        `import { Collector } from ${JSON.stringify(url)};
         const collector = new Collector({ pipeDir: ${JSON.stringify(dir)} });
         for (;;) {
           const { processes } = await collector.collect();
           const [process] = processes;
           if (process?.age !== undefined) {
             console.log(Deno.pid, process.pid, process.state, process.usage);
             break;
           }
           await new Promise((resolve) => setTimeout(resolve, 20));
         }
         await new Promise(() => setInterval(() => {}, 1000));`,
      );
      await using program = await startInNamespace(
        dir,
        `incr("n"); await startRecorder(); ${LIVE}`,
      );
      await using service = new Namespace(`exec ${denoRun(file)}`);
      await until("the service", () => service.stdout.includes("\n"));
      assertEquals(service.stdout, "1 1 ok undefined\n");
      assert(program.stdout.includes("live"));
    }),
});

/** How many programs end at once, and how often. */
const [AT_ONCE, TIMES] = [12, 5];

Deno.test({
  name:
    "programs with equal process ids and starts that end and are killed at once all count",
  ignore,
  fn: () =>
    withDir(async (parent) => {
      const dir = `${parent}/pipes`;
      Deno.mkdirSync(dir);
      const fates = [
        `Deno.exit()`,
        `Deno.kill(Deno.pid, "SIGKILL")`,
        `Deno.kill(Deno.pid, "SIGTERM")`,
      ];
      // Process 1 of each namespace is a shell, which no signal of its own ends.
      const start = async (n: number, time: number) => {
        const go = JSON.stringify(`${parent}/go${time}`);
        const file = await writeProgram(
          `Object.defineProperty(performance, "timeOrigin", { value: 1e12 });
           incr("n", ${n}); await startRecorder();
           console.log("live");
           const timer = setInterval(() => {
             try { Deno.statSync(${go}); } catch { return; }
             clearInterval(timer);
             ${fates[n % 3]};
             setInterval(() => {}, 1000);
           }, 5);`,
          { dir },
        );
        return new Namespace(`:; ${denoRun(file)}; true`);
      };
      const lasting = new Collector({ pipeDir: dir });
      let sum = 0;
      let last = 0;
      const look = async () => {
        const { n = 0 } = values(await lasting.collect());
        assert(n >= last && n <= sum, `${n} after ${last}, and ${sum} at most`);
        last = n;
        return n;
      };
      for (let time = 0; time < TIMES; time++) {
        const numbers = Array.from(
          { length: AT_ONCE },
          (_, i) => AT_ONCE * time + i + 1,
        );
        sum += numbers.reduce((a, b) => a + b);
        const programs = await Promise.all(numbers.map((n) => start(n, time)));
        await until("all programs", async () => {
          await look();
          return programs.every(({ stdout }) => stdout.includes("live"));
        });
        Deno.writeTextFileSync(`${parent}/go${time}`, "");
        let running = true;
        const ends = Promise.all(programs.map((program) => program.ended()))
          .then(() => running = false);
        while (running) await look();
        await ends;
      }
      for (const collector of [lasting, new Collector({ pipeDir: dir })]) {
        // A collector asks a dead sign of life once a second at most.
        await until("all", async () => {
          const { processes } = await collector.collect();
          return processes.length === 0 && leftIn(dir).length === 0;
        });
        assertEquals(values(await collector.collect()).n, sum);
        const { killed, unbooked, missed } = await collector.read();
        assertEquals([killed, unbooked, missed], [AT_ONCE * TIMES / 3, 0, 0]);
      }
      assertEquals(await look(), sum);
    }),
});
