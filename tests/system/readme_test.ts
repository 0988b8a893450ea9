/**
 * Everything that the README shows is run, as it stands there.
 *
 * The package is a copy in which another directory stands for `/tmp/stats-pipe`
 * and a free port for 7828, and so do they in what is taken from the README. What
 * names `jsr:` finds the copy by `links`.
 *
 * @module
 */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { dirname } from "@std/path";
import { createSocket } from "node:dgram";
import { packageFiles } from "../../scripts/package_files.ts";
import { freePort, namesIn, ROOT, until, withDir } from "../helpers/program.ts";

const README = await Deno.readTextFile(new URL("README.md", ROOT));

/** The commands that are not run here, and why. */
const NOT_RUN: Record<string, string> = {
  "npx -y deno@2.9.6 task demo": "demo_test.ts runs what the task runs",
  "npx -y deno@2.9.6 task test": "it would run this test; .ci/run runs it",
  "npm install statvent": "npm_test.ts installs the tarball",
  "node app.mjs": "npm_test.ts runs it",
  "npx statvent serve": "npm_test.ts runs it",
};

/** What the README's programs print, in order. `undefined`: they do not end. */
const PRINTED: (RegExp | undefined)[] = [
  undefined,
  /^1000\n$/,
  /^http\.requests\{code="200",method="GET"\}\n$/,
  /^$/,
  /^$/,
  /^cat \S+\/\d+\.stats\n$/,
  undefined,
];

/** What stands in the README's fences of a language. */
function blocks(language: string): string[] {
  return [...README.matchAll(/^```(.*?)\n(.*?)^```$/gms)]
    .filter((match) => match[1] === language)
    .map((match) => match[2]);
}

/** A command at a terminal, and what is said to be printed. */
interface Session {
  readonly command: string;
  readonly output: string;
}

const PROGRAMS = blocks("ts");

const COMMANDS = blocks("sh").flatMap((text) => text.trimEnd().split("\n"));

const RUN_HERE = COMMANDS.filter((command) => !(command in NOT_RUN));

const SESSIONS = blocks("console").map((text): Session => {
  const [first, ...lines] = text.split("\n");
  return { command: first.replace(/^\$ /, ""), output: lines.join("\n") };
});

/** A place where the README's programs and commands can be run. */
class Place implements AsyncDisposable {
  readonly dir: string;
  readonly pipes: string;
  readonly origin: string;
  readonly ran: Set<string> = new Set();
  readonly #port: number;
  readonly #children: Deno.ChildProcess[] = [];
  /** What stands for the ports of other servers. */
  readonly #sinks: Record<string, number> = {};

  constructor(dir: string, port: number) {
    this.dir = dir;
    this.pipes = `${dir}/stats-pipe`;
    this.origin = `http://127.0.0.1:${port}`;
    this.#port = port;
  }

  /** What stands for the port of another server. */
  port(port: number): number {
    this.here(`127.0.0.1:${port}`);
    return this.#sinks[port];
  }

  /** A text of the README or of the package, as it is here. */
  here(text: string): string {
    return text
      .replaceAll("/tmp/stats-pipe", this.pipes)
      .replaceAll("7828", `${this.#port}`)
      .replaceAll("--state statvent.json", `--state ${this.dir}/state.json`)
      .replace(
        /(?<=127\.0\.0\.1:)(2003|8125|4318|9090)/g,
        (port) => `${this.#sinks[port] ??= freePort()}`,
      );
  }

