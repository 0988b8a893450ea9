/**
 * What answers say of processes, each of which is a real one.
 *
 * @module
 */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import type { ProcessStatus } from "../../collect.ts";
import type { Handler } from "../../runtime/command_line.ts";
import { createHandler } from "../../web.ts";
import { inStates } from "../helpers/host.ts";
import {
  killShell,
  LIVE,
  startProgram,
  startShell,
  stop,
  until,
  withDir,
} from "../helpers/program.ts";

/** The value of a sample of a process, by its name and the id. */
function sample(
  metrics: string,
  name: string,
  pid: number,
): number | undefined {
  const line = new RegExp(`^${name}\\{.*pid="${pid}".*\\} (\\S+)$`, "m");
  const value = line.exec(metrics)?.[1];
  return value === undefined ? undefined : Number(value);
}

/** The processes of an answer, by their ids. */
async function processesOf(
  handler: Handler,
): Promise<Map<number, ProcessStatus>> {
  const { processes } = JSON.parse(await get(handler, "processes"));
  return new Map(processes.map((one: ProcessStatus) => [one.pid, one]));
}

const ignore = Deno.build.os !== "linux";

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
      const byPid = await processesOf(handler);
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

/** Waits until a process has answered, and returns what is known of it. */
function answered(handler: Handler, pid: number): Promise<ProcessStatus> {
  return until("an answer", async () => {
    const process = (await processesOf(handler)).get(pid);
    return process?.age !== undefined && process;
  });
}

Deno.test({
  name: "/metrics and /processes say of a program that hangs what it uses",
  ignore,
  fn: () =>
    withDir(async (pipeDir) => {
      await using program = await startProgram(
        `config.processName = 'my "program"'; incr("n"); await startRecorder();
         const files = Array.from({ length: 50 }, () => Deno.openSync("/dev/null"));
         globalThis.kept = [files, new Uint8Array(2 ** 27).fill(1)];
         console.log("live"); await fetch("data:,"); for (;;);`,
        { dir: pipeDir },
      );
      await program.printed("live");
      const handler = createHandler({ pipeDir, deadline: 5000 });
      const { pid } = program;
      const metrics = await until("the hang", async () => {
        const metrics = await get(handler, "metrics");
        return sample(metrics, "statvent_process_stalled_seconds", pid)! >= 1 &&
          metrics;
      });
      const of = (name: string) => sample(metrics, name, pid)!;
      assertStringIncludes(
        metrics,
        `\nstatvent_process_up{pid="${pid}",process="my \\"program\\""} 1\n`,
      );
      const cpu = of("process_cpu_seconds_total");
      assert(cpu > 0.1 && cpu < 300, `${cpu}`);
      assert(of("statvent_process_value_age_seconds") < 5);
      const status = Deno.readTextFileSync(`/proc/${pid}/status`);
      const kilobytes = (key: string) =>
        1024 * Number(new RegExp(`^${key}:\\s+(\\d+)`, "m").exec(status)![1]);
      const resident = of("process_resident_memory_bytes");
      assert(resident > 2 ** 27, `${resident}`);
      assert(Math.abs(resident / kilobytes("VmRSS") - 1) < 0.2);
      assert(
        Math.abs(
          of("process_virtual_memory_bytes") / kilobytes("VmSize") - 1,
        ) < 0.1,
      );
      assertEquals(of("process_num_threads"), kilobytes("Threads") / 1024);
      const files = of("process_open_fds");
      assert(files >= 50 && files < 150, `${files}`);
      assert(of("process_max_fds") > files);
      const { usage, start } = await answered(handler, pid);
      assertEquals(of("process_start_time_seconds"), start);
      assert(Math.abs(usage!.start - start!) < 2);
      await until(
        "more time",
        async () => (await answered(handler, pid)).usage!.cpu > cpu,
      );
      // Only living processes have series.
      program.kill("SIGKILL");
      await program.ended();
      assert(!(await get(handler, "metrics")).includes(`pid="${pid}"`));
      assert(!(await get(handler, "metrics")).includes(`pid="${pid}"`));
    }),
});

Deno.test({
  name: "a process that is stopped is not up, and says what it uses",
  ignore,
  fn: () =>
    withDir(async (pipeDir) => {
      await using program = await startProgram(
        `incr("n"); await startRecorder(); ${LIVE}`,
        { dir: pipeDir },
      );
      await program.printed("live");
      const handler = createHandler({ pipeDir, deadline: 300 });
      await answered(handler, program.pid);
      await stop(program);
      const metrics = await until("the stop", async () => {
        const metrics = await get(handler, "metrics");
        return sample(metrics, "statvent_process_up", program.pid) === 0 &&
          metrics;
      });
      const of = (name: string) => sample(metrics, name, program.pid);
      assertEquals(of("statvent_process_stalled_seconds"), undefined);
      assert(of("statvent_process_value_age_seconds")! > 0);
      assert(of("process_cpu_seconds_total")! > 0);
    }),
});

Deno.test({
  name:
    "what a writer without a sign of life uses is known only if its user and its start are right",
  ignore,
  fn: () =>
    withDir(async (pipeDir) => {
      // Writes a text to the pipe of a process, which is itself by default.
      const start = (text: string, pid = "$$") =>
        startShell(
          `pipe=$0/${pid}.stats; mkfifo "$pipe"; while :; do printf '${text}' > "$pipe"; sleep 0.02; done`,
          pipeDir,
        );
      const process = (start: number) => {
        const text = `m: 1\n# process {"start":${start}}: -1\n`;
        return (text + `# EOF: ${text.length}\n`).replaceAll("\n", "\\n");
      };
      const now = Date.now() / 1000;
      const simple = start("m: 1\\n");
      const right = start(process(Math.round(now * 1000) / 1000 + 0.5));
      const wrong = start(process(Math.round(now - 60)));
      // A process of another user, unless this test has that of process 1.
      const foreign = Deno.uid() === 0
        ? new Deno.Command("setpriv", {
          args: ["--reuid=65534", "--clear-groups", "sleep", "1000"],
        }).spawn()
        : undefined;
      const foreignPid = foreign?.pid ?? 1;
      await until(
        "the user",
        () => Deno.statSync(`/proc/${foreignPid}`).uid !== Deno.uid(),
      );
      const liar = start("m: 1\\n", `${foreignPid}`);
      try {
        const handler = createHandler({ pipeDir, deadline: 5000 });
        const found = await Promise.all(
          [simple.pid, right.pid, wrong.pid, foreignPid].map((pid) =>
            answered(handler, pid)
          ),
        );
        assertEquals(found.map(({ state }) => state), Array(4).fill("unknown"));
        // A service in a container cannot see the containers that may have the
        // directory too.
        const isKnown =
          Deno.readLinkSync("/proc/self/ns/pid") === "pid:[4026531836]";
        assertEquals(
          found.map(({ usage }) => usage !== undefined),
          [isKnown, isKnown, false, false],
        );
        const metrics = await get(handler, "metrics");
        assertEquals(
          sample(metrics, "process_num_threads", simple.pid),
          isKnown ? 1 : undefined,
        );
        assertEquals(
          sample(metrics, "statvent_process_up", foreignPid),
          1,
        );
        assertEquals(
          sample(metrics, "process_cpu_seconds_total", foreignPid),
          undefined,
        );
      } finally {
        for (const shell of [simple, right, wrong, liar]) {
          await killShell(shell);
        }
        foreign?.kill("SIGKILL");
        await foreign?.status;
      }
    }),
});
