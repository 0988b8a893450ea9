import { assert, assertEquals, assertMatch, assertThrows } from "@std/assert";
import { createHandler, type Handler } from "../web.ts";
import {
  killShell,
  leastPermissions,
  LIVE,
  output,
  ROOT,
  startProgram,
  startShell,
  until,
  withDir,
} from "./program.ts";
import { VERSION } from "../version.ts";

/** Serves a handler on a real socket. */
async function withServer(
  handler: Handler,
  action: (origin: string) => Promise<void>,
): Promise<void> {
  const server = Deno.serve(
    { port: 0, hostname: "127.0.0.1", onListen() {} },
    handler,
  );
  try {
    await action(`http://127.0.0.1:${server.addr.port}`);
  } finally {
    await server.shutdown();
  }
}

/** The answer's text with the timestamp taken out, and the timestamp. */
async function read(response: Response): Promise<[string, number]> {
  const text = await response.text();
  const match = /"timestamp": ([\d.]+)/.exec(text);
  return [text.replace(match![1], "T"), Number(match![1])];
}

const counts = `"processes": {"ok": 1, "dead": 0, "timeout": 0, "invalid": 0}`;

Deno.test("GET answers with all stats, floats as floats, in one line or in many", () =>
  withDir(async (dir) => {
    await using program = await startProgram(
      `incr("a", 3); set("b", 1.5); incr("b", 0.5); incr("__proto__"); incr('say "hi"');
       await startRecorder(); ${LIVE}`,
      { dir, permissions: leastPermissions(dir) },
    );
    await program.printed("live");
    await withServer(createHandler({ pipeDir: dir }), async (origin) => {
      const before = Date.now() / 1000;
      const response = await fetch(`${origin}/stats`);
      assertEquals(response.status, 200);
      assertEquals(response.headers.get("content-type"), "application/json");
      const [text, timestamp] = await read(response);
      assertEquals(
        text,
        `{"stats": {"a": 3, "b": 2.0, "__proto__": 1, "say \\"hi\\"": 1}, ${counts}, "timestamp": T}\n`,
      );
      assert(timestamp >= before && timestamp <= Date.now() / 1000);
      const [json] = await read(await fetch(`${origin}/stats?format=json`));
      assertEquals(json, text);
      const [pretty] = await read(
        await fetch(`${origin}/stats?format=prettyjson`),
      );
      assertEquals(
        pretty,
        `{
  "stats": {
    "a": 3,
    "b": 2.0,
    "__proto__": 1,
    "say \\"hi\\"": 1
  },
  ${counts},
  "timestamp": T
}
`,
      );
    });
  }));

Deno.test("HEAD answers as GET without a body, and If-None-Match saves it", () =>
  withDir(async (dir) => {
    await using program = await startProgram(
      `incr("a"); await startRecorder(); Deno.addSignalListener("SIGUSR1", () => incr("a")); ${LIVE}`,
      { dir },
    );
    await program.printed("live");
    await withServer(createHandler({ pipeDir: dir }), async (origin) => {
      const get = await fetch(`${origin}/stats`);
      await get.body?.cancel();
      const etag = get.headers.get("etag")!;
      assertMatch(etag, /^W\/"[^"]+"$/);
      const head = await fetch(`${origin}/stats`, { method: "HEAD" });
      assertEquals([head.status, await head.text()], [200, ""]);
      assertEquals(head.headers.get("etag"), etag);
      assert(Number(head.headers.get("content-length")) > 80);
      const conditional = () =>
        fetch(`${origin}/stats`, { headers: { "if-none-match": etag } });
      const same = await conditional();
      assertEquals([same.status, await same.text()], [304, ""]);
      assertEquals(same.headers.get("etag"), etag);
      const pretty = await fetch(`${origin}/stats?format=prettyjson`, {
        headers: { "if-none-match": etag },
      });
      await pretty.body?.cancel();
      assertEquals(pretty.status, 200);
      program.kill("SIGUSR1");
      await until("a new tag", async () => {
        const response = await conditional();
        await response.body?.cancel();
        return response.status === 200;
      });
    });
  }));

Deno.test("other paths, methods and formats are answered in JSON", () =>
  withDir(async (dir) => {
    await withServer(
      createHandler({ pipeDir: dir, path: "/here" }),
      async (origin) => {
        const table: [string, string, number, unknown, string?][] = [
          ["GET", "/stats", 404, {
            message: "The requested resource was not found",
            path: "/stats",
          }],
          ["GET", "/", 404, {
            message: "The requested resource was not found",
            path: "/",
          }],
          ["POST", "/here", 405, {
            message: "Cannot POST the stats: use GET or HEAD",
          }, "GET, HEAD"],
          ["DELETE", "/here", 405, {
            message: "Cannot DELETE the stats: use GET or HEAD",
          }, "GET, HEAD"],
          ["GET", "/here?format=xml", 400, {
            message:
              'Cannot take format: it must be json, prettyjson or text, got "xml"',
          }],
        ];
        for (const [method, path, status, body, allow] of table) {
          const response = await fetch(origin + path, { method });
          assertEquals(
            response.headers.get("content-type"),
            "application/json",
          );
          assertEquals(response.headers.get("allow"), allow ?? null);
          assertEquals([response.status, await response.json()], [
            status,
            body,
          ]);
        }
        const ok = await fetch(`${origin}/here`);
        assertEquals((await ok.json()).stats, {});
      },
    );
  }));

Deno.test("requests that come while the pipes are being read share what is read", () =>
  withDir(async (dir) => {
    // A writer of statvent 1.0 that counts how often it is read.
    const writer = startShell(
      `n=0; while :; do mkfifo $0/$$.stats; n=$((n+1)); { sleep 0.1; echo "reads: $n"; } > $0/$$.stats; rm $0/$$.stats; done`,
      dir,
    );
    const handler = createHandler({ pipeDir: dir, deadline: 5000 });
    await until("the writer", () => [...Deno.readDirSync(dir)].length === 1);
    const answers = await Promise.all(
      Array.from(
        { length: 20 },
        async () =>
          (await (await handler(new Request("http://localhost/stats"))).json())
            .stats.reads,
      ),
    );
    assertEquals(answers, Array(20).fill(1));
    await killShell(writer);
  }));

Deno.test("a directory that cannot be read is an error 500 that says why", () =>
  withDir(async (dir) => {
    await Deno.writeTextFile(`${dir}/file`, "");
    const response = await createHandler({ pipeDir: `${dir}/file` })(
      new Request("http://localhost/stats"),
    );
    assertEquals(response.status, 500);
    assertMatch((await response.json()).message, /ENOTDIR/);
  }));

Deno.test("createHandler() refuses a path without a slash", () => {
  assertEquals(
    assertThrows(() => createHandler({ path: "stats" }), TypeError).message,
    'Cannot serve: the path must begin with "/" and have no query, got "stats"',
  );
});

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
        stdout: `Serving stats on ${web.url}\n`,
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
        assertEquals(processes, { ok: 1, dead: 0, timeout: 0, invalid: 0 });
        assertEquals(Object.keys(stats).length, 1000);
      }
    }));
    for (const web of webs) assertEquals((await web.end("SIGINT")).code, 0);
  }));
