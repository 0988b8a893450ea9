/**
 * Programs that are ended by signals end as they would without statvent, and
 * lose nothing.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { Collector, toMap } from "../../collect.ts";
import {
  buildPackage,
  cat,
  hasProgram,
  leastPermissions,
  leftIn,
  LIVE,
  namesIn,
  output,
  ROOT,
  startProgram,
  strayIn,
  until,
  withDir,
} from "../helpers/program.ts";

/** What a later service says that ended processes have counted. */
async function countedIn(dir: string): Promise<number | undefined> {
  const host = await new Collector({ pipeDir: dir, deadline: 5000 }).collect();
  return toMap(host).get("n")?.value;
}

const codes = { SIGTERM: 143, SIGINT: 130, SIGHUP: 129 } as const;

for (const [signal, code] of Object.entries(codes)) {
  for (const [what, text] of [["idle", LIVE], ["hung", "for (;;);"]]) {
    Deno.test(`${signal} ends an ${what} Deno program at once, with all that it has counted`, () =>
      withDir(async (dir) => {
        await using program = await startProgram(
          `await startRecorder(); for (let i = 0; i < 6000; i++) incr("n"); console.log("live"); ${text}`,
          { dir, permissions: leastPermissions(dir) },
        );
        await program.printed("live");
        const start = performance.now();
        program.kill(signal as Deno.Signal);
        const ended = await program.ended();
        const ms = performance.now() - start;
        assertEquals([ended.code, ended.signal, ended.stderr], [
          code,
          signal,
          "",
        ]);
        // Long before anybody would send SIGKILL, also on a loaded machine.
        assertEquals(ms < 5_000, true, `${ms} ms`);
        assertEquals(strayIn(dir), []);
        assertEquals(await countedIn(dir), 6000);
        assertEquals(leftIn(dir), []);
      }));
  }
}

Deno.test("a signal that comes as soon as the recorder has started loses nothing", () =>
  withDir(async (dir) => {
    // Whether it came too soon was a matter of chance.
    for (let i = 1; i <= 8; i++) {
      await using program = await startProgram(
        `incr("n"); await startRecorder(); Deno.kill(Deno.pid, "SIGTERM"); for (;;);`,
        { dir },
      );
      assertEquals((await program.ended()).code, 143);
      assertEquals(strayIn(dir), []);
      assertEquals(await countedIn(dir), i);
    }
  }));

/** Where a program adds its own listener, whose second call quits with another code. */
const LISTENER =
  `let calls = 0; const listener = () => { console.log("call", ++calls); if (calls === 2) Deno.exit(8); };`;

const listeners: [what: string, before: string, after: string, gets: number][] =
  [
    [
      "Deno.addSignalListener() before",
      `Deno.addSignalListener("SIGTERM", listener);`,
      "",
      1,
    ],
    [
      "Deno.addSignalListener() after",
      "",
      `Deno.addSignalListener("SIGTERM", listener);`,
      1,
    ],
    ["process.on() before", `process.on("SIGTERM", listener);`, "", 1],
    ["process.on() after", "", `process.on("SIGTERM", listener);`, 1],
    [
      "a listener that is removed again",
      `Deno.addSignalListener("SIGTERM", listener);`,
      `Deno.removeSignalListener("SIGTERM", listener);`,
      0,
    ],
    [
      "two listeners, of which one is removed",
      `process.on("SIGTERM", listener); const other = () => {};`,
      `Deno.addSignalListener("SIGTERM", other); Deno.removeSignalListener("SIGTERM", other);`,
      1,
    ],
  ];

