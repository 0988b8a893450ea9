import { assert, assertEquals, assertMatch } from "@std/assert";
import { VERSION } from "../../model/version.ts";
import { inStates } from "../helpers/host.ts";
import {
  LIVE,
  output,
  ROOT,
  startProgram,
  until,
  withDir,
} from "../helpers/program.ts";

const WEB = new URL("web.ts", ROOT).pathname;

const CONFIG = ["--config", new URL("deno.json", ROOT).pathname];

/** Starts the web service and waits until it says where it is. */
async function startWeb(command: string, ...args: string[]) {
  const child = new Deno.Command(Deno.execPath(), {
    args: [command, "--quiet", ...CONFIG, "--allow-all", ...args],
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
    env: { NO_COLOR: "1" },
  }).spawn();
  const stderr = new Response(child.stderr).text();
  let text = "";
  const done = (async () => {
    for await (
      const piece of child.stdout.pipeThrough(new TextDecoderStream())
    ) text += piece;
  })();
  const url = await until("the service", () => /http:\/\/\S+/.exec(text)?.[0]);
  return {
    url,
    async end(signal: Deno.Signal) {
      child.kill(signal);
      const { code, signal: killedBy } = await child.status;
      await done;
      return { code, killedBy, stdout: text, stderr: await stderr };
    },
  };
}

Deno.test("the program serves where its flags say, and ends cleanly on a signal", () =>
  withDir(async (dir) => {
    await using program = await startProgram(
      `incr("a"); await startRecorder(); ${LIVE}`,
      { dir },
    );
    await program.printed("live");
    for (
      const [flags, signal] of [
        [["-p", "0", "-i", "127.0.0.1", "-l", "/all", "-d", dir], "SIGINT"],
        [
          ["--port=0", "--ip=127.0.0.1", "--path=/all", `--pipe-dir=${dir}`],
          "SIGTERM",
        ],
      ] as const
    ) {
      const web = await startWeb("run", WEB, ...flags);
      assertMatch(web.url, /^http:\/\/127\.0\.0\.1:\d+\/all$/);
      const response = await fetch(web.url);
      assertEquals((await response.json()).stats, { a: 1 });
      const end = await web.end(signal);
      assertEquals(end, {
        code: 0,
        killedBy: null,
        stdout: `Serving stats on ${web.url}\nReading 1 program in ${dir}\n`,
        stderr: "",
      });
    }
  }));

Deno.test("deno serve finds the handler, and nothing else listens", () =>
  withDir(async (dir) => {
    await using program = await startProgram(
      `incr("a"); await startRecorder(); ${LIVE}`,
      { dir },
    );
    await program.printed("live");
    Deno.env.set("STATVENT_PIPE_DIR", dir);
    try {
      const web = await startWeb(
        "serve",
        "--port",
        "0",
        "--host",
        "127.0.0.1",
        WEB,
      );
      const response = await fetch(web.url);
      assertEquals((await response.json()).stats, { a: 1 });
      const { stdout } = await web.end("SIGKILL");
      assertEquals(stdout, `Serving stats on ${web.url}\n`);
    } finally {
      Deno.env.delete("STATVENT_PIPE_DIR");
    }
  }));

/** What the program prints and exits with. */
const run = (...args: string[]) =>
  output(
    Deno.execPath(),
    "run",
    "--quiet",
    ...CONFIG,
    "--allow-all",
    WEB,
    ...args,
  );

Deno.test("wrong flags exit with 2 and one line", async () => {
  const table: [string[], string][] = [
    [["--prot", "80"], "unknown flag --prot"],
    [["-x"], "unknown flag -x"],
    [["--\u001b[2J\u202e"], "unknown flag --\\u001b[2J\\u202e"],
    [["--no-port"], "unknown flag --no-port"],
    [["stats"], "unexpected argument stats"],
    [["--", "stats"], "unexpected argument stats"],
    [["--port"], "--port needs a value"],
    [["-d"], "--pipe-dir needs a value"],
    [["--port", "http"], "--port must be a number from 0 to 65535, got http"],
    [["-p", "65536"], "--port must be a number from 0 to 65535, got 65536"],
    [["-p", "1.5"], "--port must be a number from 0 to 65535, got 1.5"],
    [["-l", "stats"], "--path must begin with / and have no ? or #, got stats"],
  ];
  for (const [args, why] of table) {
    assertEquals(await run(...args), {
      code: 2,
      stdout: "",
      stderr: `statvent: ${why}; see --help\n`,
    });
  }
});

