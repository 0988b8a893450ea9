import { assert, assertEquals, assertMatch } from "@std/assert";
import { closeSync, constants, openSync, readSync, writeSync } from "node:fs";
import { Collector, countStates, merge, toMap } from "../../collect.ts";
import { formatNumber, type Stat } from "../../format.ts";
import { percentile } from "../../percentile.ts";
import { inStates } from "../helpers/host.ts";
import {
  cat,
  killShell,
  LIVE,
  namesIn,
  output,
  ROOT,
  startProgram,
  startShell,
  until,
  withDir,
} from "../helpers/program.ts";
import { parse, withEnd } from "../helpers/text.ts";

const EXAMPLES = `${ROOT.pathname}examples`;

const hasPython = (await output("sh", "-c", "command -v python3")).code === 0;

if (!hasPython) console.log("skipped: writer.py, because there is no python3");

/** Starts a writer with a line on its standard input, which stays open. */
async function startWriter(dir: string, command: string, name: string) {
  const child = new Deno.Command(command, {
    args: [`${EXAMPLES}/${name}`],
    env: { STATVENT_PIPE_DIR: dir },
    stdin: "piped",
    stderr: "piped",
  }).spawn();
  const stderr = new Response(child.stderr).text();
  const path = `${dir}/${child.pid}.stats`;
  await until(path, () => namesIn(dir).includes(`${child.pid}.stats`));
  const input = child.stdin.getWriter();
  await input.write(new TextEncoder().encode("two\nlines\n"));
  await until(
    "the lines",
    async () => (await cat(path)).startsWith("input.lines: 2\n"),
  );
  return {
    path,
    async end(signal: Deno.Signal) {
      child.kill(signal);
      const { code } = await child.status;
      await input.close().catch(() => {});
      return { code, stderr: await stderr };
    },
    async endOfInput() {
      await input.close();
      const { code } = await child.status;
      return { code, stderr: await stderr };
    },
  };
}

/** The merged stats of a directory, as they print. */
async function collect(dir: string) {
  const collector = new Collector({ pipeDir: dir, deadline: 2000 });
  const host = await collector.collect();
  const processes = countStates(host.processes);
  const lines = [...toMap(host)].map(([name, { value, fractional }]) =>
    `${name}: ${formatNumber(value, fractional)}`
  );
  return { lines, processes };
}

/** The writers do not measure whether they hang. */
const alive = inStates({ unknown: 1 });

const writers: [string, string, string[], string][] = [
  ["writer.sh", "sh", ["input.lines: 2", "input.bytes: 10"], ""],
  [
    "writer.py",
    "python3",
    ["input.lines: 2", "input.bytes: 10", "input.kibibytes: 0.009765625"],
    "# EOF: 60\n",
  ],
];

/** A snapshot without its identity and its number, with the end that it would have then. */
function anonymous(snapshot: string): string {
  const start = snapshot.indexOf("# process ");
  if (start < 0) return snapshot;
  assertMatch(
    snapshot.slice(start),
    /^# process \{"id":"[0-9a-f]{32}","start":\d+\.\d{3}\}: -1\n# seq: [1-9]\d*\n# EOF: \d+\n$/,
  );
  const before = snapshot.slice(0, snapshot.lastIndexOf("# EOF"));
  assertEquals(withEnd(before), snapshot);
  return withEnd(snapshot.slice(0, start));
}

for (const [name, command, lines, end] of writers) {
  const ignore = command === "python3" && !hasPython;
  Deno.test({
    name: `${name} is read by cat and by collect(), and ends without a trace`,
    ignore,
  }, () =>
    withDir(async (dir) => {
      for (const signal of ["SIGTERM", "SIGINT", undefined] as const) {
        const writer = await startWriter(dir, command, name);
        for (let i = 0; i < 5; i++) {
          assertEquals(
            anonymous(await cat(writer.path)),
            `${lines.join("\n")}\n${end}`,
          );
          assertEquals(await collect(dir), { lines, processes: alive });
        }
        // A reader that leaves at once.
        (await Deno.open(writer.path)).close();
        await until("the writer", async () => (await cat(writer.path)) !== "");
        const { code, stderr } = signal === undefined
          ? await writer.endOfInput()
          : await writer.end(signal);
        const expected = { SIGTERM: 143, SIGINT: 130 };
        assertEquals(
          { code, stderr },
          { code: signal === undefined ? 0 : expected[signal], stderr: "" },
        );
        await until("no pipe", () => namesIn(dir).length === 0);
      }
    }));
}