  async prepare(): Promise<void> {
    const root = ROOT.pathname;
    const { dir } = this;
    for (const name of ["app", "bin", "package"]) {
      await Deno.mkdir(`${dir}/${name}`);
    }
    // What stands on the path may be a small program that starts the real one,
    // and does not pass signals on.
    await Deno.symlink(Deno.execPath(), `${dir}/bin/deno`);
    for (const name of packageFiles(ROOT)) {
      if (!name.endsWith(".ts")) continue;
      const text = await Deno.readTextFile(root + name);
      const target = `${dir}/package/${name}`;
      await Deno.mkdir(dirname(target), { recursive: true });
      await Deno.writeTextFile(target, this.here(text));
    }
    const { links, ...config } = JSON.parse(
      await Deno.readTextFile(`${root}deno.json`),
    );
    await this.#writeJson("package/deno.json", config);
    await this.#writeJson("app/deno.json", {
      links: ["../package", ...links.map((link: string) => root + link)],
    });
    for (const [i, text] of PROGRAMS.entries()) {
      await Deno.writeTextFile(`${dir}/app/${this.file(i)}`, this.here(text));
    }
  }

  #writeJson(path: string, value: unknown): Promise<void> {
    return Deno.writeTextFile(`${this.dir}/${path}`, JSON.stringify(value));
  }

  /** The file of the program with this number. The first has a name in the README. */
  file(i: number): string {
    return i === 0 ? "app.ts" : `program_${i}.ts`;
  }

  /** Starts a command of the README in a shell which it replaces. */
  start(command: string): Deno.ChildProcess {
    this.ran.add(command);
    const child = new Deno.Command("sh", {
      args: ["-c", `exec ${this.here(command)}`],
      cwd: `${this.dir}/app`,
      env: {
        PATH: `${this.dir}/bin:${Deno.env.get("PATH")}`,
        STATVENT_PIPE_DIR: this.pipes,
        NO_COLOR: "1",
      },
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    this.#children.push(child);
    return child;
  }

  /** Runs a command to its end. Returns what it prints. */
  async run(command: string): Promise<string> {
    const { code, stdout, stderr } = await this.start(command).output();
    const decoder = new TextDecoder();
    assertEquals(code, 0, `${command}\n${decoder.decode(stderr)}`);
    return decoder.decode(stdout);
  }

  /** What the web service answers, as soon as one listens. */
  fetch(path: string): Promise<string> {
    return until(`an answer for ${path}`, async () => {
      try {
        return await (await fetch(this.origin + path)).text();
      } catch {
        return undefined;
      }
    });
  }

  /** Starts a command of the README that serves, looks at it, and ends it. */
  async serve(command: string, look: () => Promise<void>): Promise<void> {
    const child = this.start(command);
    await look();
    await this.kill(child);
  }

  /** Runs Prometheus as the README has it until it knows the counter. */
  async scrape(command: string): Promise<void> {
    const [config] = blocks("yaml");
    await Deno.writeTextFile(
      `${this.dir}/app/prometheus.yml`,
      this.here(config),
    );
    const child = this.start(command);
    const url = `http://127.0.0.1:${
      this.port(9090)
    }/api/v1/query?query=http_requests_total`;
    await until("a sample", async () => {
      try {
        const { data } = await (await fetch(url)).json();
        return data.result[0]?.value[1] === "3";
      } catch {
        return false;
      }
    });
    await this.kill(child);
  }

  async kill(child: Deno.ChildProcess): Promise<void> {
    try {
      child.kill("SIGKILL");
    } catch {
      // It has ended.
    }
    await child.status;
    for (const stream of [child.stdout, child.stderr]) {
      if (!stream.locked) await stream.cancel();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const child of this.#children) await this.kill(child);
  }
}

const LEDGER = /^\.ledger\.\d+$/;

const END = "# EOF: <bytes>";

/** The first that comes over TCP. */
async function firstOfTcp(port: number, answer: string): Promise<string> {
  using listener = Deno.listen({ hostname: "127.0.0.1", port });
  using connection = await listener.accept();
  const bytes = new Uint8Array(65_536);
  const length = await connection.read(bytes);
  await connection.write(new TextEncoder().encode(answer));
  return new TextDecoder().decode(bytes.subarray(0, length ?? 0));
}

/** The first datagram. */
function firstOfUdp(port: number): Promise<string> {
  const socket = createSocket("udp4");
  return new Promise((resolve) => {
    socket.on("message", (data) => {
      socket.close();
      resolve(`${data}`);
    });
    socket.bind(port, "127.0.0.1");
  });
}

/** Puts what differs from run to run as it stands in the README. */
const sameTime = (text: string) =>
  text.replace(/"timestamp": \d+\.?\d*/, '"timestamp": 1767225600.123')
    .replace(/"timestamp":\d+\.?\d*/, '"timestamp":1767225607.169')
    .replace(/"start":\d+\.?\d*/g, '"start":1767225600.123')
    .replace(/"pid":\d+/, '"pid":4321')
    .replace(/"age":[\d.e-]+/, '"age":0.002')
    .replace(/"stalled":[\d.]+/, '"stalled":7.041')
    .replace(/(# process .*): \d+\.\d+$/m, "$1: 0.002")
    .replace(/deno \d+\.\d+\.\d+/, "deno 2.9.6");

Deno.test("README.md shows what runs, and what it prints", async (t) => {
  await withDir(async (dir) => {
    await using place = new Place(dir, freePort());
    await place.prepare();
    const { pipes } = place;
    const [
      runApp,
      webService,
      withState,
      prometheus,
      graphite,
      statsd,
      otlp,
      webEverywhere,
      denoServe,
    ] = RUN_HERE;
    const [cat, curl, curlProcesses] = SESSIONS;

    await t.step("every program has the types that it needs", async () => {
      assertEquals(PROGRAMS.length, PRINTED.length);
      await place.run(
        `deno check --quiet ${PROGRAMS.map((_, i) => place.file(i)).join(" ")}`,
      );
    });

    await t.step("cat and the web service show the six lines", async () => {
      assertEquals(PROGRAMS[0].trimEnd().split("\n").length, 6);
      const app = place.start(runApp);
      const pipe = `${app.pid}.stats`;
      await until("the pipe", () => namesIn(pipes).includes(pipe));
      await until("the last of the six lines", async () => {
        const text = await Deno.readTextFile(`${pipes}/${pipe}`);
        return text.includes("[12,15,110]");
      });
      assertEquals(
        sameTime(await place.run(cat.command)).replace(/# EOF: \d+/, END),
        cat.output.replace(/# EOF: \d+/, END),
      );
      const before = cat.output.slice(0, cat.output.indexOf("# EOF"));
      assertMatch(
        cat.output,
        new RegExp(`# EOF: ${new TextEncoder().encode(before).length}\n$`),
      );

      await place.serve(webService, async () => {
        const answer = await place.fetch("/stats?format=prettyjson");
        assertEquals(sameTime(answer), curl.output);
        if (await isInstalled("curl")) {
          const printed = await place.run(curl.command);
          assertEquals(sameTime(printed), curl.output);
          const processes = await place.run(curlProcesses.command);
          assertEquals(sameTime(processes), curlProcesses.output);
        } else {
          place.ran.add(curl.command);
          place.ran.add(curlProcesses.command);
        }
        if (await isInstalled("prometheus")) {
          await place.scrape(prometheus);
        } else {
          console.log("skipped: there is no prometheus");
          place.ran.add(prometheus);
        }

        await place.kill(app);
        assert(namesIn(pipes).includes(pipe));
        const { stats, processes } = JSON.parse(await place.fetch("/stats"));
        // The gauge has gone with its process, and so have the percentiles.
        assertEquals(stats, { "http.requests": 3 });
        assertEquals(processes, { ok: 0, dead: 1, timeout: 0, invalid: 0 });
        assertEquals(namesIn(pipes).filter((name) => !LEDGER.test(name)), []);
      });
    });

    await t.step("the other programs print what they say", async () => {
      for (const [i, printed] of PRINTED.entries()) {
        if (printed === undefined) continue;
        const permissions = runApp.replace("app.ts", "--quiet");
        assertMatch(
          await place.run(`${permissions} ${place.file(i)}`),
          printed,
        );
      }
      assertEquals(namesIn(pipes).filter((name) => !LEDGER.test(name)), []);
    });

    await t.step("a server of one's own serves the stats", async () => {
      const i = PROGRAMS.length - 1;
      await place.serve(`deno run -A ${place.file(i)}`, async () => {
        assertEquals(await place.fetch("/"), "Hello\n");
        assertEquals(JSON.parse(await place.fetch("/stats")).stats, {});
      });
    });

    const app = place.start(runApp);
    await until("the pipe", () => namesIn(pipes).includes(`${app.pid}.stats`));
    const sinks: [string, () => Promise<string>][] = [
      [graphite, () => firstOfTcp(place.port(2003), "")],
      [statsd, () => firstOfUdp(place.port(8125))],
      [otlp, () => firstOfTcp(place.port(4318), "HTTP/1.1 200 OK\r\n\r\n{}")],
    ];
    for (const [command, first] of sinks) {
      await t.step(command, async () => {
        let text: string | undefined;
        first().then((first) => text = first);
        const service = place.start(command);
        await until(
          "the stats",
          async () => (await place.fetch("/stats")).includes("queue.size"),
        );
        // It pushes once more at its end.
        service.kill("SIGINT");
        assertMatch(
          await until("what is pushed", () => text),
          /queue\.size|POST \/v1\/metrics/,
        );
        await service.status;
      });
    }
    await place.kill(app);

    for (const command of [withState, webEverywhere, denoServe]) {
      await t.step(command, async () => {
        await place.serve(command, async () => {
          assertEquals(
            typeof JSON.parse(await place.fetch("/stats")).stats,
            "object",
          );
        });
      });
    }

    await t.step("there is no other command", () => {
      const commands = [...COMMANDS, ...SESSIONS.map(({ command }) => command)];
      assertEquals(
        commands.filter((command) => !place.ran.has(command)),
        Object.keys(NOT_RUN),
      );
    });
  });
});

Deno.test("README.md names the permissions that it runs with", () => {
  const [permissions] = blocks("");
  assertEquals(RUN_HERE[0], `deno run ${permissions.trimEnd()} app.ts`);
});

Deno.test("README.md links to what is there", async () => {
  const links = [...README.matchAll(/\]\((?!https?:|#)([^)]+)\)/g)];
  assert(links.length > 0);
  for (const [, path] of links) await Deno.stat(new URL(path, ROOT));
});

async function isInstalled(command: string): Promise<boolean> {
  const { success } = await new Deno.Command("sh", {
    args: ["-c", 'command -v "$0"', command],
    stdout: "null",
  }).output();
  return success;
}
