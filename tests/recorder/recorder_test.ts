import { assert, assertEquals, assertMatch } from "@std/assert";
import { dirname } from "@std/path";
import { Collector, toMap } from "../../collect.ts";
import { packageFiles } from "../../scripts/package_files.ts";
import {
  cat,
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
  writeProgram,
} from "../helpers/program.ts";
import { body } from "../helpers/text.ts";

/** What `cat` prints, once there is a pipe. */
async function read(program: Program): Promise<string> {
  await until(
    program.path,
    () => namesIn(dirOf(program)).includes(`${program.pid}.stats`),
  );
  return await cat(program.path);
}

const dirOf = (program: Program) => program.path.replace(/\/[^/]*$/, "");

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

Deno.test("node, awk and python3 read the pipe", () =>
  withDir(async (dir) => {
    await using program = await startProgram(
      `incr("a", 3); incr("b: c", 4); await startRecorder(); ${LIVE}`,
      { dir },
    );
    await program.printed("live");
    const readers: [string, string[]][] = [
      ["node", [
        "-e",
        `for (const l of fs.readFileSync(process.argv[1], "utf8").trim().split("\\n")) console.log(l)`,
      ]],
      ["awk", ["{ print }"]],
      ["python3", [
        "-c",
        "import sys; print(open(sys.argv[1]).read(), end='')",
      ]],
    ];
    for (const [command, args] of readers) {
      const { code, stdout } = await output(command, ...args, program.path);
      assertEquals({ command, code, text: body(stdout) }, {
        command,
        code: 0,
        text: "a: 3\nb: c: 4\n",
      });
    }
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
      // Nobody knows yet that an error will end the program when its values are
      // written, so they wait for a reader.
      const left = leftIn(dir).map((name) => name.replace(/\.\d+$/, ""));
      assertEquals(left, expected === 1 ? [`.ending.${program.pid}`] : []);
      const host = await new Collector({ pipeDir: dir }).collect();
      assertEquals([...toMap(host)], [["a", { value: 1, fractional: false }]]);
      assertEquals(namesIn(dir), [`.ledger.${Deno.uid()}`]);
    }));
}

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
      assertEquals(leftIn(dir), []);
    }
  }));