Deno.test({
  name: "reader.sh sums the pipes of all writers and leaves out percentiles",
  ignore: !hasPython,
}, () =>
  withDir(async (dir) => {
    const shell = await startWriter(dir, "sh", "writer.sh");
    const python = await startWriter(dir, "python3", "writer.py");
    await using program = await startProgram(
      `incr("input.lines", 5); set("half", 0.5); incr("a: b"); record("r.{0}", 7);
       await startRecorder(); ${LIVE}`,
      { dir },
    );
    await program.printed("live");
    const { code, stdout, stderr } = await new Deno.Command("sh", {
      args: [`${EXAMPLES}/reader.sh`],
      env: { STATVENT_PIPE_DIR: dir },
    }).output();
    const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
    assertEquals({ code, stdout: text(stdout), stderr: text(stderr) }, {
      code: 0,
      stdout: `a: b: 1
half: 0.5
input.bytes: 20
input.kibibytes: 0.009765625
input.lines: 9
`,
      stderr: "",
    });
    await shell.end("SIGTERM");
    await python.end("SIGTERM");
  }));

/** Runs a shell command with a pipe directory, to its end. */
async function shell(dir: string, ...args: string[]) {
  const { code, stdout, stderr } = await new Deno.Command("sh", {
    args,
    env: { STATVENT_PIPE_DIR: dir },
    stdin: "null",
  }).output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, stdout: text(stdout), stderr: text(stderr) };
}

/** Gives each reader of a new pipe a text, until it is killed. */
function serve(path: string, text: string): Deno.ChildProcess {
  return startShell(
    'while mkfifo "$0"; do { cat "$0.text"; rm "$0"; } >"$0"; done',
    (Deno.writeTextFileSync(`${path}.text`, text), path),
  );
}

Deno.test("reader.sh sums what is whole, says what is not, and waits a second", () =>
  withDir(async (dir) => {
    const window = (name: string, mean: string) =>
      `# window ${
        JSON.stringify({
          name: "r",
          percentiles: [[50, name]],
          mean,
          values: [1],
        })
      }: 1\n`;
    const texts = [
      "a: 1\nlast: -0.5\na: b: 9007199254740992\nmean: 2\nvalues: 2\n",
      withEnd(
        "a: 2\na: 3\nlast:  +.25 \r\nname: 1\nfloat: 1e21\n# x: 5\nmax: 1.7e308\nmax: 1e308\n",
      ),
      withEnd(`q"\\: 7\nm: 7.0\nmean: 1\nr: 1\n${window('q"\\', "m")}`),
      // These are not whole.
      "a: 1000\nno number\n",
      "a: 1000",
      withEnd("a: 1000\n").replace(": 8", ": 9"),
      `${"x".repeat(4092)}: 1\n`,
      "a: 1e999\n",
    ];
    const pipes = texts.map((_, i) => `${dir}/${i + 1}.stats`);
    const writers = texts.map((text, i) => serve(pipes[i], text));
    const hung = `${dir}/99.stats`;
    await output("mkfifo", hung);
    await Deno.writeTextFile(`${dir}/100.stats`, "a: 1000\n");
    try {
      for (const pipe of pipes) {
        await until(
          pipe,
          () => namesIn(dir).includes(pipe.slice(dir.length + 1)),
        );
      }
      const start = performance.now();
      const { code, stdout, stderr } = await shell(
        dir,
        `${EXAMPLES}/reader.sh`,
      );
      const seconds = (performance.now() - start) / 1000;
      assertEquals({ code, stdout, stderr: stderr.split("\n").sort() }, {
        code: 0,
        stdout: `a: 6
a: b: 9007199254740992
float: 1.0e+21
last: -0.25
max: 1.7976931348623157e+308
mean: 3
name: 1
r: 1
values: 2
`,
        stderr: [
          "",
          ...[...pipes.slice(3), hung].map((pipe) =>
            `reader.sh: no whole snapshot from ${pipe}`
          ),
        ].sort(),
      });
      assert(seconds >= 1 && seconds < 5, `${seconds} s`);
    } finally {
      await Promise.all(writers.map(killShell));
    }
  }));

Deno.test({
  name: "writer.py gives up a reader that stops reading after a second",
  ignore: !hasPython,
}, () =>
  withDir(async (dir) => {
    const child = new Deno.Command("python3", {
      args: [
        "-c",
        `import signal, sys
sys.path.insert(0, ${JSON.stringify(EXAMPLES)})
sys.dont_write_bytecode = True
import writer
for i in range(20000):
    writer.incr(f"stat.{i}", i / 2)
writer.start(${JSON.stringify(dir)})
signal.pause()`,
      ],
      stdin: "null",
    }).spawn();
    try {
      const path = `${dir}/${child.pid}.stats`;
      const whole = withEnd(
        Array.from({ length: 20000 }, (_, i) =>
          `stat.${i}: ${i === 0 ? "0.0" : formatNumber(i / 2, true)}\n`).join(
            "",
          ),
      );
      await until(path, () =>
        namesIn(dir).includes(`${child.pid}.stats`));
      assertEquals(anonymous(await cat(path)), whole);
      const { ino } = Deno.lstatSync(path);
      const stalled = await Deno.open(path);
      await until("the next pipe", () => Deno.lstatSync(path).ino !== ino);
      const start = performance.now();
      assertEquals(anonymous(await cat(path)), whole);
      const seconds = (performance.now() - start) / 1000;
      assert(seconds < 3, `${seconds} s`);
      // It has got what the pipe holds, and then its end.
      let length = 0;
      const part = new Uint8Array(4096);
      for (let n; (n = await stalled.read(part)) !== null;) length += n;
      assertEquals(length, 65536);
      stalled.close();
    } finally {
      child.kill("SIGKILL");
      await child.status;
    }
  }));

