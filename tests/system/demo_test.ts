/**
 * The demo, started as its task does, by a newcomer who then looks around.
 *
 * @module
 */

import {
  assert,
  assertEquals,
  assertMatch,
  assertStringIncludes,
} from "@std/assert";
import { inStates } from "../helpers/host.ts";
import {
  leftIn,
  namesIn,
  output,
  ROOT,
  until,
  withDir,
} from "../helpers/program.ts";

const PROGRAMS = ["shop", "queue", "reports"];

/** The demo, as it runs. */
class Demo implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #reading: Promise<unknown>;
  readonly #end = new AbortController();
  #stdout = "";
  #stderr = "";

  constructor(child: Deno.ChildProcess) {
    this.#child = child;
    this.#reading = Promise.all([
      this.#read(child.stdout, (text) => this.#stdout += text),
      this.#read(child.stderr, (text) => this.#stderr += text),
    ]);
  }

  async #read(
    stream: ReadableStream<Uint8Array<ArrayBuffer>>,
    write: (text: string) => void,
  ): Promise<void> {
    const { signal } = this.#end;
    const sink = new WritableStream<string>({ write });
    await stream.pipeThrough(new TextDecoderStream())
      .pipeTo(sink, { signal })
      .catch((error) => {
        if (!signal.aborted) throw error;
      });
  }

  /** All that it prints, once that is all. */
  async printed(): Promise<string> {
    const end = "Ctrl-C ends the demo.\n";
    await until("all that the demo prints", () => this.#stdout.endsWith(end));
    return this.#stdout;
  }

  kill(signal: Deno.Signal): void {
    this.#child.kill(signal);
  }

  async ended(): Promise<{ code: number; stderr: string }> {
    const { code } = await this.#child.status;
    await this.#reading;
    return { code, stderr: this.#stderr };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.#child.kill("SIGKILL");
    } catch {
      // It has ended.
    }
    await this.#child.status;
    // Children that should not be there would keep the other end open.
    this.#end.abort();
    await this.#reading;
  }
}

/** Runs what the task runs, by the real Deno, with `dir` for its temporary files. */
async function startDemo(dir: string, ...more: string[]): Promise<Demo> {
  const { tasks } = JSON.parse(
    await Deno.readTextFile(new URL("deno.json", ROOT)),
  );
  const [deno, ...args] = tasks.demo.command.split(" ");
  assertEquals(deno, "deno");
  const child = new Deno.Command(Deno.execPath(), {
    args: [...args, ...more],
    cwd: ROOT,
    env: { TMPDIR: dir, NO_COLOR: "1" },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  return new Demo(child);
}

/** The `cat` lines in what the demo prints. */
const catLines = (text: string) => text.match(/cat \S+$/gm) ?? [];

/** The pipe directory in what the demo prints. */
const pipeDirIn = (text: string) =>
  text.match(/with their pipes in (\S+):$/m)![1];

/** The address of the web service in what the demo prints. */
const urlIn = (text: string) => text.match(/http:\S+\/stats$/m)![0];

/** The process ids in what the demo prints. */
const pidsIn = (text: string) =>
  catLines(text).map((line) => line.match(/(\d+)\.stats$/)![1]);

async function isRunning(pid: string): Promise<boolean> {
  return (await output("sh", "-c", 'kill -0 "$0"', pid)).code === 0;
}

/** Waits until no process or pipe is left of a demo that has printed `text`. */
async function assertGone(text: string): Promise<void> {
  for (const pid of pidsIn(text)) {
    await until(`the end of ${pid}`, async () => !await isRunning(pid));
  }
  await until("the end of the web service", async () => {
    try {
      await (await fetch(urlIn(text))).body?.cancel();
    } catch {
      return true;
    }
  });
  await until(
    "the end of the pipes",
    () => leftIn(pipeDirIn(text)).length === 0,
  );
}

Deno.test("the demo shows three programs and ends on SIGINT", async () => {
  await withDir(async (dir) => {
    await using demo = await startDemo(dir);
    const text = await demo.printed();
    assertEquals(catLines(text).length, PROGRAMS.length);

    const { stats, processes } = await until("all stats", async () => {
      const answer = await (await fetch(urlIn(text))).json();
      const names = Object.keys(answer.stats);
      return PROGRAMS.every((program) =>
        names.some((name) => name.startsWith(`${program}.`))
      ) && answer;
    });
    assertEquals(processes, inStates({ ok: 3 }));
    assert(stats["reports.rows"] > 0);
    for (const path of ["stats?format=prettyjson", "processes", "metrics"]) {
      const url = new URL(path, urlIn(text)).href;
      assertStringIncludes(text, `  ${url}\n`);
      const response = await fetch(url);
      assert(response.ok, url);
      await response.body?.cancel();
    }

    for (const [i, line] of catLines(text).entries()) {
      const { code, stdout } = await output("sh", "-c", line);
      assertEquals(code, 0);
      assertMatch(stdout, new RegExp(`^${PROGRAMS[i]}\\.`, "m"));
      assertMatch(stdout, /^# EOF: \d+\n$/m);
    }

    demo.kill("SIGINT");
    assertEquals(await demo.ended(), { code: 0, stderr: "" });
    assertEquals(leftIn(dir), []);
    for (const pid of pidsIn(text)) assertEquals(await isRunning(pid), false);
    await assertGone(text);
  });
});

Deno.test("the demo ends on SIGTERM while a program hangs", async () => {
  await withDir(async (dir) => {
    await using demo = await startDemo(dir);
    const text = await demo.printed();
    const reports = catLines(text)[2];
    await until("a program that hangs", async () => {
      const { stdout } = await output("sh", "-c", reports);
      return stdout.includes("reports.hanging: 1\n");
    });
    demo.kill("SIGTERM");
    assertEquals(await demo.ended(), { code: 0, stderr: "" });
    assertEquals(leftIn(dir), []);
    await assertGone(text);
  });
});

Deno.test("the demo's children end when the demo is killed", async () => {
  await withDir(async (dir) => {
    await using demo = await startDemo(dir);
    const text = await demo.printed();
    demo.kill("SIGKILL");
    await assertGone(text);
  });
});

Deno.test("the demo refuses arguments", async () => {
  await withDir(async (dir) => {
    await using demo = await startDemo(dir, "--prot", "80");
    assertEquals(await demo.ended(), {
      code: 2,
      stderr: "Cannot start the demo: it takes no arguments, got --prot 80\n",
    });
    assertEquals(namesIn(dir), []);
  });
});

Deno.test("the demo takes another port if the usual one is busy", async () => {
  using _busy = listenOnUsualPort();
  await withDir(async (dir) => {
    await using demo = await startDemo(dir);
    const text = await demo.printed();
    assert(new URL(urlIn(text)).port !== "7828");
    const { processes } = await (await fetch(urlIn(text))).json();
    assertEquals(processes.ok, 3);
    demo.kill("SIGINT");
    assertEquals((await demo.ended()).code, 0);
  });
});

/** Makes sure that somebody listens on the usual port. */
function listenOnUsualPort(): Disposable {
  try {
    return Deno.listen({ hostname: "127.0.0.1", port: 7828 });
  } catch (error) {
    if (!(error instanceof Deno.errors.AddrInUse)) throw error;
    return { [Symbol.dispose]() {} };
  }
}
