/**
 * Everything that README.md and the pages in docs/ show is run, as it stands there.
 *
 * The package is a copy in which another directory replaces `/tmp/stats-pipe` and a
 * free port replaces 7828, and so they do in what is taken from the documents.
 * Specifiers with `jsr:` find the copy by `links`.
 *
 * @module
 */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { copy, ensureDir } from "@std/fs";
import { dirname } from "@std/path";
import { createSocket } from "node:dgram";
import { packageFiles } from "../../scripts/package_files.ts";
import { inStates } from "../helpers/host.ts";
import { blocks, PAGES, README } from "../helpers/pages.ts";
import {
  freePort,
  leftIn,
  namesIn,
  ROOT,
  until,
  withDir,
} from "../helpers/program.ts";

/** The commands that are not run here, and why. */
const NOT_RUN: Record<string, string> = {
  "npx -y deno@2.9.6 task demo": "demo_test.ts runs the programs of the task",
  "npx -y deno@2.9.6 task test": "it would run this test; .ci/run runs it",
  "npm install statvent": "npm_test.ts installs the tarball",
  "node app.mjs": "npm_test.ts runs it",
  "npx statvent serve": "npm_test.ts runs it",
  "npx statvent forget 'demo.*'": "forget_test.ts runs it",
  "deno task npm": "npm_test.ts builds the package by it",
  "npm install ../statvent/npm": "npm_test.ts installs the tarball of it",
};

/**
 * What the programs of each page print, in order. `undefined`: the program does
 * not end.
 */
const PRINTED: Record<string, (RegExp | undefined)[]> = {
  "README.md": [undefined],
  "docs/recording.md": [
    /^1000\n$/,
    /^0\.25\n$/,
    /^http\.requests\{code="200",method="GET"\}\n$/,
    /^$/,
    /^$/,
    /^cat \S+\/\d+\.stats\n$/,
  ],
  "docs/prometheus.md": [/^$/],
  "docs/web.md": [undefined],
};

/** A command at a terminal, and the output that the page shows below it. */
interface Session {
  readonly command: string;
  readonly output: string;
}

/** A program of a page. */
interface Sample {
  readonly page: string;
  readonly file: string;
  readonly text: string;
  /** What it prints, if it ends. */
  readonly printed: RegExp | undefined;
}

const SAMPLES = PAGES.flatMap((page) =>
  blocks("ts", page).map((text, i): Sample => ({
    page: page.path,
    // The first program of the README has a name there.
    file: page === README
      ? "app.ts"
      : `${page.path.replaceAll(/\W/g, "_")}_${i}.ts`,
    text,
    printed: PRINTED[page.path]?.[i],
  }))
);
const COMMANDS = blocks("sh").flatMap((text) => text.trimEnd().split("\n"));
const SESSIONS = blocks("console").map((text): Session => {
  const [first, ...lines] = text.split("\n");
  return { command: first.replace(/^\$ /, ""), output: lines.join("\n") };
});

/** The only command of the pages that contains a text. */
function commandWith(text: string): string {
  const found = COMMANDS.filter((command) => command.includes(text));
  assertEquals(found.length, 1, `${text}: ${found}`);
  return found[0];
}

