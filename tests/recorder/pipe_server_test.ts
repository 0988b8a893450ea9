import { assert, assertEquals } from "@std/assert";
import {
  cat,
  leastPermissions,
  leftIn,
  LIVE,
  namesIn,
  output,
  read,
  startProgram,
  until,
  withDir,
} from "../helpers/program.ts";
import { body } from "../helpers/text.ts";

Deno.test("a program that ends opens nothing that a link of its name leads to", () =>
  withDir(async (dir) => {
    const pipes = `${dir}/pipes`;
    await using program = await startProgram(
      `incr("n"); await startRecorder(); Deno.addSignalListener("SIGUSR1", () => Deno.exit()); ${LIVE}`,
      { dir: pipes },
    );
    await program.printed("live");
    const secret = `${dir}/secret`;
    assertEquals((await output("mkfifo", secret)).code, 0);
    Deno.symlinkSync(secret, `${pipes}/.${program.pid}.zz`);
    const reader = new Deno.Command("cat", { args: [secret], stdout: "null" })
      .spawn();
    program.kill("SIGUSR1");
    assertEquals((await program.ended()).code, 0);
    // It would have got an end of file.
    const first = await Promise.race([
      reader.status.then(() => "ended"),
      new Promise((resolve) => setTimeout(() => resolve("waits"), 200)),
    ]);
    reader.kill("SIGKILL");
    await reader.status;
    assertEquals(first, "waits");
  }));

Deno.test("cat prints every stat and its end, with just the three permissions", () =>
  withDir(async (dir) => {
    await using program = await startProgram(
      `incr("a.b.c.d", 42); set("My Nice Stat", 123.45); incr("another[one]", 0);
       for (const v of [4, 2, 9]) record("t.{0}.ms", v);
       await startRecorder(); ${LIVE}`,
      { dir, permissions: leastPermissions(dir) },
    );
    await program.printed("live");
    const lines = `a.b.c.d: 42
My Nice Stat: 123.45
another[one]: 0
t.median.ms: 2
t.95th.ms: 4
t.99th.ms: 4
t.100th.ms: 9
t.mean.ms: 5.0
# gauge ["My Nice Stat"]: 1
# window {"name":"t.{0}.ms","percentiles":[[50,"t.median.ms"],[95,"t.95th.ms"],[99,"t.99th.ms"],[100,"t.100th.ms"]],"mean":"t.mean.ms","values":[2,4,9]}: 3
# histogram {"name":"t.{0}.ms","scale":4,"sum":15,"min":2,"max":9,"zeros":0,"positive":[[15,1],[31,1],[50,1]],"negative":[]}: 3
`;
    for (let i = 0; i < 20; i++) {
      assertEquals(body(await cat(program.path)), lines);
    }
  }));

Deno.test("the pipe is served while the main thread is in an endless loop, stats made in it included", () =>
  withDir(async (dir) => {
    await using program = await startProgram(
      `await startRecorder(); incr("before"); console.log("live");
       for (let i = 0;; i++) { incr("turns"); if (i === 1e6) incr("during"); }`,
      { dir, permissions: leastPermissions(dir) },
    );
    const turns: number[] = [];
    await until("during", async () => (await read(program)).includes("during"));
    for (let i = 0; i < 10; i++) {
      const match = /^before: 1\nturns: (\d+)\nduring: 1\n$/.exec(
        body(await cat(program.path)),
      );
      turns.push(Number(match?.[1]));
    }
    assertEquals(turns, [...turns].sort((a, b) => a - b));
    assert(turns[0] < turns[9], `${turns}`);
  }));

Deno.test("a reader that comes as the recorder ends does not wait for ever", () =>
  withDir(async (dir) => {
    for (let i = 0; i < 8; i++) {
      await using program = await startProgram(
        `incr("a"); const r = await startRecorder(); console.log("live");
         await new Promise((resolve) => setTimeout(resolve, 60));
         ${i % 2 ? "await r.stop();" : "Deno.exit();"}`,
        { dir },
      );
      await program.printed("live");
      let over = false;
      program.ended().then(() => over = true);
      await Promise.all([1, 2, 3].map(async () => {
        while (!over) {
          const { code } = await output("timeout", "3", "cat", program.path);
          assert(code !== 124, "cat waits");
        }
      }));
      const left = leftIn(dir).filter((name) => !name.startsWith(".ended."));
      assertEquals(left, []);
    }
  }));

Deno.test("reading every pipe of the directory, private ones included, reads the pipe once", () =>
  withDir(async (dir) => {
    await using program = await startProgram(
      `incr("a"); await startRecorder(); ${LIVE}`,
      { dir },
    );
    await program.printed("live");
    for (let i = 0; i < 5; i++) {
      const texts: string[] = [];
      for (const name of namesIn(dir)) {
        if (!/\.(stats|fifo)$/.test(name)) continue;
        const path = `${dir}/${name}`;
        const time = name.endsWith(".stats") ? "30" : "0.1";
        const { code, stdout } = await output("timeout", time, "cat", path);
        // It removed what nobody was writing to.
        if (code !== 0) await Deno.remove(path);
        if (stdout !== "") texts.push(body(stdout));
      }
      assertEquals(texts, ["a: 1\n"]);
      // A used pipe is looked at for a reader that comes late.
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  }));

Deno.test("a slow reader delays the others by less than a second, one that leaves by nothing", () =>
  withDir(async (dir) => {
    await using program = await startProgram(
      `for (let i = 0; i < 20000; i++) incr("some.stat." + i, i); await startRecorder(); ${LIVE}`,
      { dir },
    );
    await program.printed("live");
    const read = async () => body(await cat(program.path));
    const whole = await read();
    // Opens, reads a little, and stops.
    const stopped = await Deno.open(program.path);
    await stopped.read(new Uint8Array(10));
    for (let i = 0; i < 5; i++) {
      const start = performance.now();
      assertEquals(await read(), whole);
      const ms = performance.now() - start;
      // Less than it takes to abandon the slow one, also on a loaded machine.
      assert(ms < 4000, `${ms} ms`);
    }
    stopped.close();
    for (let i = 0; i < 20; i++) {
      const leaving = await Deno.open(program.path);
      await leaving.read(new Uint8Array(10));
      leaving.close();
      assertEquals(await read(), whole);
    }
  }));
