import {
  assert,
  assertEquals,
  assertMatch,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { Collector, type HostStats } from "../../collect.ts";
import { idOf, lastValues } from "../helpers/last_values.ts";
import { createHandler, type Handler } from "../../web.ts";
import { answererOf } from "../../web/handler.ts";
import { parseQuery, QueryError } from "../../web/query.ts";
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
} from "../helpers/program.ts";
import { cpuTime } from "../helpers/cpu_time.ts";

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

const counts =
  `"processes": {"ok": 1, "hung": 0, "unknown": 0, "timeout": 0, "invalid": 0, "dead": 0}`;

Deno.test("GET answers with all stats, floats as floats, in one line or in many", () =>
  withDir(async (dir) => {
    await using program = await startProgram(
      `incr("a", 3); set("b", 1.5); incr("b", 0.5); incr("__proto__"); incr('say "hi"');
       await startRecorder(); ${LIVE}`,
      { dir, permissions: leastPermissions(dir) },
    );
    await program.printed("live");
    await withServer(
      createHandler({ pipeDir: dir, deadline: 5000 }),
      async (origin) => {
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
      },
    );
  }));

Deno.test("HEAD answers as GET without a body, and If-None-Match saves it", () =>
  withDir(async (dir) => {
    await using program = await startProgram(
      `incr("a"); await startRecorder(); Deno.addSignalListener("SIGUSR1", () => incr("a")); ${LIVE}`,
      { dir },
    );
    await program.printed("live");
    await withServer(
      createHandler({ pipeDir: dir, deadline: 5000 }),
      async (origin) => {
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
      },
    );
  }));

