/**
 * The names and the signs of life by which processes are told apart, what is
 * kept of them when they are killed, and who cleans up.
 *
 * @module
 */

import { assert, assertEquals, assertMatch } from "@std/assert";
import {
  alivePath,
  checkpointPath,
  parseOwnName,
} from "../../directory/file_names.ts";
import { isAlive } from "../../directory/sign_of_life.ts";
import { decodeCheckpoint } from "../../ended/checkpoint.ts";
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
  type Program,
  ROOT,
  startProgram,
  until,
  withDir,
} from "../helpers/program.ts";
import { LAYOUT } from "../../slab/layout.ts";
import { copyPackage } from "../../scripts/package_files.ts";
import { body } from "../helpers/text.ts";

/** The identity of a program. */
function idOf(dir: string, { pid }: Program): string {
  const names = namesIn(dir).map((name) => parseOwnName(name));
  return names.find((own) => own?.pid === pid && own.rest === "alive")!.id;
}

const started = (text: string, dir: string) =>
  startProgram(`${text} await startRecorder(); ${LIVE}`, { dir });

Deno.test("the sign of life shows that a process lives, stopped or hung, until it is killed", () =>
  withDir(async (dir) => {
    await using program = await started(`incr("a");`, dir);
    await program.printed("live");
    const path = alivePath(dir, `${program.pid}`, idOf(dir, program));
    assertEquals(isAlive(path), true);
    program.kill("SIGSTOP");
    assertEquals(isAlive(path), true);
    program.kill("SIGKILL");
    await program.ended();
    assertEquals(isAlive(path), false);
  }));

Deno.test("a recorder that was stopped leaves the sign of life, one that starts again has the same identity", () =>
  withDir(async (dir) => {
    await using program = await startProgram(
      `const signal = new Promise((resolve) => Deno.addSignalListener("SIGUSR1", resolve));
       incr("a"); const first = await startRecorder(); console.log("live");
       await first.stop(); console.log("stopped");
       await signal;
       await startRecorder(); console.log("again"); setInterval(() => {}, 1e6);`,
      { dir },
    );
    await program.printed("live");
    const id = idOf(dir, program);
    await program.printed("stopped");
    assertEquals(isAlive(alivePath(dir, `${program.pid}`, id)), true);
    assertEquals(namesIn(dir).filter((name) => /stats$|fifo$/.test(name)), []);
    program.kill("SIGUSR1");
    await program.printed("again");
    assertEquals(idOf(dir, program), id);
    assertEquals(body(await cat(program.path)), "a: 1\n");
  }));

Deno.test("a sign of life that was deleted outlives the recorder that has made it anew", () =>
  withDir(async (dir) => {
    await using program = await startProgram(
      `const recorder = await startRecorder();
       Deno.addSignalListener("SIGUSR1", async () => { await recorder.stop(); console.log("stopped"); });
       ${LIVE}`,
      { dir },
    );
    await program.printed("live");
    const path = alivePath(dir, `${program.pid}`, idOf(dir, program));
    Deno.removeSync(path);
    await until("a new sign", () => isAlive(path));
    program.kill("SIGUSR1");
    await program.printed("stopped");
    assertEquals(isAlive(path), true);
  }));