/** A place where the programs and commands of the pages can be run. */
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

  /** A text of a page or of the package, as it is here. */
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
      await ensureDir(dirname(target));
      await Deno.writeTextFile(target, this.here(text));
    }
    const { links, ...config } = JSON.parse(
      await Deno.readTextFile(`${root}deno.json`),
    );
    const std = links.map((link: string) => root + link);
    await this.#writeJson("package/deno.json", config);
    await this.#writeJson("app/deno.json", { links: ["../package", ...std] });
    for (const { file, text } of SAMPLES) {
      await Deno.writeTextFile(`${dir}/app/${file}`, this.here(text));
    }
    // A clone, whose own `links` count, and a program next to it.
    await copy(`${dir}/package`, `${dir}/statvent`);
    await Deno.mkdir(`${dir}/neighbor`);
    await this.#writeJson("statvent/deno.json", { ...config, links: std });
    const [, specifier] = /import from\s+`(\S+\.ts)`/.exec(README.text)!;
    await Deno.writeTextFile(
      `${dir}/neighbor/app.ts`,
      this.here(SAMPLES[0].text).replace("jsr:@statvent/statvent", specifier),
    );
  }

  /** Starts a server beside the clone that imports the clone's web door, as the README says. */
  async startNeighbor(): Promise<Deno.ChildProcess> {
    const [, door, config] =
      /imports\s+`(\S+\.ts)`\s+needs the\s+flag\s+`(.*?)`/.exec(README.text)!;
    const sample = SAMPLES.find(({ page }) => page === "docs/web.md")!;
    await Deno.writeTextFile(
      `${this.dir}/neighbor/server.ts`,
      this.here(sample.text).replace("jsr:@statvent/statvent/web", door),
    );
    return this.start(`deno run -A ${config} server.ts`, "neighbor");
  }

  #writeJson(path: string, value: unknown): Promise<void> {
    return Deno.writeTextFile(`${this.dir}/${path}`, JSON.stringify(value));
  }

  /** Starts a command of a page in a shell which it replaces. */
  start(command: string, folder = "app"): Deno.ChildProcess {
    this.ran.add(command);
    const child = new Deno.Command("sh", {
      args: ["-c", `exec ${this.here(command)}`],
      cwd: `${this.dir}/${folder}`,
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

  /** Starts a command of a page that serves, looks at it, and ends it. */
  async serve(
    command: string,
    look: () => Promise<void>,
    folder?: string,
  ): Promise<void> {
    const child = this.start(command, folder);
    try {
      await look();
    } finally {
      await this.kill(child);
    }
  }

  /** Runs Prometheus with the file of the page until it knows the counter. */
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

/** Replaces what differs from run to run by what stands on the pages. */
const sameTime = (text: string) =>
  text.replace(/"timestamp": \d+\.?\d*/, '"timestamp": 1767225600.123')
    .replace(/"timestamp":\d+\.?\d*/, '"timestamp":1767225607.169')
    .replace(/"start":\d+\.?\d*/g, '"start":1767225600.123')
    .replace(/"id":"\w+"/, '"id":"9ebb853ae87238516b0cadd07ef6534a"')
    .replace(/^# seq: \d+$/m, "# seq: 1")
    .replace(/"pid":\d+/, '"pid":4321')
    .replace(/"age":[\d.e-]+/, '"age":0.002')
    .replace(/"stalled":[\d.]+/, '"stalled":0')
    .replace(
      /"usage":\{[^{}]*\{[^{}]*\}\}/,
      '"usage":{"cpu":0.31,"memory":78761984,"virtualMemory":21913948160,"threads":9,"openFiles":36,"maxFiles":20000,"start":1767225600.12,"group":{"memory":92237824,"memoryLimit":536870912,"cpuLimit":2}}',
    )
    .replace(/(# process .*): \d+\.\d+$/m, "$1: 0.002")
    .replace(/deno \d+\.\d+\.\d+/, "deno 2.9.6");

Deno.test("the pages show what runs, and what it prints", async (t) => {
  await withDir(async (dir) => {
    await using place = new Place(dir, freePort());
    await place.prepare();
    const { pipes } = place;
    const runApp = commandWith(" app.ts");
    const prometheus = commandWith("prometheus --");
    const [cat, curlSome, curl, curlProcesses] = SESSIONS;

    await t.step("every program has the types that it needs", async () => {
      for (const { path } of PAGES) {
        const samples = SAMPLES.filter(({ page }) => page === path);
        assertEquals(samples.length, PRINTED[path]?.length ?? 0, path);
      }
      const files = SAMPLES.map(({ file }) => file).join(" ");
      await place.run(`deno check --quiet ${files}`);
    });

    await t.step("cat and the web service show the six lines", async () => {
      assertEquals(SAMPLES[0].text.trimEnd().split("\n").length, 6);
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

      const service = "deno run -A jsr:@statvent/statvent/web";
      assert(COMMANDS.includes(service));
      await place.serve(service, async () => {
        const answer = await place.fetch("/stats?format=prettyjson");
        assertEquals(sameTime(answer), curl.output);
        if (await isInstalled("curl")) {
          const printed = await place.run(curl.command);
          assertEquals(sameTime(printed), curl.output);
          const processes = await place.run(curlProcesses.command);
          assertEquals(sameTime(processes), curlProcesses.output);
          const some = await place.run(curlSome.command);
          assertEquals(sameTime(some), curlSome.output);
        } else {
          place.ran.add(curlSome.command);
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
        assertEquals(stats, {
          "http.requests": 3,
          "db.count.ms": 3,
          "db.sum.ms": 137,
        });
        assertEquals(processes, inStates({ dead: 1 }));
        assertEquals(leftIn(pipes), []);
      });
    });

    await t.step("the other programs print what they say", async () => {
      for (const { file, printed } of SAMPLES) {
        if (printed === undefined) continue;
        const permissions = runApp.replace("app.ts", "--quiet");
        assertMatch(await place.run(`${permissions} ${file}`), printed);
      }
      assertEquals(leftIn(pipes), []);
    });

    await t.step("a server of one's own serves the stats", async () => {
      const { file } = SAMPLES.find(({ page }) => page === "docs/web.md")!;
      await place.serve(`deno run -A ${file}`, async () => {
        assertEquals(await place.fetch("/"), "Hello\n");
        // What the program counted that was killed.
        const { stats } = JSON.parse(await place.fetch("/stats"));
        assertEquals(stats, {
          "http.requests": 3,
          "db.count.ms": 3,
          "db.sum.ms": 137,
        });
      });
    });

    await t.step("a clone runs a program and the web service", async () => {
      const app = place.start(runApp, "neighbor");
      await until(
        "the pipe",
        () => namesIn(pipes).includes(`${app.pid}.stats`),
      );
      await place.serve(commandWith("-A web.ts"), async () => {
        const { stats } = JSON.parse(await place.fetch("/stats"));
        assertEquals(stats["http.requests"], 6);
        await place.kill(app);
        // Reading once more removes the pipe of the killed program.
        await place.fetch("/stats");
      }, "statvent");
    });

    await t.step("a server beside a clone serves the stats", async () => {
      const server = await place.startNeighbor();
      assertEquals(await place.fetch("/"), "Hello\n");
      await place.kill(server);
    });

    const app = place.start(runApp);
    await until("the pipe", () => namesIn(pipes).includes(`${app.pid}.stats`));
    const sinks: [string, () => Promise<string>][] = [
      [commandWith("--graphite"), () => firstOfTcp(place.port(2003), "")],
      [commandWith("--statsd"), () => firstOfUdp(place.port(8125))],
      [
        commandWith("--otlp"),
        () => firstOfTcp(place.port(4318), "HTTP/1.1 200 OK\r\n\r\n{}"),
      ],
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

    for (
      const command of ["--state", " -i ", "deno serve", "/cli serve"]
        .map(commandWith)
    ) {
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
        commands.filter((command) => !place.ran.has(command)).sort(),
        Object.keys(NOT_RUN).sort(),
      );
    });
  });
});

async function isInstalled(command: string): Promise<boolean> {
  const { success } = await new Deno.Command("sh", {
    args: ["-c", 'command -v "$0"', command],
    stdout: "null",
  }).output();
  return success;
}
