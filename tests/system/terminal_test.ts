/**
 * Programs at a terminal, where Deno asks its user for what is not permitted.
 *
 * Needs `script` of util-linux, which makes terminals.
 *
 * @module
 */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { blocks, README } from "../helpers/pages.ts";
import {
  cat,
  freePort,
  hasProgram,
  leastPermissions,
  namesIn,
  ROOT,
  strayIn,
  until,
  withDir,
} from "../helpers/program.ts";

/** A program at a terminal of its own. */
class Terminal implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #reading: Promise<void>;
  #text = "";

  constructor(command: string, env: Record<string, string>) {
    this.#child = new Deno.Command("script", {
      args: ["-qec", `exec ${command}`, "/dev/null"],
      env: { NO_COLOR: "1", ...env },
      stdin: "piped",
      stdout: "piped",
    }).spawn();
    this.#reading = this.#read();
  }

  async #read(): Promise<void> {
    const decoded = this.#child.stdout.pipeThrough(new TextDecoderStream());
    for await (const text of decoded) this.#text += text;
  }

  /** What it shows. */
  get text(): string {
    return this.#text;
  }

  /** Presses Ctrl-C. Returns the exit code. */
  async interrupt(): Promise<number> {
    const writer = this.#child.stdin.getWriter();
    await writer.write(new Uint8Array([3]));
    const code = await until(
      "the end after Ctrl-C",
      () => Promise.race([this.#child.status, undefined]),
    ).then(({ code }) => code, () => -1);
    await writer.close().catch(() => {});
    return code;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.#child.kill("SIGKILL");
    } catch {
      // It has ended.
    }
    await this.#child.status;
    await this.#reading;
  }
}

/** Whether `script` is that of util-linux. */
const hasTerminals = await hasProgram("script", "-qec", "true", "/dev/null");

/** The README's program with a file of its own; `first` are the lines before. */
async function sixLines(dir: string, first: string): Promise<string> {
  const file = `${dir}/app.ts`;
  const [text] = blocks("ts", README);
  await Deno.writeTextFile(
    file,
    text.replace("jsr:@statvent/statvent", new URL("mod.ts", ROOT).href)
      .replace("await start", `${first}\nawait start`),
  );
  return file;
}

const CASES: [name: string, dir: string, flags: string[]][] = [
  ["the README's flags", "new", []],
  ["the README's flags and --no-prompt", "new", ["--no-prompt"]],
  ["a directory that is there", ".", []],
  ["a directory whose parents are missing", "a/b/c", []],
  ["the directory in the environment", "e", ["--allow-env=STATVENT_PIPE_DIR"]],
];

for (const [name, sub, flags] of CASES) {
  Deno.test({
    name: `startRecorder() asks nothing at a terminal with ${name}`,
    ignore: !hasTerminals,
    fn: () =>
      withDir(async (place) => {
        await Deno.mkdir(`${place}/p`);
        const dir = sub === "." ? `${place}/p` : `${place}/p/${sub}`;
        const inEnv = flags.some((flag) => flag.startsWith("--allow-env"));
        const file = await sixLines(
          place,
          inEnv
            ? ""
            : `import { config } from ${
              JSON.stringify(new URL("mod.ts", ROOT).href)
            }; config.pipeDir = ${JSON.stringify(dir)};`,
        );
        const given = blocks("sh", README).join("").match(/--allow\S+/g)!
          .map((flag) => flag.replace("/tmp/stats-pipe", dir));
        assertEquals(given.slice(0, 3), leastPermissions(dir));
        const command = [
          Deno.execPath(),
          "run --quiet --config",
          new URL("deno.json", ROOT).pathname,
          ...given.slice(0, 3),
          ...flags,
          file,
        ].join(" ");
        await using terminal = new Terminal(command, {
          STATVENT_PIPE_DIR: inEnv ? dir : "",
        });
        const pipe = await until(
          `the pipe, or a question: ${terminal.text}`,
          () =>
            terminal.text.includes("requests")
              ? "none"
              : namesIn(dir).find((name) => name.endsWith(".stats")),
        );
        // The pipe is there before the program's first count.
        await until("the count", async () =>
          /^http\.requests: 3$/m.test(await cat(`${dir}/${pipe}`)));
        assertEquals(terminal.text, "");
        // A hang does not keep Ctrl-C from ending the program as it should.
        const code = await terminal.interrupt();
        assertEquals(terminal.text, "^C");
        assertEquals(code, 130);
        assertEquals(strayIn(dir), []);
      }),
  });
}

Deno.test({
  name: "startRecorder() leaves nothing if Ctrl-C comes at a question",
  ignore: !hasTerminals,
  fn: () =>
    withDir(async (place) => {
      const dir = `${place}/p`;
      await Deno.mkdir(dir);
      const file = await sixLines(place, "");
      const [read, write] = leastPermissions(dir);
      await using terminal = new Terminal(
        `${Deno.execPath()} run --quiet --config ${
          new URL("deno.json", ROOT).pathname
        } ${read} ${write} --allow-env=STATVENT_PIPE_DIR ${file}`,
        { STATVENT_PIPE_DIR: dir },
      );
      await until("the question", () => terminal.text.includes("Allow?"));
      assertMatch(terminal.text, /Deno requests run access to "mkfifo"/);
      await terminal.interrupt();
      assertEquals(namesIn(dir), []);
    }),
});

Deno.test({
  name: "the web service asks nothing at a terminal with the least permissions",
  ignore: !hasTerminals,
  fn: () =>
    withDir(async (dir) => {
      const port = freePort();
      const [read, write] = leastPermissions(dir);
      await using terminal = new Terminal(
        `${Deno.execPath()} run --allow-net ${read} ${write} ${
          new URL("web.ts", ROOT).pathname
        } -d ${dir} -p ${port}`,
        {},
      );
      await until(
        "a line",
        () => /Serving|requests/.test(terminal.text),
      );
      await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
      await (await fetch(`http://127.0.0.1:${port}/stats`)).text();
      assert(!terminal.text.includes("requests"), terminal.text);
      assertEquals(await terminal.interrupt(), 0);
    }),
});
