import { assertEquals } from "@std/assert";
import { Collector } from "../collect.ts";
import { formatNumber, parseSnapshot } from "../format.ts";
import {
  cat,
  LIVE,
  namesIn,
  output,
  ROOT,
  startProgram,
  until,
  withDir,
} from "./program.ts";

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
  const { stats, processes } = await new Collector({
    pipeDir: dir,
    deadline: 2000,
  }).collect();
  const lines = [...stats].map(([name, { value, fractional }]) =>
    `${name}: ${formatNumber(value, fractional)}`
  );
  return { lines, processes };
}

const alive = { ok: 1, dead: 0, timeout: 0, invalid: 0 };
const writers: [string, string, string[], string][] = [
  ["writer.sh", "sh", ["input.lines: 2", "input.bytes: 10"], ""],
  [
    "writer.py",
    "python3",
    ["input.lines: 2", "input.bytes: 10", "input.kibibytes: 0.009765625"],
    "# EOF: 60\n",
  ],
];
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
          assertEquals(await cat(writer.path), `${lines.join("\n")}\n${end}`);
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

Deno.test("the snapshots that PIPE_FORMAT.md shows are snapshots", async () => {
  const page = await Deno.readTextFile(new URL("PIPE_FORMAT.md", ROOT));
  const blocks = [...page.matchAll(/```text\n(.*?)```/gs)]
    .map(([, text]) => parseSnapshot(new TextEncoder().encode(text)));
  assertEquals(
    blocks.map(({ stats, windows, annotated }) => ({
      lines: stats.size,
      windows: windows.length,
      annotated,
    })),
    [
      { lines: 3, windows: 0, annotated: false },
      { lines: 4, windows: 1, annotated: true },
    ],
  );
});
