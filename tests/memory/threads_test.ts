import { assertEquals } from "@std/assert";
import { parseSnapshot } from "../../format/snapshot_parser.ts";
import { cat, ROOT, startProgram, until, withDir } from "../helpers/program.ts";
import { body } from "../helpers/text.ts";

const MOD = new URL("mod.ts", ROOT).href;

/** The text of a thread that counts and then does what `text` says. */
const threadText = (text: string) =>
  `import { incr, record, set } from ${JSON.stringify(MOD)};
   for (let i = 0; i < 1000; i++) incr("count");
   set("gauge", 5); incr("half", 0.5); record("r.{0}", 7);
   ${text}`;

Deno.test("incr() in every thread of the process counts in the one pipe, hung and ended ones included", () =>
  withDir(async (dir) => {
    const files = {
      hung: `postMessage("done"); for (;;);`,
      ended: `postMessage("done"); self.close();`,
      alive: `postMessage("done"); setInterval(() => {}, 1e6);`,
    };
    for (const [name, text] of Object.entries(files)) {
      await Deno.writeTextFile(`${dir}/${name}.ts`, threadText(text));
    }
    await Deno.writeTextFile(
      `${dir}/node.ts`,
      threadText(
        `(await import("node:worker_threads")).parentPort.postMessage("done");`,
      ),
    );
    await using program = await startProgram(
      `import { Worker as NodeWorker } from "node:worker_threads";
       incr("count", 0); set("gauge", 1);
       const start = (name) => new Promise((resolve) => {
         new Worker("file://${dir}/" + name + ".ts", { type: "module" }).onmessage = resolve;
       });
       await Promise.all([start("hung"), start("ended")]);
       await startRecorder();
       await Promise.all([start("hung"), start("ended"), start("alive")]);
       await new Promise((resolve) => new NodeWorker(new URL("file://${dir}/node.ts")).on("message", resolve));
       console.log("live"); for (;;) incr("main");`,
      { dir },
    );
    await program.printed("live");
    const read = async () =>
      new Map(
        (await cat(program.path)).split("\n").map((line) =>
          line.split(": ") as [string, string]
        ),
      );
    // What a thread has told the others may take a moment to arrive.
    await until(
      "all threads",
      async () => (await read()).get("count") === "6000",
    );
    const stats = await read();
    assertEquals(
      ["count", "gauge", "half", "r.median", "r.mean"].map((name) =>
        stats.get(name)
      ),
      ["6000", "31", "3.0", "7", "7.0"],
    );
  }));

Deno.test("startRecorder() in two threads is one pipe, which ends with the program", () =>
  withDir(async (dir) => {
    await Deno.writeTextFile(
      `${dir}/thread.ts`,
      `import { config, incr, startRecorder } from ${JSON.stringify(MOD)};
       config.pipeDir = ${JSON.stringify(dir)};
       incr("thread");
       const recorder = await startRecorder();
       await recorder.stop();
       postMessage(recorder.path);`,
    );
    await using program = await startProgram(
      `incr("main");
       const recorder = await startRecorder();
       const worker = new Worker("file://${dir}/thread.ts", { type: "module" });
       const path = await new Promise((resolve) => worker.onmessage = (event) => resolve(event.data));
       console.log(path === recorder.path, "live");
       addEventListener("unhandledrejection", () => {});
       setInterval(() => {}, 1e6);`,
      { dir },
    );
    await program.printed("live");
    assertEquals(program.stdout, "true live\n");
    const expected = "main: 1\nthread: 1\n";
    await until(
      "both threads",
      async () => body(await cat(program.path)) === expected,
    );
    const names = [...Deno.readDirSync(dir)].map(({ name }) => name);
    assertEquals(names.filter((name) => name.endsWith(".stats")), [
      `${program.pid}.stats`,
    ]);
  }));

Deno.test("getAll() has the stats of all threads that this one has heard of", () =>
  withDir(async (dir) => {
    await Deno.writeTextFile(
      `${dir}/thread.ts`,
      threadText(`postMessage("done"); setInterval(() => {}, 1e6);`),
    );
    await using program = await startProgram(
      `incr("count");
       await new Promise((resolve) => new Worker("file://${dir}/thread.ts", { type: "module" }).onmessage = resolve);
       while (getAll().count !== 1001) await new Promise((resolve) => setTimeout(resolve, 1));
       console.log(JSON.stringify(getAll()));
       Deno.exit();`,
      { dir },
    );
    assertEquals((await program.ended()).code, 0);
    assertEquals(JSON.parse(program.stdout), {
      "count": 1001,
      "gauge": 5,
      "half": 0.5,
      "r.median": 7,
      "r.95th": 7,
      "r.99th": 7,
      "r.100th": 7,
      "r.mean": 7,
    });
  }));

Deno.test("counting in a thread does not keep the program alive", () =>
  withDir(async (dir) => {
    await using program = await startProgram(
      `incr("a"); getAll(); console.log("end");`,
      { dir },
    );
    assertEquals((await program.ended()).code, 0);
  }));

Deno.test("gauges of several threads merge as they are described, in each process and at once", () =>
  withDir(async (dir) => {
    const names = ["sum", "min", "max", "mean", "last"];
    const text = `
      for (const name of ${JSON.stringify(names)}) {
        if (name !== "sum") describe(name, { merge: name });
      }
      const write = (n) => { for (const name of ${
      JSON.stringify(names)
    }) set(name, n); };`;
    await Deno.writeTextFile(
      `${dir}/thread.ts`,
      `import { describe, set } from ${
        JSON.stringify(new URL("mod.ts", ROOT).href)
      };
       ${text}
       onmessage = ({ data }) => { write(data); postMessage("done"); };`,
    );
    await using program = await startProgram(
      `const { describe } = statvent; ${text}
       const start = () => new Worker("file://${dir}/thread.ts", { type: "module" });
       const ask = (worker, n) => new Promise((resolve) => { worker.onmessage = resolve; worker.postMessage(n); });
       const later = () => new Promise((resolve) => setTimeout(resolve, 5));
       const threads = [start(), start()];
       write(7); await later();
       await ask(threads[0], 2); await later();
       await ask(threads[1], 10); await later();
       // The main thread has set it last, and to neither the least nor the greatest.
       write(4);
       while (getAll().sum !== 16) await later();
       console.log(JSON.stringify(getAll()));
       await startRecorder(); console.log("live"); setInterval(() => {}, 1e6);`,
      { dir },
    );
    await program.printed("live");
    const expected = { sum: 16, min: 2, max: 10, mean: 16 / 3, last: 4 };
    assertEquals(JSON.parse(program.stdout.split("\n")[0]), expected);
    const read = async () => {
      const snapshot = parseSnapshot(
        new TextEncoder().encode(await cat(program.path)),
      );
      return Object.fromEntries(
        [...snapshot.stats].map(([name, { value }]) => [name, value]),
      );
    };
    await until("all threads", async () => (await read()).sum === 16);
    assertEquals(await read(), expected);
  }));
