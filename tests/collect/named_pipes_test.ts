/**
 * Pipes that are not named after a process id, as the writers of other programs
 * may call them.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import {
  Collector,
  type CollectorOptions,
  type ProcessStatus,
  toMap,
} from "../../collect.ts";
import { createHandler } from "../../web.ts";
import {
  killShell,
  LIVE,
  namesIn,
  output,
  startProgram,
  startShell,
  until,
  withDir,
} from "../helpers/program.ts";
import { withEnd } from "../helpers/text.ts";

/** Serves a text on the pipe `$0` as PIPE_FORMAT.md says, with a gap between two pipes. */
const GAPS = (text: string) =>
  `trap '' PIPE; while mkfifo "$0"; do { printf '${text}'; rm "$0"; } >"$0"; sleep 0.05; done`;

/** Writes to the pipe `$0` again and again, with a pause in between. */
const PAUSES = (text: string) =>
  `trap '' PIPE; mkfifo "$0"; while :; do printf '${text}' >"$0"; sleep 1; done`;

/** Serves a text on a pipe from Python, until it is killed. */
const PYTHON = `
import os, sys
path, text = sys.argv[1:]
while True:
    if not os.path.exists(path): os.mkfifo(path)
    try:
        with open(path, "w") as pipe:
            os.unlink(path)
            pipe.write(text)
    except BrokenPipeError:
        pass
`;

function startPython(path: string, text: string): Deno.ChildProcess {
  const args = ["-c", PYTHON, path, text];
  return new Deno.Command("python3", { args, stdin: "null" }).spawn();
}

/** Reads a directory, by default with more time than a writer may need. */
class Reader {
  readonly #collector: Collector;

  constructor(options: CollectorOptions) {
    this.#collector = new Collector({ deadline: 2_000, ...options });
  }

  /** The values, and the state of the only process. */
  async read(): Promise<
    { values: Record<string, number>; process: ProcessStatus | undefined }
  > {
    const host = await this.#collector.collect();
    const values = Object.fromEntries(
      [...toMap(host)].map(([name, { value }]) => [name, value]),
    );
    return { values, process: host.processes[0] };
  }

  async figures() {
    const { killed, unbooked } = await this.#collector.read();
    return { killed, unbooked };
  }
}

Deno.test("a pipe of any name takes part, also while it is away for a moment", () =>
  withDir(async (dir) => {
    const path = `${dir}/myapp.stats`;
    const writer = startShell(GAPS("hits: 3\\nload:1.5\\n"), path);
    try {
      const reader = new Reader({ pipeDir: dir });
      await until("an answer", async () => {
        const { process } = await reader.read();
        return process?.state === "unknown";
      });
      let away = 0;
      for (let i = 0; i < 100; i++) {
        const { values, process } = await reader.read();
        assertEquals(values, { hits: 3, load: 1.5 });
        if (process === undefined) {
          away++;
          continue;
        }
        const { pid, instance, name } = process;
        assertEquals([pid, instance, name], [undefined, "myapp", "myapp"]);
      }
      console.log(`    ${away} of 100 readings saw no pipe`);
    } finally {
      await killShell(writer);
    }
  }));

Deno.test("a writer without a process id has ended when several looks found nobody; its pipe stays, and it may come back", () =>
  withDir(async (dir) => {
    const path = `${dir}/my app.stats`;
    let writer = startShell(PAUSES("n: 1\\n"), path);
    try {
      const reader = new Reader({ pipeDir: dir });
      const counts = () =>
        until("an answer", async () => {
          const { values, process } = await reader.read();
          return values.n === 1 && process?.state === "unknown";
        });
      await counts();
      // It has a pause of a second after each answer.
      for (let i = 0; i < 10; i++) {
        assertEquals((await reader.read()).values, { n: 1 });
      }
      await killShell(writer);
      const killed = performance.now();
      const dead = await until("the end", async () => {
        const { values, process } = await reader.read();
        if (process!.state !== "dead") assertEquals(values, { n: 1 });
        return process!.state === "dead" && { values, process };
      });
      assert(performance.now() - killed > 4_000);
      assertEquals(dead.values, {});
      assertEquals(dead.process!.name, "my app");
      // Neither a service nor a program that starts removes it.
      await using program = await startProgram(
        `await startRecorder(); ${LIVE}`,
        { dir },
      );
      await program.printed("live");
      await new Promise((resolve) => setTimeout(resolve, 3_500));
      assert(namesIn(dir).includes("my app.stats"));
      program.kill("SIGKILL");
      writer = startShell(`rm "$0"; ${PAUSES("n: 1\\n")}`, path);
      await until("it again", async () => (await reader.read()).values.n === 1);
    } finally {
      await killShell(writer);
    }
  }));

