import {
  assert,
  assertEquals,
  assertMatch,
  assertStringIncludes,
} from "@std/assert";
import { Collector, toMap } from "../../collect.ts";
import { copyPackage } from "../../scripts/package_files.ts";
import {
  cat,
  leastPermissions,
  leftIn,
  LIVE,
  namesIn,
  output,
  read,
  ROOT,
  startProgram,
  until,
  withDir,
  writeProgram,
} from "../helpers/program.ts";
import { body } from "../helpers/text.ts";

Deno.test("config.annotations = false leaves the lines of statvent 1.0, config.pipeMode sets the mode", () =>
  withDir(async (dir) => {
    await using program = await startProgram(
      `config.annotations = false; config.pipeMode = 0o600;
       incr("a"); record("t.{0}", 1); await startRecorder(); ${LIVE}`,
      { dir },
    );
    await program.printed("live");
    assertEquals(
      await cat(program.path),
      "a: 1\nt.median: 1\nt.95th: 1\nt.99th: 1\nt.100th: 1\nt.mean: 1.0\n",
    );
    assertEquals((await Deno.lstat(program.path)).mode! & 0o777, 0o600);
  }));

// How a program ends, its text after `startRecorder()`, and its exit code.
const ends: [string, string, number][] = [
  ["its normal end", "", 0],
  [
    "its normal end after a while",
    "await new Promise((r) => setTimeout(r, 400));",
    0,
  ],
  ["Deno.exit()", "Deno.exit(3);", 3],
  ["process.exit()", `(await import("node:process")).exit(4);`, 4],
  ["an error that nobody caught", `throw new Error("mine");`, 1],
  ["an error in a timer", `setTimeout(() => { throw new Error("mine"); });`, 1],
  [
    "a promise that nobody caught",
    `Promise.reject(new Error("mine")); await new Promise((r) => setTimeout(r, 1000));`,
    1,
  ],
  [
    "Deno.exit() while another start is under way",
    `await recorder.stop(); startRecorder(); await new Promise((r) => setTimeout(r, 40)); Deno.exit(6);`,
    6,
  ],
  [
    "stop()",
    `const r = await startRecorder(); await r.stop(); await r.stop();`,
    0,
  ],
  ["await using", `{ await using _ = await startRecorder(); }`, 0],
  [
    "a signal handler of its own",
    `Deno.addSignalListener("SIGTERM", () => Deno.exit(5)); Deno.kill(Deno.pid, "SIGTERM"); setInterval(() => {}, 1000);`,
    5,
  ],
];

for (const [how, text, expected] of ends) {
  Deno.test(`startRecorder() leaves nothing behind after ${how}`, () =>
    withDir(async (dir) => {
      await using program = await startProgram(
        `incr("a"); const recorder = await startRecorder(); console.log("live"); ${text}`,
        { dir },
      );
      await program.printed("live");
      const { code, signal, stderr } = await program.ended();
      assertEquals({ code, signal }, { code: expected, signal: null }, stderr);
      assertEquals(stderr.includes("mine"), expected === 1, stderr);
      // Nobody knew that the error would end the program, so its sign of life and checkpoint are left.
      const left = leftIn(dir).map((name) => name.replace(/^.*\./, ""));
      assertEquals(left, expected === 1 ? ["alive", "checkpoint"] : []);
      const host = await new Collector({ pipeDir: dir, deadline: 5000 })
        .collect();
      assertEquals([...toMap(host)], [["a", { value: 1, fractional: false }]]);
      assertEquals(leftIn(dir), []);
    }));
}

Deno.test("startRecorder() delays the end of a program by less than it takes to start", () =>
  withDir(async (dir) => {
    await using program = await startProgram(
      `await startRecorder(); console.log(Date.now());`,
      { dir },
    );
    const { code } = await program.ended();
    const delay = Date.now() - Number(program.stdout);
    assertEquals(code, 0);
    assert(delay < 5000, `${delay} ms`);
  }));

