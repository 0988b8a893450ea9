import { assert } from "@std/assert";
import { LIVE, ROOT, startProgram, withDir } from "../helpers/program.ts";

const WEB = new URL("web.ts", ROOT).pathname;

Deno.test("the service's memory does not grow with requests, nor with processes that have ended", () =>
  withDir(async (dir) => {
    const programs = await Promise.all([1, 2].map(() =>
      startProgram(
        `for (let i = 0; i < 200; i++) incr("n." + i); record("r.{0}", 1);
         setInterval(() => { incr("n.0"); record("r.{0}", Math.random()); }, 1);
         await startRecorder(); ${LIVE}`,
        { dir },
      )
    ));
    await Promise.all(programs.map((program) => program.printed("live")));
    // Half of the processes are killed, and half hand over, each with names of
    // its own among others.
    await using service = await startProgram(
      `import { createHandler } from ${JSON.stringify(WEB)};
       import { writeLastValues } from ${
        JSON.stringify(new URL("ended/last_values.ts", ROOT).href)
      };
       import { idOf, lastValues } from ${
        JSON.stringify(new URL("tests/helpers/last_values.ts", ROOT).href)
      };
       const handler = createHandler({ pipeDir: config.pipeDir, state: ${
        JSON.stringify(`${dir}/state`)
      } });
       const ask = async (search) => (await handler(new Request("http://localhost/stats" + search))).text();
       const searches = ["", "?format=text", "?by=process", "?format=prettyjson&match=n.*", "?query=n>5&aggr=max"];
       const end = (i) => {
         const text = "total: 1\\ngone." + i % 500 + ": 1\\n";
         writeLastValues(config.pipeDir, idOf(i + 1), 1, lastValues(i + 1, text, 1, true), 0o644);
       };
       const use = async (requests) => {
         // Five requests share what is read.
         for (let i = 0; i < requests / searches.length; i++) {
           if (i % 2) end(i);
           await Promise.all(searches.map(ask));
         }
         gc();
         const { rss, heapUsed, external } = Deno.memoryUsage();
         return [heapUsed + external, rss];
       };
       console.log(JSON.stringify([await use(2000), await use(10000)]));
       console.log("ended"); Deno.exit();`,
      { dir, flags: ["--v8-flags=--expose-gc"] },
    );
    const { stderr } = await service.ended();
    assert(service.stdout.includes("ended"), stderr);
    const [before, after] = JSON.parse(service.stdout.split("\n")[0]);
    const [used, resident] = after.map((bytes: number, i: number) =>
      (bytes - before[i]) / 1e6
    );
    // What stays is what is used; what the heap takes in between goes up and down.
    assert(used < 8, `${used} MB more are used`);
    assert(resident < 100, `${resident} MB more are resident`);
    for (const program of programs) await program[Symbol.asyncDispose]();
  }));