Deno.test("--help and --version print and exit", async () => {
  for (const flag of ["-h", "--help"]) {
    const { code, stdout, stderr } = await run(flag);
    assertEquals([code, stderr], [0, ""]);
    for (
      const word of [
        "--port",
        "--ip",
        "--path",
        "--pipe-dir",
        "--help",
        "--version",
        "7828",
        "127.0.0.1",
        "/stats",
        "/tmp/stats-pipe",
      ]
    ) {
      assert(stdout.includes(word), word);
    }
  }
  assertEquals(await run("--version"), {
    code: 0,
    stdout: `statvent ${VERSION}\n`,
    stderr: "",
  });
  const { version } = JSON.parse(
    await Deno.readTextFile(new URL("deno.json", ROOT)),
  );
  assertEquals(VERSION, version);
});

Deno.test("a port or an address that cannot be had is one line and exit code 1", async () => {
  const server = Deno.serve(
    { port: 0, hostname: "127.0.0.1", onListen() {} },
    () => new Response(),
  );
  const { port } = server.addr;
  assertEquals(await run("-p", `${port}`), {
    code: 1,
    stdout: "",
    stderr:
      `statvent: port ${port} on 127.0.0.1 is in use; choose another with --port\n`,
  });
  await server.shutdown();
  const { code, stderr } = await run("-p", "0", "-i", "192.0.2.1");
  assertEquals(code, 1);
  assertMatch(stderr, /^statvent: cannot listen on 192\.0\.2\.1:0: .+\n$/);
});

Deno.test("the program says at its start why it serves nothing", () =>
  withDir(async (dir) => {
    const [foreign, silent, broken] = ["foreign", "silent", "broken"]
      .map((name) => `${dir}/${name}`);
    for (const path of [foreign, silent, broken]) Deno.mkdirSync(path);
    const isRoot = Deno.uid() === 0;
    if (isRoot) Deno.chownSync(foreign, 12345, 12345);
    await output("mkfifo", `${silent}/app.stats`);
    Deno.writeTextFileSync(`${broken}/app.stats`, "");
    for (
      const [pipeDir, why] of [
        [dir, `No programs yet: there is no pipe in ${dir}`],
        [`${dir}/none`, `No programs yet: ${dir}/none does not exist`],
        [
          foreign,
          `No programs yet: there is no pipe in ${foreign}${
            isRoot ? ", which belongs to user 12345, while this is user 0" : ""
          }`,
        ],
        [
          silent,
          `Reading 1 program in ${silent}, of which none answers: It gave no answer in time`,
        ],
        [
          broken,
          `Reading 1 program in ${broken}, of which none answers: It must be a named pipe`,
        ],
      ]
    ) {
      const web = await startWeb("run", WEB, "-p", "0", "-d", pipeDir);
      const { stdout } = await web.end("SIGINT");
      assertEquals(stdout, `Serving stats on ${web.url}\n${why}\n`);
    }
  }));

Deno.test("two services on one host both give the whole answer", () =>
  withDir(async (dir) => {
    await using program = await startProgram(
      `for (let i = 0; i < 1000; i++) incr("a." + i); await startRecorder(); ${LIVE}`,
      { dir },
    );
    await program.printed("live");
    const webs = await Promise.all(
      [1, 2].map(() => startWeb("run", WEB, "-p", "0", "-d", dir)),
    );
    await Promise.all(webs.map(async ({ url }) => {
      for (let i = 0; i < 100; i++) {
        const { stats, processes } = await (await fetch(url)).json();
        assertEquals(processes, inStates({ ok: 1 }));
        assertEquals(Object.keys(stats).length, 1000);
      }
    }));
    for (const web of webs) assertEquals((await web.end("SIGINT")).code, 0);
  }));