Deno.test("a program that survives an error goes on being served", () =>
  withDir(async (dir) => {
    await using program = await startProgram(
      `addEventListener("unhandledrejection", (event) => event.preventDefault());
       await startRecorder(); incr("a");
       for (let i = 0; i < 5; i++) {
         Promise.reject(new Error("survived"));
         await new Promise((resolve) => setTimeout(resolve, 20));
       }
       ${LIVE}`,
      { dir },
    );
    await program.printed("live");
    assertEquals(body(await read(program)), "a: 1\n");
    assertEquals(body(await read(program)), "a: 1\n");
  }));

Deno.test("startRecorder() called twice, and by a second copy, is one recorder and one pipe", () =>
  withDir(async (dir) => {
    // Another URL is another copy of the module.
    const copy = `${dir}/copy/mod.ts`;
    await copyPackage(ROOT, `${dir}/copy`);
    await using program = await startProgram(
      `const other = await import("${copy}");
       const [a, b, c] = await Promise.all([startRecorder(), startRecorder(), other.startRecorder()]);
       incr("a"); other.incr("a", 2); other.incr("b", 0.5); other.record("r.{0}", 1); record("r.{0}", 3);
       console.log(other.incr !== incr, a === b, a === c, a === await startRecorder(), a.path, JSON.stringify(getAll()));
       ${LIVE}`,
      { dir },
    );
    await program.printed("live");
    const all = {
      "a": 3,
      "b": 0.5,
      "r.median": 1,
      "r.95th": 1,
      "r.99th": 1,
      "r.100th": 3,
      "r.mean": 2,
    };
    assertEquals(
      program.stdout,
      `true true true true ${program.path} ${JSON.stringify(all)}\nlive\n`,
    );
    assertMatch(
      body(await cat(program.path)),
      /^a: 3\nb: 0\.5\nr\.median: 1\nr\.95th: 1\nr\.99th: 1\nr\.100th: 3\nr\.mean: 2\.0\n# window .*"values":\[1,3\]\}: 2\n# histogram .*"positive":\[\[-1,1\],\[25,1\]\],"negative":\[\]\}: 2\n$/,
    );
    assertEquals(namesIn(dir).filter((name) => name.endsWith(".stats")), [
      `${program.pid}.stats`,
    ]);
  }));

Deno.test("a recorder that was stopped can be started again", () =>
  withDir(async (dir) => {
    await using program = await startProgram(
      `incr("a");
       for (let i = 0; i < 3; i++) { const r = await startRecorder(); await r.stop(); }
       await startRecorder(); ${LIVE}`,
      { dir },
    );
    await program.printed("live");
    assertEquals(body(await cat(program.path)), "a: 1\n");
  }));

Deno.test("a pipe that an earlier process with the same id left is taken over", () =>
  withDir(async (dir) => {
    await using program = await startProgram(
      `const make = (name) => new Deno.Command("mkfifo", { args: [config.pipeDir + "/" + name] }).output();
       await make(Deno.pid + ".stats"); await make("." + Deno.pid + ".${
        "0".repeat(32)
      }.alive");
       incr("a"); await startRecorder(); ${LIVE}`,
      { dir },
    );
    await program.printed("live");
    assertEquals(body(await cat(program.path)), "a: 1\n");
  }));

Deno.test("startRecorder() breaks the lock of an earlier process that was killed while it started", () =>
  withDir(async (dir) => {
    for (const age of [0, 3]) {
      // Its clock stands still, so that it would wait for ever.
      await using program = await startProgram(
        `const lock = config.pipeDir + "/." + Deno.pid + ".starting";
         Deno.writeTextFileSync(lock, "");
         const time = Date.now() / 1000 - ${age};
         Deno.utimeSync(lock, time, time);
         performance.now = () => 1000;
         incr("a"); await startRecorder();
         ${LIVE}`,
        { dir },
      );
      await program.printed("live");
      assertEquals(body(await cat(program.path)), "a: 1\n");
      assertEquals(namesIn(dir).filter((name) => /starting/.test(name)), []);
    }
  }));