Deno.test("startRecorder() delays the end of a program by less than it takes to start", () =>
  withDir(async (dir) => {
    await using program = await startProgram(
      `await startRecorder(); console.log(Date.now());`,
      { dir },
    );
    const { code } = await program.ended();
    const delay = Date.now() - Number(program.stdout);
    assertEquals(code, 0);
    assert(delay < 2000, `${delay} ms`);
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
    for (const name of packageFiles(ROOT)) {
      await Deno.mkdir(dirname(`${dir}/copy/${name}`), { recursive: true });
      await Deno.copyFile(new URL(name, ROOT), `${dir}/copy/${name}`);
    }
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

Deno.test("deleting the pipe, its private names or the directory heals within a second", () =>
  withDir(async (parent) => {
    const dir = `${parent}/pipes`;
    await using program = await startProgram(
      `incr("a"); await startRecorder(); ${LIVE}`,
      { dir, permissions: leastPermissions(dir) },
    );
    await program.printed("live");
    const remove = (...names: string[]) =>
      Promise.all(names.map((name) => Deno.remove(`${dir}/${name}`)));
    const deeds: [string, () => Promise<unknown>][] = [
      ["the pipe", () => remove(`${program.pid}.stats`)],
      ["the directory", () => Deno.remove(dir, { recursive: true })],
      [
        "the private names",
        () => remove(...namesIn(dir).filter((name) => name.startsWith("."))),
      ],
    ];
    // At once after a read, between two polls, and when the pipe is watched.
    for (const pause of [0, 400, 4_000]) {
      for (const [what, deed] of deeds) {
        await new Promise((resolve) => setTimeout(resolve, pause));
        await deed();
        const start = performance.now();
        await until(
          what,
          () => namesIn(dir).includes(`${program.pid}.stats`),
        );
        const ms = performance.now() - start;
        assert(ms < 1000, `${what}: ${ms} ms`);
        for (let i = 0; i < 8; i++) {
          assertEquals(body(await cat(program.path)), "a: 1\n", what);
        }
      }
    }
    program.kill("SIGKILL");
  }));

Deno.test("reading every file of the directory, as the first statvent did, reads the pipe once", () =>
  withDir(async (dir) => {
    await using program = await startProgram(
      `incr("a"); await startRecorder(); ${LIVE}`,
      { dir },
    );
    await program.printed("live");
    for (let i = 0; i < 5; i++) {
      const texts: string[] = [];
      for (const name of namesIn(dir)) {
        const path = `${dir}/${name}`;
        const { code, stdout } = await output("timeout", "0.1", "cat", path);
        // It removed what nobody was writing to.
        if (code !== 0) await Deno.remove(path);
        if (stdout !== "") texts.push(body(stdout));
      }
      assertEquals(texts, ["a: 1\n"]);
      // A used pipe is looked at for a reader that comes late.
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  }));

Deno.test("a pipe that an earlier process with the same id left is taken over", () =>
  withDir(async (dir) => {
    await using program = await startProgram(
      `const make = (name) => new Deno.Command("mkfifo", { args: [config.pipeDir + "/" + name] }).output();
       await make(Deno.pid + ".stats"); await make("." + Deno.pid + ".0.fifo"); await make("." + Deno.pid + ".77.fifo");
       incr("a"); await startRecorder(); ${LIVE}`,
      { dir },
    );
    await program.printed("live");
    assertEquals(body(await cat(program.path)), "a: 1\n");
    assertEquals(namesIn(dir).includes(`.${program.pid}.77.fifo`), false);
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
          `Error: Cannot start the recorder: it may not use ${dir} or mkfifo, run with ${
            missing.join(" ").replace(
              "mkfifo",
              "mkfifo, with mkfifo on the PATH",
            )
          }`,
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
        `it may not use ${dir} or mkfifo, run with --allow-run=mkfifo, with mkfifo on the PATH`,
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

Deno.test("a slow reader delays the others by less than a second, one that leaves by nothing", () =>
  withDir(async (dir) => {
    await using program = await startProgram(
      `for (let i = 0; i < 20000; i++) incr("some.stat." + i, i); await startRecorder(); ${LIVE}`,
      { dir },
    );
    await program.printed("live");
    const whole = await cat(program.path);
    assertMatch(whole, /# EOF: \d+\n$/);
    // Opens, reads a little, and stops.
    const stopped = await Deno.open(program.path);
    await stopped.read(new Uint8Array(10));
    for (let i = 0; i < 5; i++) {
      const start = performance.now();
      assertEquals(await cat(program.path), whole);
      const ms = performance.now() - start;
      assert(ms < 1000, `${ms} ms`);
    }
    stopped.close();
    for (let i = 0; i < 20; i++) {
      const leaving = await Deno.open(program.path);
      await leaving.read(new Uint8Array(10));
      leaving.close();
      assertEquals(await cat(program.path), whole);
    }
  }));

Deno.test("an idle recorder sleeps: in ten seconds nothing but the engine's own timers", () =>
  withDir(async (dir) => {
    /** How often the program's threads have run, and for how many nanoseconds. */
    const used = async () => {
      const glob = `cat /proc/${program.pid}/task/*/schedstat`;
      const rows = (await output("sh", "-c", glob)).stdout.trim().split("\n")
        .map((row) => row.split(" ").map(Number));
      return {
        turns: rows.reduce((sum, [, , turns]) => sum + turns, 0),
        ns: rows.reduce((sum, [ns]) => sum + ns, 0),
      };
    };
    await using program = await startProgram(
      `incr("a"); await startRecorder(); ${LIVE}`,
      { dir },
    );
    await program.printed("live");
    await cat(program.path);
    // For some seconds the engine still collects what the start has left, with
    // a recorder or without. One that polled would turn twenty times.
    for (let attempt = 0;; attempt++) {
      const before = await used();
      await new Promise((resolve) => setTimeout(resolve, 10_000));
      const after = await used();
      const turns = after.turns - before.turns;
      const ms = (after.ns - before.ns) / 1e6;
      if (turns < 10 && ms < 1) break;
      assert(attempt < 2, `${turns} turns, ${ms} ms`);
    }
  }));

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

const compiled = await withDir(async (dir) => {
  await Deno.writeTextFile(`${dir}/empty.ts`, "");
  const args = ["compile", "--quiet", "--output", `${dir}/empty`];
  return await output(Deno.execPath(), ...args, `${dir}/empty.ts`);
});

// It fetches the base of compiled programs when it is first used.
const cannotCompile = /error sending request.*denort/s.test(compiled.stderr);

Deno.test({
  name: `startRecorder() works in a compiled program${
    cannotCompile ? " (skipped: deno compile cannot fetch denort)" : ""
  }`,
  ignore: cannotCompile,
}, () =>
  withDir(async (dir) => {
    const pipes = `${dir}/pipes`;
    const file = await writeProgram(
      `incr("a"); await startRecorder(); ${LIVE}`,
      { dir: pipes },
    );
    const { code, stderr } = await output(
      Deno.execPath(),
      ...["compile", "--quiet"],
      ...["--config", new URL("deno.json", ROOT).pathname],
      ...leastPermissions(pipes),
      ...["--output", `${dir}/program`, file],
    );
    await Deno.remove(file);
    assertEquals(code, 0, stderr);
    const child = new Deno.Command(`${dir}/program`).spawn();
    const path = `${pipes}/${child.pid}.stats`;
    await until(path, () => namesIn(pipes).includes(`${child.pid}.stats`));
    assertEquals(body(await cat(path)), "a: 1\n");
    child.kill("SIGKILL");
    await child.status;
  }));

Deno.test("the recorder's thread is that of the sources", async () => {
  const { code, stderr } = await output(
    Deno.execPath(),
    ...[
      "run",
      "--quiet",
      "--allow-read",
      "--allow-run",
      new URL("scripts/build_worker.ts", ROOT).pathname,
      "--check",
    ],
  );
  assertEquals({ code, stderr }, { code: 0, stderr: "" });
});