Deno.test("a killed process leaves a checkpoint of at most a second before", () =>
  withDir(async (dir) => {
    await using program = await started(
      `for (let i = 0; i < 100; i++) { incr("c." + i, i); record("r.{0}", 7); } set("g", 5);`,
      dir,
    );
    await program.printed("live");
    const path = checkpointPath(dir, `${program.pid}`, idOf(dir, program));
    const text = await until("the checkpoint", () => {
      try {
        const file = decodeCheckpoint(Deno.readFileSync(path));
        return file && new TextDecoder().decode(file.bytes);
      } catch {
        return undefined;
      }
    });
    assertMatch(text, /^c\.99: 99$/m);
    assertMatch(text, /^# histogram \{"name":"r\.\{0\}",.*\}: 100$/m);
    assertEquals(/^# window|^r\./m.test(text), false);
    program.kill("SIGKILL");
    await program.ended();
    await using next = await started(`incr("c.99");`, dir);
    await next.printed("live");
    await until(
      "the booking",
      () => namesIn(dir).some((name) => name.startsWith(".ended.")),
    );
    const host = await new Collector({ pipeDir: dir, deadline: 5000 })
      .collect();
    assertEquals(toMap(host).get("c.99")?.value, 100);
  }));

for (
  const [signal, checkpoint] of [
    ["SIGKILL", true],
    ["SIGTERM", true],
    ["SIGKILL", false],
  ] as const
) {
  const what = checkpoint ? "all that it counted before" : "nothing";
  Deno.test(`a program that ${signal} ends after stop() leaves ${what} with checkpoint: ${checkpoint}`, () =>
    withDir(async (dir) => {
      // In one turn, so that the thread hardly writes a checkpoint in between.
      await using program = await startProgram(
        `const recorder = await startRecorder({ checkpoint: ${checkpoint} });
         incr("n", 5); await recorder.stop(); ${LIVE}`,
        { dir, permissions: leastPermissions(dir) },
      );
      await program.printed("live");
      program.kill(signal);
      assertEquals((await program.ended()).signal, signal);
      for (let service = 0; service < 2; service++) {
        const host = await new Collector({ pipeDir: dir, deadline: 5000 })
          .collect();
        const expected = checkpoint ? 5 : undefined;
        assertEquals(toMap(host).get("n")?.value, expected);
      }
    }));
}

Deno.test("whoever starts a recorder removes the pipes of dead processes, and counts what they had", () =>
  withDir(async (dir) => {
    await using killed = await started(`incr("n", 5);`, dir);
    await killed.printed("live");
    await until(
      "the checkpoint",
      () => namesIn(dir).some((name) => name.endsWith(".checkpoint")),
    );
    killed.kill("SIGKILL");
    await killed.ended();
    // A simple writer that has gone, and one that is there.
    await output("mkfifo", `${dir}/4000000.stats`);
    const simple = new Deno.Command("sh", {
      args: [
        "-c",
        'trap "" PIPE; mkfifo $0/$$.stats; while :; do echo "s: 1" > $0/$$.stats; done',
        dir,
      ],
    }).spawn();
    await until("it", () => namesIn(dir).includes(`${simple.pid}.stats`));
    await using program = await started(`incr("n");`, dir);
    await program.printed("live");
    const pipes = () => namesIn(dir).filter((name) => name.endsWith(".stats"));
    await until("the sweep", () => pipes().length === 2);
    assertEquals(
      pipes(),
      [`${program.pid}.stats`, `${simple.pid}.stats`].sort(),
    );
    const { stdout } = await output("sh", "-c", `timeout 5 cat ${dir}/*.stats`);
    assertMatch(stdout, /^n: 1$/m);
    simple.kill("SIGKILL");
    await simple.status;
    const host = await new Collector({ pipeDir: dir, deadline: 5000 })
      .collect();
    assertEquals(toMap(host).get("n")?.value, 6);
  }));

Deno.test("STATVENT_INSTANCE stands in the name of the pipe, and must be a name", () =>
  withDir(async (dir) => {
    await using program = await startProgram(
      `Deno.env.set("STATVENT_INSTANCE", "a/b");
       await startRecorder().catch((error) => console.log(error.message));
       Deno.env.set("STATVENT_INSTANCE", "web.1");
       incr("a"); const { path } = await startRecorder(); console.log(path); ${LIVE}`,
      { dir },
    );
    await program.printed("live");
    const path = `${dir}/${program.pid}-web.1.stats`;
    const [refused, shown] = program.stdout.split("\n");
    assertMatch(refused, /STATVENT_INSTANCE.*must be 1 to 64.*"a\/b"/);
    assertEquals(shown, path);
    assertEquals(body(await cat(path)), "a: 1\n");
  }));

Deno.test({
  name: "processes with one id in two namespaces have two pipes",
  ignore: !await hasProgram("unshare", ..."--pid --fork true".split(" ")),
  fn: () =>
    withDir(async (dir) => {
      const file = `${dir}/program.ts`;
      const pipes = `${dir}/pipes`;
      await Deno.writeTextFile(
        file,
        `import { config, incr, startRecorder } from "${new URL(
          "mod.ts",
          ROOT,
        )}";
         config.pipeDir = "${pipes}"; incr("n", Number(Deno.args[0]));
         console.log((await startRecorder()).path); setInterval(() => {}, 1e6);`,
      );
      const start = (n: string) =>
        new Deno.Command("unshare", {
          args: [
            ..."--pid --fork --kill-child --mount-proc".split(" "),
            ...[Deno.execPath(), "run", "--quiet", "-A", file, n],
          ],
          stdout: "null",
        }).spawn();
      const programs = ["1", "10", "100"].map(start);
      const names = () =>
        namesIn(pipes).filter((name) => name.endsWith(".stats"));
      await until("three pipes", () => names().length === 3);
      const values = await Promise.all(
        names().map(async (name) => body(await cat(`${pipes}/${name}`))),
      );
      assertEquals(values.sort(), ["n: 1\n", "n: 10\n", "n: 100\n"]);
      for (const name of names()) {
        assertMatch(name, /^1(-[0-9a-f]{8})?\.stats$/);
      }
      for (const program of programs) program.kill("SIGKILL");
      await Promise.all(programs.map((program) => program.status));
    }),
});

Deno.test("two copies of statvent with different layouts of slabs have two pipes", () =>
  withDir(async (dir) => {
    const copy = `${dir}/copy`;
    await copyPackage(ROOT, copy);
    const patch = (file: string, from: string, to: string) => {
      const text = Deno.readTextFileSync(`${copy}/${file}`);
      assert(text.includes(from), file);
      Deno.writeTextFileSync(`${copy}/${file}`, text.replaceAll(from, to));
    };
    patch("slab/layout.ts", `LAYOUT = ${LAYOUT}`, "LAYOUT = 999");
    const inThread = "statvent.slabs.${";
    patch(
      "recorder/worker_source.ts",
      `${inThread}${LAYOUT}}`,
      `${inThread}999}`,
    );
    await using program = await startProgram(
      `const other = await import("${copy}/mod.ts");
       other.config.pipeDir = config.pipeDir; incr("a"); other.incr("b");
       const paths = [(await startRecorder()).path, (await other.startRecorder()).path];
       console.log(JSON.stringify(paths)); ${LIVE}`,
      { dir },
    );
    await program.printed("live");
    const [one, two] = JSON.parse(program.stdout.split("\n")[0]);
    assert(one !== two);
    assertEquals(body(await cat(one)), "a: 1\n");
    assertEquals(body(await cat(two)), "b: 1\n");
  }));

Deno.test("an idle Node program has no inotify instance", async () => {
  if (!await hasProgram("node", "--version")) return;
  await withDir(async (dir) => {
    const npm = await buildPackage(dir);
    const { stdout } = await output(
      "node",
      "--input-type=module",
      "-e",
      `
const { config, startRecorder } = await import("${npm}/mod.js");
config.pipeDir = "${dir}/pipes";
await startRecorder();
await new Promise((resolve) => setTimeout(resolve, 4_500));
const { readdirSync, readlinkSync } = process.getBuiltinModule("fs");
const links = readdirSync("/proc/self/fd").map((fd) => { try { return readlinkSync("/proc/self/fd/" + fd); } catch { return ""; } });
console.log(links.filter((link) => link.includes("inotify")).length);
process.exit();`,
    );
    assertEquals(stdout, "0\n");
    assertEquals(leftIn(`${dir}/pipes`), []);
  });
});

Deno.test("startRecorder() refuses options that it does not know", () =>
  withDir(async (dir) => {
    await using program = await startProgram(
      `for (const options of [{ chekpoint: true }, { signals: 1 }]) {
         await startRecorder(options).catch((error) => console.log(error.name + ": " + error.message));
       }
       ${LIVE}`,
      { dir },
    );
    await program.printed("live");
    assertEquals(
      program.stdout,
      `TypeError: Cannot start the recorder: an option must be "checkpoint" or "signals", got "chekpoint"
TypeError: Cannot start the recorder: signals must be a boolean, got 1
live
`,
    );
  }));