for (const [what, before, after, gets] of listeners) {
  Deno.test(`a signal reaches the program's own listener once: ${what}`, () =>
    withDir(async (dir) => {
      await using program = await startProgram(
        `import process from "node:process"; ${LISTENER} ${before}
         await startRecorder(); ${after} incr("n", 6000); ${LIVE}`,
        { dir },
      );
      await program.printed("live");
      program.kill("SIGTERM");
      if (gets > 0) {
        await program.printed("call 1");
        await new Promise((resolve) => setTimeout(resolve, 100));
        assertEquals(program.stdout, "live\ncall 1\n");
        program.kill("SIGTERM");
      }
      const { code } = await program.ended();
      assertEquals(code, gets > 0 ? 8 : 143);
      assertEquals(strayIn(dir), []);
      assertEquals(await countedIn(dir), 6000);
      assertEquals(leftIn(dir), []);
    }));
}

const hidden: [what: string, before: string, after: string][] = [
  [
    "added by a reference to Deno's own function",
    `const add = Deno.addSignalListener;`,
    `add("SIGTERM", listener);`,
  ],
  [
    "in a Worker",
    `const text = 'Deno.addSignalListener("SIGTERM", () => postMessage("signal")); postMessage("ready");';`,
    `await new Promise((resolve) => {
       const worker = new Worker("data:text/javascript," + encodeURIComponent(text), { type: "module" });
       worker.onmessage = ({ data }) => data === "ready" ? resolve() : listener();
     });`,
  ],
];

for (const [what, before, after] of hidden) {
  Deno.test(`what a program counts after a signal is not lost if its listener is ${what}`, () =>
    withDir(async (dir) => {
      await using program = await startProgram(
        `${before}
         let calls = 0;
         const listener = () => {
           if (++calls > 1) return;
           console.log("call");
           setTimeout(() => incr("n", 1000), 600);
           setTimeout(() => Deno.exit(8), 1000);
         };
         await startRecorder(); ${after} incr("n", 6000); ${LIVE}`,
        { dir },
      );
      await program.printed("live");
      program.kill("SIGTERM");
      await program.printed("call");
      // Services that look while it is not known whether the program lives must
      // not take its last values for good.
      for (let look = 0; look < 4; look++) {
        const counted = await countedIn(dir);
        assertEquals(counted === 6000 || counted === 7000, true, `${counted}`);
      }
      assertEquals((await program.ended()).code, 8);
      assertEquals(await countedIn(dir), 7000);
    }));
}

/** Waits until a checkpoint has a line. */
async function isKept(dir: string, line: RegExp): Promise<void> {
  await until(`${line} in the checkpoint`, () => {
    const name = namesIn(dir).find((name) => name.endsWith(".checkpoint"));
    return name !== undefined &&
      line.test(Deno.readTextFileSync(`${dir}/${name}`));
  });
}

for (const [what, before, after] of hidden) {
  Deno.test(`a program that survives a signal by a listener is readable again, and what it counts outlives a kill, if that is ${what}`, () =>
    withDir(async (dir) => {
      await using program = await startProgram(
        `${before}
         let calls = 0;
         const listener = () => {
           if (++calls > 1) return;
           incr("n", 1000);
           console.log("call");
         };
         await startRecorder(); ${after} incr("n", 6000); ${LIVE}`,
        { dir },
      );
      await program.printed("live");
      program.kill("SIGTERM");
      await program.printed("call");
      await until(
        "the pipe",
        () => namesIn(dir).includes(`${program.pid}.stats`),
      );
      await until(
        "what it has counted since",
        async () => /^n: 7000$/m.test(await cat(program.path)),
      );
      await isKept(dir, /^n: 7000$/m);
      program.kill("SIGKILL");
      await program.ended();
      assertEquals(await countedIn(dir), 7000);
      assertEquals(leftIn(dir), []);
    }));
}