Deno.test("other paths, methods and formats are answered in JSON", () =>
  withDir(async (dir) => {
    await withServer(
      createHandler({ pipeDir: dir, deadline: 5000, path: "/here" }),
      async (origin) => {
        const table: [string, string, number, unknown, string?][] = [
          ["GET", "/stats", 404, {
            message:
              'Cannot find the path "/stats": there are /here, /processes and /metrics',
          }],
          ["GET", "/here/", 404, {
            message:
              'Cannot find the path "/here/": there are /here, /processes and /metrics',
          }],
          ["POST", "/here", 405, {
            message: "Cannot POST the stats: use GET or HEAD",
          }, "GET, HEAD"],
          ["DELETE", "/here", 405, {
            message: "Cannot DELETE the stats: use GET or HEAD",
          }, "GET, HEAD"],
          ["GET", "/here?format=xml", 400, {
            message:
              'Cannot read the parameters: format must be json, prettyjson or text, got "xml"',
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
    assertMatch(
      (await response.json()).message,
      /^Cannot collect: the directory of the pipes must be readable \(.*ENOTDIR.*\)$/,
    );
  }));

Deno.test("createHandler() refuses a path without a slash", () => {
  assertEquals(
    assertThrows(() => createHandler({ path: "stats" }), TypeError).message,
    'Cannot serve: the path must begin with "/" and have no query, got "stats"',
  );
});

/** A program of each kind of stat, and what it says of them. */
const KINDS = `
  const { describe } = statvent;
  describe("oldest", { help: "Age of the oldest", unit: "seconds", merge: "max" });
  incr("n", 3); incr("n", 2, { code: 200 }); incr("n", 4, { code: 503 }); incr("half", 0.5);
  set("g", 2); set("oldest", Deno.pid % 7 + 1);
  for (let i = -5; i <= 200; i++) record("r.{0}", i / 4);
  for (let i = 1; i <= 20; i++) record("ms.{0}", i, { table: "users" });`;

Deno.test("?format=text is a snapshot that another collector reads from a pipe, and comes to the same", () =>
  withDir(async (dir) => {
    const programs = await Promise.all(
      [KINDS, KINDS, `config.annotations = false; incr("old", 5); incr("n");`]
        .map((text) =>
          startProgram(`${text} await startRecorder(); ${LIVE}`, { dir })
        ),
    );
    await Promise.all(programs.map((program) => program.printed("live")));
    // One of them is only in the ledger.
    const ended = await startProgram(
      `${KINDS} await startRecorder(); Deno.exit();`,
      { dir },
    );
    await ended.ended();
    const handler = createHandler({ pipeDir: dir, deadline: 5000 });
    const response = await handler(
      new Request("http://localhost/stats?format=text"),
    );
    assertEquals(
      response.headers.get("content-type"),
      "text/plain; charset=utf-8",
    );
    const text = new Uint8Array(await response.arrayBuffer());
    assertEquals(response.headers.get("content-length"), `${text.length}`);
    await withDir(async (other) => {
      await Deno.writeFile(`${other}/text`, text);
      const shell = startShell(
        "mkfifo $0/$$.stats; while :; do cat $0/text > $0/$$.stats; sleep 0.02; done",
        other,
      );
      const here = await new Collector({ pipeDir: dir, deadline: 5000 })
        .collect();
      const there = new Collector({ pipeDir: other, deadline: 5000 });
      const copy = await until("the copy", async () => {
        const host = await there.collect();
        return host.processes[0]?.state === "unknown" && host;
      });
      await killShell(shell);
      const plain = (host: HostStats) => ({
        stats: new Map(
          [...host.ids].map((
            id,
            i,
          ) => [
            host.table.names[id],
            [host.values[i], host.fractional[i], host.kinds[i]],
          ]),
        ),
        recorded: new Map(host.recorded.map((stat) => [stat.name, stat])),
        descriptions: new Map(host.descriptions),
      });
      assertEquals(plain(copy), plain(here));
      assertEquals(plain(copy).stats.get("n"), [10, 0, 0]);
      assertEquals(plain(copy).stats.get('n{code="200"}'), [6, 0, 0]);
      assertEquals(plain(copy).stats.get("old"), [5, 0, 2]);
      assertEquals(plain(copy).recorded.size, 2);
    });
    for (const program of programs) await program[Symbol.asyncDispose]();
  }));

Deno.test("parameters choose what is shown, and of which process", () =>
  withDir(async (dir) => {
    const programs = await Promise.all([1, 2].map((n) =>
      startProgram(
        `incr("a.n", ${n}); set("g", ${n}); await startRecorder(); ${LIVE}`,
        { dir },
      )
    ));
    await Promise.all(programs.map((program) => program.printed("live")));
    const handler = createHandler({ pipeDir: dir, deadline: 5000 });
    const get = async (search: string) => {
      const response = await handler(
        new Request(`http://localhost/stats${search}`),
      );
      return { status: response.status, body: await response.json() };
    };
    const stats = async (search: string) => (await get(search)).body.stats;
    const [a, b] = programs.map(({ pid }) => pid);
    assertEquals(await stats("?match=a.*"), { "a.n": 3 });
    assertEquals(await stats("?query=n>5"), {});
    assertEquals(await stats("?query=n>2"), { "a.n": 3 });
    assertEquals(await stats("?aggr=max"), { "a.n": 2, "g": 2 });
    assertEquals(await stats(`?pid=${a}`), { "a.n": 1, "g": 1 });
    assertEquals(await stats("?by=process"), {
      [a]: { "a.n": 1, "g": 1 },
      [b]: { "a.n": 2, "g": 2 },
    });
    assertEquals(await stats("?by=process&query=n>1"), {
      [a]: {},
      [b]: { "a.n": 2 },
    });
    assertEquals(await stats(`?by=process&pid=${b}&match=g`), {
      [b]: { "g": 2 },
    });
    const pretty = await handler(
      new Request("http://localhost/stats?by=process&format=prettyjson"),
    );
    assertEquals(
      (await read(pretty))[0],
      `{
  "stats": {
    "${Math.min(a, b)}": {
      "a.n": ${a < b ? 1 : 2},
      "g": ${a < b ? 1 : 2}
    },
    "${Math.max(a, b)}": {
      "a.n": ${a < b ? 2 : 1},
      "g": ${a < b ? 2 : 1}
    }
  },
  "processes": {"ok": 2, "hung": 0, "unknown": 0, "timeout": 0, "invalid": 0, "dead": 0},
  "timestamp": T
}
`,
    );
    assertEquals(await get("?pid=4194305"), {
      status: 404,
      body: {
        message:
          "Cannot find the process 4194305: it must have a pipe, and have answered",
      },
    });
    assertEquals(await get("?by=host"), {
      status: 400,
      body: {
        message: 'Cannot read the parameters: by must be process, got "host"',
      },
    });
    for (const program of programs) await program[Symbol.asyncDispose]();
  }));

Deno.test("/processes lists the processes, what they say of themselves and how they answer", () =>
  withDir(async (dir) => {
    const program = await startProgram(
      `config.processName = 'my "program"'; incr("n"); await startRecorder(); ${LIVE}`,
      { dir },
    );
    await program.printed("live");
    const handler = createHandler({
      pipeDir: dir,
      deadline: 5000,
      path: "/all/stats",
    });
    const get = async (path = "/all/processes") =>
      await handler(new Request(`http://localhost${path}`));
    const { processes, timestamp, ...figures } = await (await get()).json();
    assertEquals(figures, {
      unbooked: 0,
      killed: 0,
      missed: 0,
      late: 0,
      badLines: 0,
    });
    assert(Math.abs(timestamp - Date.now() / 1000) < 5, timestamp);
    const [{ start, age, stalled, id, usage, ...rest }] = processes;
    assertMatch(id, /^[0-9a-f]{32}$/);
    assertEquals(rest, {
      pid: program.pid,
      name: 'my "program"',
      runtime: `deno ${Deno.version.deno}`,
      state: "ok",
    });
    assert(usage === undefined || usage.memory > 0);
    assert(start < timestamp && start > timestamp - 60, `${start}`);
    assert(age >= 0 && age < 5 && stalled >= 0 && stalled < 1);
    assertEquals((await get("/all/processes?format=json")).status, 400);
    assertEquals((await get("/processes")).status, 404);
    const head = await handler(
      new Request("http://localhost/all/processes", { method: "HEAD" }),
    );
    assertEquals([head.status, await head.text()], [200, ""]);
    program.kill("SIGKILL");
    await program.ended();
    const [dead] = (await (await get()).json()).processes;
    assertEquals([dead.pid, dead.state, dead.error], [
      program.pid,
      "dead",
      "The process no longer exists",
    ]);
    const after = await (await get()).json();
    assertEquals([after.processes, after.killed], [[], 1]);
  }));

Deno.test("every format has an ETag of its own, and HEAD in each", () =>
  withDir(async (dir) => {
    await using program = await startProgram(
      `incr("a"); await startRecorder(); ${LIVE}`,
      { dir },
    );
    await program.printed("live");
    const handler = createHandler({ pipeDir: dir, deadline: 5000 });
    const ask = async (search: string, init: RequestInit = {}) => {
      const request = new Request(`http://localhost/stats${search}`, init);
      const response = await handler(request);
      return { response, text: await response.text() };
    };
    const tags = new Set<string>();
    const searches = [
      "",
      "?format=prettyjson",
      "?format=text",
      "?by=process",
      "?match=b",
    ];
    for (const search of searches) {
      const { response, text } = await ask(search);
      const etag = response.headers.get("etag")!;
      tags.add(etag);
      const head = await ask(search, { method: "HEAD" });
      assertEquals([head.response.status, head.text], [200, ""]);
      assertEquals(head.response.headers.get("etag"), etag);
      const type = head.response.headers.get("content-type");
      assertEquals(type, response.headers.get("content-type"));
      if (search === "?format=text") {
        const length = head.response.headers.get("content-length");
        assertEquals(length, `${text.length}`);
      }
      for (const method of ["GET", "HEAD"]) {
        const headers = { "if-none-match": etag };
        const same = await ask(search, { method, headers });
        assertEquals([same.response.status, same.text], [304, ""], search);
      }
    }
    assertEquals(tags.size, searches.length);
  }));

Deno.test("text that is offered on a pipe counts once, whoever offers it", () =>
  withDir(async (pipeDir) => {
    const handler = createHandler({ pipeDir, deadline: 5000 });
    const text = await (await handler(
      new Request("http://localhost/stats?format=text"),
    )).text();
    assertStringIncludes(text, `"relay":true}: -1\n`);
  }));

Deno.test("parameters that make no sense are refused with a sentence", async () => {
  const query = (text: string) =>
    assertThrows(() => parseQuery(new URLSearchParams(text)), QueryError)
      .message;
  assertEquals(
    query("aggr=max&pid=1"),
    "Cannot read the parameters: aggr cannot be combined with by=process or pid",
  );
  assertEquals(
    query("aggr=max&by=process"),
    "Cannot read the parameters: aggr cannot be combined with by=process or pid",
  );
  const handler = createHandler({ pipeDir: "/nonexistent" });
  const known = {
    "/metrics": "the known ones are by, match and query",
    "/processes": "there are none here",
  };
  for (const [path, what] of Object.entries(known)) {
    const response = await handler(new Request(`http://localhost${path}?x=1`));
    assertEquals(response.status, 400);
    assertEquals(await response.json(), {
      message: `Cannot read the parameters: unknown parameter "x", ${what}`,
    });
  }
});

Deno.test("the path of the stats hides neither the metrics nor the processes", async () => {
  assertEquals(
    assertThrows(() => createHandler({ path: "/a/metrics" }), TypeError)
      .message,
    'Cannot serve: the path of the stats must not be that of the metrics, got "/a/metrics"',
  );
  const flags: [string[], string][] = [
    [
      ["--path", "/metrics"],
      "--path must not end in /processes, /metrics or /healthz",
    ],
    [
      ["--pipe-dir", `${ROOT.pathname}/deno.json`],
      "--pipe-dir must be a directory, got the file",
    ],
  ];
  for (const [args, expected] of flags) {
    const { code, stderr } = await output(
      Deno.execPath(),
      ...["run", "--quiet", "-A", `${ROOT.pathname}/web.ts`, ...args],
    );
    assertEquals(code, 2);
    assertStringIncludes(stderr, expected);
  }
});

Deno.test("a pattern that takes too long for the names that there are is refused with a sentence", () =>
  withDir(async (pipeDir) => {
    const names = Array.from(
      { length: 300 },
      (_, i) => `${i}${"a".repeat(5000)}: 1\n`,
    );
    const file = `${pipeDir}/.ended.${idOf(1)}.1`;
    Deno.writeFileSync(file, lastValues(1, names.join(""), 1, true));
    const handler = createHandler({ pipeDir, deadline: 5000 });
    const url = `http://localhost/stats?match=*${"a".repeat(200)}b`;
    const start = cpuTime();
    const response = await handler(new Request(url));
    const ms = cpuTime() - start;
    assertEquals([response.status, await response.json()], [400, {
      message:
        "Cannot read the parameters: match must take less time with these names; use a shorter one",
    }]);
    assert(ms < 2000, `${ms} ms`);
  }));

Deno.test("every answer forbids to take it for a page", () =>
  withDir(async (dir) => {
    const handler = createHandler({ pipeDir: dir, deadline: 5000 });
    const paths = [
      "/stats",
      "/processes",
      "/metrics",
      "/none",
      "/stats?x=<script>",
    ];
    for (const path of paths) {
      const { headers } = await handler(
        new Request(`http://localhost${path}`),
      );
      assertEquals(headers.get("x-content-type-options"), "nosniff", path);
      assertEquals(
        headers.get("content-security-policy"),
        "default-src 'none'; frame-ancestors 'none'",
      );
      assertEquals(headers.get("cache-control"), "no-cache");
      assert(!headers.get("content-type")!.includes("html"), path);
    }
  }));

Deno.test("no name of a stat gets into a header, or out of its quotes", () =>
  withDir(async (dir) => {
    const name = `<script>alert(1)</script>"}\\{a: 1`;
    await using program = await startProgram(
      `incr(${JSON.stringify(name)}, 7); incr("l", 1, { a: ${
        JSON.stringify(`"}\n</script>\u2028`)
      } }); await startRecorder(); ${LIVE}`,
      { dir },
    );
    await program.printed("live");
    const handler = createHandler({ pipeDir: dir, deadline: 2000 });
    const ask = (path: string) =>
      handler(new Request(`http://localhost${path}`));
    const { stats } = await (await ask("/stats")).json();
    assertEquals(stats[name], 7);
    for (const path of ["/stats", "/stats?format=text", "/metrics"]) {
      const { headers } = await ask(path);
      for (const [, value] of headers) assert(!value.includes("script"), value);
    }
    const metrics = await (await ask("/metrics")).text();
    for (const line of metrics.trimEnd().split("\n")) {
      assert(
        /^(# (HELP|TYPE) |[a-zA-Z_:][\w:]*(\{[^\n]*\})? \S+$)/.test(line),
        line,
      );
    }
  }));

Deno.test("requests that share a read share the bytes of each answer, and a later read has its own", () =>
  withDir(async (dir) => {
    const answerer = answererOf(
      new Collector({ pipeDir: dir, deadline: 5000 }),
      {
        path: "/stats",
      },
    );
    const ask = (path: string, method = "GET") =>
      answerer(new Request(`http://localhost${path}`, { method }));
    const paths = ["/stats", "/stats?format=text", "/processes", "/metrics"];
    const [first, second] = await Promise.all(
      [1, 2].map(() => Promise.all(paths.map((path) => ask(path)))),
    );
    const later = await ask("/stats");
    for (const [i, { body }] of first.entries()) {
      assert(body !== null && body === second[i].body, paths[i]);
    }
    assert(later.body !== first[0].body);
    assertEquals(new Set(first.map(({ body }) => body)).size, paths.length);
    assertEquals((await ask("/stats", "HEAD")).body, null);
  }));

Deno.test("JSON escapes what would act on a terminal, and the text of the pipe does not", () =>
  withDir(async (dir) => {
    const name = "a\u001b[2J\u009b1m\u202egnp";
    await using program = await startProgram(
      `incr(${JSON.stringify(name)}); await startRecorder(); ${LIVE}`,
      { dir },
    );
    await program.printed("live");
    const handler = createHandler({ pipeDir: dir, deadline: 5000 });
    const get = async (path: string) =>
      await (await handler(new Request(`http://localhost${path}`))).text();
    const json = await get("/stats");
    assertStringIncludes(json, '"a\\u001b[2J\\u009b1m\\u202egnp": 1');
    assertEquals(JSON.parse(json).stats, { [name]: 1 });
    assertStringIncludes(await get("/stats?format=text"), `${name}: 1\n`);
    assertStringIncludes(await get("/\u202e"), '/%E2%80%AE\\"');
  }));