const PAGE = await Deno.readTextFile(new URL("PIPE_FORMAT.md", ROOT));

/** The blocks of PIPE_FORMAT.md in a language. */
const blocks = (language: string) =>
  [...PAGE.matchAll(new RegExp("```" + language + "\n(.*?)```", "gs"))]
    .map(([, text]) => text);

const linesOf = (stats: Map<string, Stat>) =>
  [...stats].map(([name, { value, fractional }]) =>
    `${name}: ${formatNumber(value, fractional)}\n`
  ).join("");

Deno.test("PIPE_FORMAT.md shows snapshots and what they are together", () => {
  const [lines, one, other, host, ...more] = blocks("text");
  assertEquals(more, []);
  assertEquals(linesOf(parse(lines).stats), lines);
  const third = "http.requests: 5";
  assert(PAGE.includes(`\`${third}\``));
  const snapshots = [one, other, `${third}\n`].map(parse);
  assertEquals(linesOf(toMap(merge({ live: snapshots }))), host);
  // What is said of a window's names without a window is added.
  const live = [...snapshots, parse("db.mean.ms: 2\n")];
  const { value } = toMap(merge({ live })).get("db.mean.ms")!;
  assertEquals(value, 29.9);
});

Deno.test("PIPE_FORMAT.md shows the bytes that statvent writes", () =>
  withDir(async (dir) => {
    const one = blocks("text")[1];
    await using program = await startProgram(
      `config.percentiles = [[50, "median"], [95, "95th"]];
       config.processName = "app.ts";
       incr("http.requests", 3); set("queue.size", 7);
       for (const ms of [109.5, 12, 15]) record("db.{0}.ms", ms);
       await startRecorder(); ${LIVE}`,
      { dir },
    );
    await program.printed("live");
    const PROCESS = /^# process .*\n/m;
    const [said] = PROCESS.exec(one)!;
    const first = await cat(program.path);
    const [says] = PROCESS.exec(first)!;
    assertMatch(
      says,
      /^# process {"id":"[0-9a-f]{32}","start":\d+\.?\d*,"name":"app\.ts","runtime":"deno \S+"}: \d+\.\d+\n$/,
    );
    // Another time, in which zeros at the end are left out, and another number,
    // since checkpoints are counted too.
    const [seq] = /# seq: \d+/.exec(first)!;
    const other = says.length - said.length + seq.length - "# seq: 12".length;
    const text = one.replace(PROCESS, says).replace("# seq: 12", seq)
      .replace(/# EOF: (\d+)/, (_, bytes) => `# EOF: ${Number(bytes) + other}`);
    assertEquals(first, text);
  }));

Deno.test("PIPE_FORMAT.md says which numbers are integers, floats or refused", () => {
  const rows = [
    ...PAGE.matchAll(/^\| (`.*) \| (integer|float|refused) *\|$/gm),
  ];
  const table = rows.flatMap(([, cell, kind]) =>
    [...cell.matchAll(/`(.*?)`/g)].map(([, text]) => [text, kind])
  );
  assertEquals(table.length, 20);
  const kindOf = (text: string) => {
    try {
      return parse(`a: ${text}\n`).stats.get("a")!.fractional
        ? "float"
        : "integer";
    } catch {
      return "refused";
    }
  };
  for (const [text, kind] of table) {
    assertEquals([text, kindOf(text)], [text, kind]);
    assertEquals([text, kindOf(` ${text}\t\r`)], [text, kind]);
  }
});

Deno.test("PIPE_FORMAT.md gives the index of a percentile", () => {
  const found = /for n = (\d+)\s+and p =\s+(\d+)\s+it is (\d+)/.exec(PAGE)!;
  const [n, p, index] = found.slice(1).map(Number);
  const window = Array.from({ length: n }, (_, i) => i);
  assertEquals(percentile(window, p), index);
});

Deno.test("the simple writer and reader of PIPE_FORMAT.md work", () =>
  withDir(async (dir) => {
    const [writer, reader, ...more] = blocks("sh");
    assertEquals(more, []);
    const child = startShell(`STATVENT_PIPE_DIR=$0\n${writer}`, dir);
    try {
      for (let i = 0; i < 5; i++) {
        await until("a pipe", () => namesIn(dir).length === 1);
        await (i % 2 === 0
          ? until("a snapshot", async () => {
            const { stdout } = await shell(dir, "-c", reader);
            return stdout === "http.requests: 5\n";
          })
          : collect(dir).then((host) =>
            assertEquals(host, {
              lines: ["http.requests: 5"],
              processes: alive,
            })
          ));
      }
    } finally {
      await killShell(child);
    }
  }));

Deno.test("a FIFO tells a careful reader and writer what PIPE_FORMAT.md says", () =>
  withDir(async (dir) => {
    const path = `${dir}/fifo`;
    await output("mkfifo", path);
    const { O_NONBLOCK, O_RDONLY, O_WRONLY } = constants;
    const code = (action: () => unknown) => {
      try {
        return action();
      } catch (error) {
        return (error as { code?: string }).code;
      }
    };
    const page = new Uint8Array(4096).fill(1);
    const read = (fd: number) => code(() => readSync(fd, page));
    assertEquals(code(() => openSync(path, O_WRONLY | O_NONBLOCK)), "ENXIO");
    const reader = openSync(path, O_RDONLY | O_NONBLOCK);
    assertEquals(read(reader), 0);
    const writer = openSync(path, O_WRONLY | O_NONBLOCK);
    assertEquals(read(reader), "EAGAIN");
    let pages = 0;
    while (code(() => writeSync(writer, page)) === 4096) pages++;
    assertEquals(4096 * pages, 65536);
    closeSync(writer);
    for (let i = 0; i < pages; i++) assertEquals(read(reader), 4096);
    assertEquals(read(reader), 0);
    const late = openSync(path, O_WRONLY | O_NONBLOCK);
    closeSync(reader);
    assertEquals(code(() => writeSync(late, page)), "EPIPE");
    closeSync(late);
    assertEquals(code(() => openSync(path, O_WRONLY | O_NONBLOCK)), "ENXIO");
  }));

/** A program that counts 5 and forks a child, which goes on as it is told. */
const forking = (child: string) =>
  `import os, sys, time
sys.path.insert(0, sys.argv[1])
import writer
writer.incr("n", 5)
writer.start()
pid = os.fork()
if pid == 0:
    ${child}
    print("child", os.getpid(), flush=True)
    time.sleep(1000)
os.waitpid(pid, 0)
`;

for (
  const [what, child, counts] of [
    ["shows nothing", `writer.incr("n", 7)`, 0],
    ["starts again", `writer.start(); writer.incr("n", 7)`, 7],
  ] as const
) {
  Deno.test({
    name:
      `a child that is forked of writer.py and ${what} is a process of its own, which does not keep its parent alive`,
    ignore: !hasPython,
    fn: () =>
      withDir(async (dir) => {
        const parent = new Deno.Command("setsid", {
          args: ["python3", "-W", "ignore", "-c", forking(child), EXAMPLES],
          env: { STATVENT_PIPE_DIR: dir, PYTHONDONTWRITEBYTECODE: "1" },
          stdin: "null",
          stdout: "piped",
        }).spawn();
        const reader = parent.stdout.pipeThrough(new TextDecoderStream())
          .getReader();
        try {
          let said = "";
          while (!said.includes("\n")) {
            const { value } = await reader.read();
            said += value!;
          }
          const pid = Number(said.split(" ")[1]);
          const collector = new Collector({ pipeDir: dir, deadline: 2000 });
          const counted = async () =>
            toMap(await collector.collect()).get("n")?.value;
          await until("both", async () => await counted() === 5 + counts);
          const { processes = [] } = await collector.read();
          const pids = processes.map(({ pid }) => pid);
          const expected = counts > 0 ? [parent.pid, pid] : [parent.pid];
          assertEquals(pids.toSorted(), expected.toSorted());
          assertEquals(
            new Set(processes.map(({ id }) => id)).size,
            pids.length,
          );

          parent.kill("SIGKILL");
          await parent.status;
          // The child lives on, and has nothing open of its parent.
          await until(
            "the death",
            async () => (await collector.read()).killed === 1,
          );
          assertEquals(await counted(), 5 + counts);
          const pipes = namesIn(dir).filter((name) => name.endsWith(".stats"));
          assertEquals(pipes, counts > 0 ? [`${pid}.stats`] : []);
          assertEquals((await output("kill", "-0", `${pid}`)).code, 0);
        } finally {
          await killShell(parent);
          await reader.cancel();
        }
      }),
  });
}