/** What a program prints that reports why the recorder did not start, and goes on. */
async function whyNot(
  dir: string,
  permissions: string[],
  env: Record<string, string> = {},
): Promise<{ code: number; lines: string[] }> {
  const file = await writeProgram(
    `incr("a");
     try { await startRecorder(); console.log("started"); }
     catch (error) { console.log(error.constructor.name + ": " + error.message); }
     incr("a"); console.log(getAll().a);`,
    { dir },
  );
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "--no-prompt", ...permissions, file],
    env: { NO_COLOR: "1", ...env },
    stdin: "null",
  }).output();
  await Deno.remove(file);
  const text = new TextDecoder().decode(stdout) +
    new TextDecoder().decode(stderr);
  return { code, lines: text.trimEnd().split("\n") };
}

Deno.test("startRecorder() without a permission rejects and says which", () =>
  withDir(async (dir) => {
    const [readable, writable, run] = leastPermissions(dir);
    const acts = {
      [readable]: `read ${dir}`,
      [writable]: `write to ${dir}`,
      [run]: "run mkfifo, which must be on the PATH",
    };
    for (
      const missing of [[readable], [writable], [run], [
        readable,
        writable,
        run,
      ]]
    ) {
      const given = [readable, writable, run].filter((one) =>
        !missing.includes(one)
      );
      assertEquals(await whyNot(dir, given), {
        code: 0,
        lines: [
          `Error: Cannot start the recorder: it must be allowed to ${
            missing.map((flag) => acts[flag]).join(" and to ")
          }; run with ${missing.join(" ")}`,
          "2",
        ],
      });
    }
    assertEquals(namesIn(dir), []);
  }));

Deno.test("startRecorder() without mkfifo rejects and says where it comes from", () =>
  withDir(async (dir) => {
    const table: [string[], string][] = [
      [
        ["--allow-all"],
        "there must be a program mkfifo; install it, with coreutils",
      ],
      [
        leastPermissions(dir),
        "it must be allowed to run mkfifo, which must be on the PATH; run with --allow-run=mkfifo",
      ],
    ];
    for (const [permissions, why] of table) {
      assertEquals(await whyNot(dir, permissions, { PATH: dir }), {
        code: 0,
        lines: [`Error: Cannot start the recorder: ${why}`, "2"],
      });
    }
    assertEquals(namesIn(dir), []);
  }));

Deno.test("startRecorder() with a file where the directory should be rejects and keeps the file", () =>
  withDir(async (parent) => {
    const file = `${parent}/pipes`;
    await Deno.writeTextFile(file, "precious");
    for (const dir of [file, `${file}/below`]) {
      assertEquals(await whyNot(dir, ["--allow-all"]), {
        code: 0,
        lines: [
          `Error: Cannot start the recorder: ${dir} must be a directory, but there is a file; remove it or set config.pipeDir or STATVENT_PIPE_DIR`,
          "2",
        ],
      });
    }
    assertEquals(await Deno.readTextFile(file), "precious");
  }));

Deno.test("startRecorder() in a directory that cannot be written or created rejects and says what to do", async () => {
  // `/proc` refuses even the administrator.
  assertMatch(
    (await whyNot("/proc", ["--allow-all"])).lines[0],
    /^Error: Cannot start the recorder: pipes must be creatable in \/proc \(.*\); change its mode or set config\.pipeDir or STATVENT_PIPE_DIR$/,
  );
  assertMatch(
    (await whyNot("/proc/pipes", ["--allow-all"])).lines[0],
    /^Error: Cannot start the recorder: \/proc\/pipes must be a directory that can be created \(.*\); create it or set config\.pipeDir or STATVENT_PIPE_DIR$/,
  );
});

Deno.test("startRecorder() works from a URL, with the three permissions and --allow-import", () =>
  withDir(async (dir) => {
    const server = Deno.serve({ port: 0, onListen() {} }, async (request) => {
      const { pathname } = new URL(request.url);
      try {
        const text = await Deno.readTextFile(new URL(`.${pathname}`, ROOT));
        return new Response(text, {
          headers: { "content-type": "application/typescript" },
        });
      } catch {
        return new Response(null, { status: 404 });
      }
    });
    const origin = `http://localhost:${server.addr.port}`;
    await using program = await startProgram(
      `incr("a"); await startRecorder(); ${LIVE}`,
      {
        dir,
        from: `${origin}/mod.ts`,
        permissions: leastPermissions(dir),
        flags: [
          `--allow-import=localhost:${server.addr.port}`,
          "--no-lock",
          "--reload",
        ],
      },
    );
    await program.printed("live");
    assertEquals(body(await cat(program.path)), "a: 1\n");
    await server.shutdown();
  }));