Deno.test("what a writer without a process id has counted stays when it is silent, and counts once when it comes back", () =>
  withDir(async (parent) => {
    const pipeDir = `${parent}/pipes`;
    Deno.mkdirSync(pipeDir);
    const id = "0123456789abcdef".repeat(2);
    const texts: [name: string, text: string][] = [
      ["identified", `a: 5\n# process {"id":"${id}","start":1}: -1\n`],
      ["started", 'a: 5\n# process {"start":1,"name":"me"}: -1\n'],
      ["plain", "a: 5\n# other: 1\n"],
    ];
    for (const [name, text] of texts) {
      const path = `${pipeDir}/${name}.stats`;
      const options = { pipeDir, state: `${parent}/${name}.state` };
      const reader = new Reader(options);
      const write = () => startPython(path, withEnd(text));
      let writer = write();
      const counts = () =>
        until(
          `${name} counts`,
          async () => (await reader.read()).process?.state === "unknown",
        );
      await counts();
      writer.kill("SIGKILL");
      await writer.status;
      await until(
        `the end of ${name}`,
        async () => (await reader.read()).process?.state === "dead",
      );
      // The writer may only pause, and the counter of the killed must not fall
      // when it comes back.
      assertEquals(await reader.figures(), { killed: 0, unbooked: 1 });
      assertEquals((await reader.read()).values, { a: 5 });
      // Nobody else counts it as ended, since it may come back.
      assertEquals(
        namesIn(pipeDir),
        namesIn(pipeDir).filter((file) => file === `${name}.stats`),
      );
      assertEquals((await new Reader(options).read()).values, { a: 5 });
      writer = write();
      await counts();
      assertEquals((await reader.read()).values, { a: 5 });
      assertEquals(await reader.figures(), { killed: 0, unbooked: 0 });
      writer.kill("SIGKILL");
      await writer.status;
      await Deno.remove(path).catch(() => {});
    }
  }));

Deno.test("the web service shows pipes of odd names printable, by each of its ways to choose one", () =>
  withDir(async (dir) => {
    const bases = [
      "007",
      '__proto__ "x"',
      "-1",
      "größe\x1b[2J\u202e",
      "a.stats",
    ];
    const writers = [...bases, ".hidden"].map((base, i) =>
      startPython(`${dir}/${base}.stats`, `n: ${i}\n`)
    );
    try {
      const handler = createHandler({ pipeDir: dir, deadline: 5_000 });
      const text = async (url: string) =>
        await (await handler(new Request(`http://localhost/${url}`))).text();
      await until("all", async () => {
        const { processes } = JSON.parse(await text("stats"));
        return processes.unknown === bases.length;
      });
      await until(
        "the hidden one",
        () => namesIn(dir).includes(".hidden.stats"),
      );
      const { stats } = JSON.parse(await text("stats?by=process"));
      assertEquals(
        new Map(Object.entries(stats)),
        new Map(bases.map((base, n) => [base, { n }])),
      );
      for (const [n, base] of bases.entries()) {
        const answer = await text(`stats?pid=${encodeURIComponent(base)}`);
        assertEquals(JSON.parse(answer).stats, { n });
      }
      for (const url of ["stats?by=process&format=prettyjson", "processes"]) {
        const answer = await text(url);
        JSON.parse(answer);
        // deno-lint-ignore no-control-regex
        assert(!/[\x1b\u202e]/.test(answer), answer);
      }
      const { processes } = JSON.parse(await text("processes"));
      const names = processes.map(({ name }: { name: string }) => name);
      assertEquals(names, [...bases].sort((a, b) => a < b ? -1 : 1));
      assert(!("pid" in processes[0]));
    } finally {
      for (const writer of writers) {
        writer.kill("SIGKILL");
        await writer.status;
      }
    }
  }));

Deno.test("a name that is not UTF-8 does no harm", () =>
  withDir(async (dir) => {
    await output("sh", "-c", `mkfifo "$0/$(printf 'a\\377').stats"`, dir);
    const writer = startPython(`${dir}/good.stats`, "n: 1\n");
    try {
      const reader = new Reader({ pipeDir: dir });
      await until("n", async () => (await reader.read()).values.n === 1);
    } finally {
      writer.kill("SIGKILL");
      await writer.status;
    }
  }));