Deno.test("a program that was started to ignore SIGHUP goes on to", () =>
  withDir(async (dir) => {
    for (const permissions of [["--allow-all"], leastPermissions(dir)]) {
      const file = `${dir}/program.ts`;
      await Deno.writeTextFile(
        file,
        `import { config, incr, startRecorder } from "${new URL(
          "mod.ts",
          ROOT,
        )}";
         config.pipeDir = "${dir}"; incr("n"); await startRecorder();
         setInterval(() => {}, 1e6); console.log("live");`,
      );
      const program = new Deno.Command("sh", {
        args: [
          "-c",
          `trap '' HUP; exec "$0" "$@"`,
          Deno.execPath(),
          ...["run", "--quiet", "--no-prompt", ...permissions, file],
        ],
        stdout: "piped",
      }).spawn();
      const reader = program.stdout.getReader();
      await reader.read();
      program.kill("SIGHUP");
      // The next signal would come too late if the first one had ended it.
      await until(
        "the pipe",
        () => namesIn(dir).includes(`${program.pid}.stats`),
      );
      await new Promise((resolve) => setTimeout(resolve, 100));
      program.kill("SIGTERM");
      assertEquals((await program.status).signal, "SIGTERM");
      await reader.cancel();
    }
    assertEquals(await countedIn(dir), 2);
  }));

/** Runs a program as the first process of a namespace, to its end. */
async function asFirst(dir: string, permissions: string[], text: string) {
  const file = `${dir}/program.ts`;
  await Deno.writeTextFile(
    file,
    `import { config, incr, startRecorder } from "${new URL("mod.ts", ROOT)}";
     import { notTooEarly } from "${new URL("runtime/signals.ts", ROOT)}";
     config.pipeDir = "${dir}";
     const caught = () => notTooEarly((path) => Deno.readTextFileSync(path));
     const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
     ${text}`,
  );
  const { code, stdout } = await output(
    ...["timeout", "40", "unshare"] as const,
    ..."--pid --fork --kill-child --mount-proc".split(" "),
    ...[Deno.execPath(), "run", "--quiet", "--no-prompt", ...permissions, file],
  );
  return { code, stdout };
}

const ignore = !await hasProgram(
  "unshare",
  ..."--pid --fork --mount-proc true".split(" "),
);

for (const signal of Object.keys(codes)) {
  Deno.test({
    name:
      `${signal} ends a hung program that is the first of its namespace as it does without, with all that it has counted`,
    ignore,
    fn: () =>
      withDir(async (dir) => {
        const raise = `Deno.kill(Deno.pid, "${signal}"); for (;;);`;
        // Deno catches signals from half a second after its start on, and then
        // dies of them, though as if of another signal.
        const { code } = await asFirst(
          dir,
          ["--allow-all"],
          `await caught(); ${raise}`,
        );
        // That of `timeout` when time is up.
        assert(code !== 124);
        // Without `/proc`, and with it.
        const few = [`--allow-read=${dir}`, `--allow-write=${dir}`];
        for (const permissions of [["--allow-all"], ["--allow-run", ...few]]) {
          let counted: number | undefined;
          // On a loaded machine the thread is told late that it may listen.
          for (const ms of [200, 2_000, 8_000, 20_000]) {
            const pipes = await Deno.makeTempDir({ dir });
            const ended = await asFirst(
              pipes,
              permissions,
              `await startRecorder(); await caught(); await sleep(${ms});
               incr("n", 6000); ${raise}`,
            );
            assertEquals(ended.code, code);
            counted = await countedIn(pipes);
            if (counted === 6000) break;
          }
          assertEquals(counted, 6000);
        }
      }),
  });
}

Deno.test({
  name:
    "a recorder does not let signals end the first process of a namespace before Deno does",
  ignore,
  fn: () =>
    withDir(async (dir) => {
      const { code, stdout } = await asFirst(
        dir,
        ["--allow-all"],
        `await startRecorder();
         // Later than that, Deno may have begun to catch them itself.
         for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const) {
           if (performance.now() < 450) Deno.kill(Deno.pid, signal);
         }
         console.log("live"); await sleep(100); Deno.exit(3);`,
      );
      assertEquals([code, stdout], [3, "live\n"]);
    }),
});