Deno.test("without files left the recorder says so, or waits; with files again it works", () =>
  withDir(async (dir) => {
    await using program = await startProgram(
      `incr("a");
       const files = [];
       const exhaust = () => { try { for (;;) files.push(Deno.openSync("/dev/null")); } catch { /* There are none left. */ } };
       const free = () => { for (const file of files.splice(0)) file.close(); };
       exhaust();
       try { await startRecorder(); console.log("started"); }
       catch (error) { console.log(error.message); }
       free();
       await startRecorder();
       console.log("again");
       Deno.addSignalListener("SIGUSR1", () => { exhaust(); console.log("exhausted"); setTimeout(() => { free(); console.log("freed"); }, 1000); });
       ${LIVE}`,
      { dir },
    );
    await program.printed("live");
    assertStringIncludes(program.stdout, "Cannot start the recorder: ");
    assertStringIncludes(program.stdout, "again\nlive\n");
    assertStringIncludes(await cat(program.path), "a: 1\n");
    program.kill("SIGUSR1");
    await program.printed("exhausted");
    // Whoever reads now gets all, or nothing within a second.
    await output("timeout", "1", "cat", program.path);
    await program.printed("freed");
    await until("the pipe", async () => {
      const { stdout } = await output("timeout", "1", "cat", program.path);
      return stdout.includes("a: 1\n");
    });
  }));

Deno.test("a clock that jumps changes nothing but the times that it gives", () =>
  withDir(async (dir) => {
    await using program = await startProgram(
      `statvent.describe("last", { merge: "last" });
       await startRecorder();
       const { now } = Date;
       for (const jump of [-1e12, 1e12, NaN]) { Date.now = () => now() + jump; incr("n"); record("r.{0}", 1); set("last", 1); }
       Date.now = now; set("last", 2);
       ${LIVE}`,
      { dir },
    );
    await program.printed("live");
    for (let i = 0; i < 5; i++) {
      const text = await cat(program.path);
      assertStringIncludes(text, "last: 2\n");
      assertStringIncludes(text, "n: 3\n");
    }
  }));

Deno.test("10 000 names in a tick are all there, and a name of a megabyte is refused", () =>
  withDir(async (dir) => {
    await using program = await startProgram(
      `await startRecorder();
       setTimeout(() => {
         for (let i = 0; i < 10000; i++) incr("name." + i);
         try { incr("x".repeat(2 ** 20)); } catch (error) { console.log(error.name + ": " + error.message); }
         ${LIVE}
       });`,
      { dir },
    );
    await program.printed("live");
    const text = await cat(program.path);
    assertEquals(text.match(/^name\.\d+: 1$/gm)?.length, 10_000);
    assertStringIncludes(
      program.stdout,
      "TypeError: Cannot name a stat: the name must have at most 65536 characters, got 1048576\n",
    );
  }));

Deno.test("what a signal handler counts is there, and so is what it counts before it ends the program", () =>
  withDir(async (dir) => {
    await using program = await startProgram(
      `await startRecorder();
       Deno.addSignalListener("SIGUSR1", () => { incr("signals"); console.log("got it"); });
       Deno.addSignalListener("SIGTERM", () => { incr("signals"); Deno.exit(0); });
       ${LIVE}`,
      { dir },
    );
    await program.printed("live");
    program.kill("SIGUSR1");
    await program.printed("got it");
    assertStringIncludes(await cat(program.path), "signals: 1\n");
    program.kill("SIGTERM");
    assertEquals((await program.ended()).code, 0);
    const host = await new Collector({ pipeDir: dir, deadline: 5000 })
      .collect();
    assertEquals(toMap(host).get("signals")?.value, 2);
  }));