for (const runtime of ["node", "bun"]) {
  Deno.test({
    name:
      `startRecorder({ signals: true }) hands over on ${runtime}, and leaves the rest to the program's listeners`,
    ignore: !await hasProgram(runtime, "--version"),
    fn: () =>
      withDir(async (dir) => {
        const npm = await buildPackage(dir);
        // As libraries do that clean up: if all listeners are theirs.
        const last = `const last = () => {
          if (process.listeners("SIGTERM").length > 1) return;
          process.removeListener("SIGTERM", last);
          process.kill(process.pid, "SIGTERM");
        };
        process.on("SIGTERM", last);`;
        type Row = [text: string, signal: Deno.Signal, code: number];
        const table: [...Row, before?: string][] = [
          [last, "SIGTERM", 143],
          ["", "SIGTERM", 143, last],
          ["", "SIGTERM", 143],
          ["", "SIGINT", 130],
          ["", "SIGHUP", 129],
          [`process.on("SIGTERM", () => process.exit(7));`, "SIGTERM", 7],
        ];
        if (runtime === "node") {
          // Bun does not tell when such a listener has gone.
          const once = `await new Promise((resolve) => {
            setInterval(() => {}, 1e6);
            process.once("SIGTERM", resolve);
            process.kill(process.pid, "SIGTERM");
          });`;
          table.push([once, "SIGTERM", 143]);
        }
        for (const [i, [text, signal, expected, before]] of table.entries()) {
          const pipes = `${dir}/${i}`;
          const file = `${dir}/program.mjs`;
          await Deno.writeTextFile(
            file,
            `import { config, incr, startRecorder } from "${npm}/mod.js";
             config.pipeDir = "${pipes}";
             ${before ?? ""} await startRecorder({ signals: true }); ${text}
             for (let i = 0; i < 6000; i++) incr("n");
             setInterval(() => {}, 1e6); console.log("live");`,
          );
          const program = new Deno.Command(runtime, {
            args: [file],
            stdout: "piped",
          }).spawn();
          const reader = program.stdout.getReader();
          await reader.read();
          program.kill(signal);
          assertEquals((await program.status).code, expected);
          await reader.cancel();
          assertEquals(strayIn(pipes), []);
          assertEquals(await countedIn(pipes), 6000);
          assertEquals(leftIn(pipes), []);
        }
      }),
  });
}

for (const runtime of ["node", "bun"]) {
  Deno.test({
    name:
      `of a program on ${runtime} without signals that SIGTERM ends, at most what came after its checkpoint is lost, and a figure says so`,
    ignore: !await hasProgram(runtime, "--version"),
    fn: () =>
      withDir(async (dir) => {
        const npm = await buildPackage(dir);
        const pipes = `${dir}/pipes`;
        const file = `${dir}/program.mjs`;
        await Deno.writeTextFile(
          file,
          `import { config, incr, startRecorder } from "${npm}/mod.js";
           config.pipeDir = "${pipes}";
           await startRecorder();
           incr("n", 6000);
           process.stdin.once("data", () => {
             incr("n", 7);
             process.kill(process.pid, "SIGTERM");
           });`,
        );
        const program = new Deno.Command(runtime, {
          args: [file],
          stdin: "piped",
        }).spawn();
        await isKept(pipes, /^n: 6000$/m);
        const input = program.stdin.getWriter();
        await input.write(new TextEncoder().encode("count\n"));
        assertEquals((await program.status).signal, "SIGTERM");
        await input.close().catch(() => {});
        const collector = new Collector({ pipeDir: pipes, deadline: 5000 });
        const n = toMap(await collector.collect()).get("n")?.value;
        assert(n === 6000 || n === 6007, `${n}`);
        const { killed, missed } = await collector.read();
        assertEquals([killed, missed], [1, 0]);
        assertEquals(leftIn(pipes), []);
      }),
  });
}
