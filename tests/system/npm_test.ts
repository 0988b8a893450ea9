/**
 * The npm package: the tarball that would be published, installed by npm into
 * an empty project, on every runtime that it is for.
 */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { blocks, read as readPage } from "../helpers/pages.ts";
import {
  freePort,
  killShell,
  leftIn,
  namesIn,
  output,
  ROOT,
  startShell,
  until,
} from "../helpers/program.ts";
import { checkPreloads } from "../helpers/preloads.ts";
import { body } from "../helpers/text.ts";

const root = ROOT.pathname;

const npm = `${root}/npm`;

/** Runs a command, and fails with what it printed if it fails. */
async function run(cwd: string, command: string, ...args: string[]) {
  const { success, stdout, stderr } = await new Deno.Command(command, {
    cwd,
    args,
    stdin: "null",
    env: { NO_COLOR: "1" },
  }).output();
  const text = new TextDecoder().decode(stdout);
  assert(
    success,
    `${command} ${args.join(" ")}:\n${text}${new TextDecoder().decode(stderr)}`,
  );
  return text;
}

/** Whether a command is there. */
const has = async (command: string) =>
  (await output("sh", "-c", `command -v ${command}`)).code === 0;

const install = (dir: string, ...packages: string[]) =>
  run(
    dir,
    "npm",
    ...["install", "--no-audit", "--no-fund", "--ignore-scripts"],
    ...packages,
  );

/** An empty folder with what `npm init -y` makes. */
async function emptyProject(): Promise<string> {
  const dir = await Deno.makeTempDir({ prefix: "statvent-npm-" });
  await run(dir, "npm", "init", "--yes");
  return dir;
}

/** Runs the server of docs/web.md for Node. */
async function serveByNode(project: string, pipes: string): Promise<void> {
  const [text] = blocks("js", readPage("docs/web.md"));
  const port = freePort();
  await Deno.writeTextFile(
    `${project}/server.mjs`,
    text.replace("7828", `${port}`),
  );
  const server = new Deno.Command("node", {
    cwd: project,
    args: ["server.mjs"],
    env: { STATVENT_PIPE_DIR: pipes },
  }).spawn();
  const ask = async (path: string, options?: RequestInit) => {
    const answer = await fetch(`http://127.0.0.1:${port}${path}`, options);
    return [answer.status, await answer.text()] as const;
  };
  const hello = await until("the server", () => ask("/").catch(() => {}));
  assertEquals(hello, [200, "Hello\n"]);
  const [status, stats] = await ask("/stats");
  assertEquals([status, JSON.parse(stats).stats["http.requests"]], [200, 3]);
  assertEquals((await ask("/stats", { method: "POST" }))[0], 405);
  assertEquals((await ask("/nothing"))[0], 404);
  // No request that a client may send ends the server.
  using connection = await Deno.connect({ hostname: "127.0.0.1", port });
  await connection.write(
    new TextEncoder().encode("GET /stats HTTP/1.1\r\nHost: a b\r\n\r\n"),
  );
  const bytes = new Uint8Array(12);
  await connection.read(bytes);
  assertEquals(new TextDecoder().decode(bytes), "HTTP/1.1 400");
  server.kill("SIGKILL");
  await server.status;
}

const ignore = !await has("npm");

if (ignore) console.log("skipped: the npm package, because there is no npm");

// The runtimes come as programs inside packages of npm, one for each system.
const { os, arch } = Deno.build;

const system = `${os === "darwin" ? "darwin" : "linux"}-${
  arch === "aarch64" ? "arm64" : "x64"
}`;

const nodePackage = `node-${system}`;

const bunPackage = `@oven/bun-${system.replace("arm64", "aarch64")}`;

const runtimes: [string, string, string][] = [
  ["Node 20", `${nodePackage}@20`, `${nodePackage}/bin/node`],
  ["Node 22", `${nodePackage}@22`, `${nodePackage}/bin/node`],
  ["Node 24", `${nodePackage}@24`, `${nodePackage}/bin/node`],
  ["Node 26", `${nodePackage}@26`, `${nodePackage}/bin/node`],
  ["Bun", bunPackage, `${bunPackage}/bin/bun`],
];

Deno.test({ name: "the npm package", ignore }, async (t) => {
  await run(root, Deno.execPath(), "task", "--quiet", "npm");
  const project = await emptyProject();
  const places = [project];
  const [{ filename, size }] = JSON.parse(
    await run(npm, "npm", "pack", "--json", "--pack-destination", project),
  );
  const tarball = `${project}/${filename}`;
  await install(project, tarball);
  const installed = `${project}/node_modules/statvent`;
  const manifest = JSON.parse(
    await Deno.readTextFile(`${installed}/package.json`),
  );
  const config = JSON.parse(await Deno.readTextFile(`${root}/deno.json`));

  await t.step(
    "has the exports, the version and the license of deno.json, and nothing to install",
    () => {
      assertEquals(
        manifest.exports,
        Object.fromEntries(
          Object.entries<string>(config.exports).map(([name, path]) => [name, {
            types: path.replace(".ts", ".d.ts"),
            default: path.replace(".ts", ".js"),
          }]),
        ),
      );
      assertEquals(
        [manifest.version, manifest.license, manifest.bin],
        [config.version, config.license, { statvent: "./cli.js" }],
      );
      for (
        const key of [
          "dependencies",
          "peerDependencies",
          "optionalDependencies",
          "scripts",
        ]
      ) {
        assertEquals(manifest[key], undefined);
      }
      // With a bundle twice, or with sources, it would be larger.
      assert(size < 260_000, `${size} bytes`);
      for (const { name } of Deno.readDirSync(installed)) {
        if (!/\.[jt]s$/.test(name)) continue;
        const text = Deno.readTextFileSync(`${installed}/${name}`);
        assertEquals(
          /^(import|export)[^;]*from\s*"(?!\.|node:)/m.test(text),
          false,
          name,
        );
      }
    },
  );

  for (const [name, specifier, path] of runtimes) {
    await t.step(`keeps its promises on ${name}`, async () => {
      const dir = await emptyProject();
      places.push(dir);
      try {
        await install(dir, tarball, specifier);
      } catch (error) {
        console.log(
          `skipped: ${name}, because npm could not install it: ${
            (error as Error).message
          }`,
        );
        return;
      }
      const runtime = `${dir}/node_modules/${path}`;
      await conforms(dir, runtime, [runtime], [
        runtime,
        "node_modules/statvent/cli.js",
        "serve",
      ]);
      await checkPreloads(runtime, `${dir}/node_modules/statvent/mod.js`);
    });
  }

  await t.step(
    "npx statvent prints help, serves, and refuses other commands",
    async () => {
      for (const args of [[], ["--help"]]) {
        assertMatch(
          await run(project, "npx", "statvent", ...args),
          /^Stats of all programs on this host.*\n.*npx statvent COMMAND/s,
        );
      }
      assertEquals(
        await run(project, "npx", "statvent", "--version"),
        `statvent ${config.version}\n`,
      );
      assertMatch(
        await run(project, "npx", "statvent", "serve", "--help"),
        /Usage: npx statvent serve \[flags\]/,
      );
      const { code, stderr } = await new Deno.Command("npx", {
        cwd: project,
        args: ["statvent", "sevre"],
      }).output();
      assertEquals([
        code,
        new TextDecoder().decode(stderr).trim().split("\n").at(-1),
      ], [2, "statvent: unknown command sevre; see --help"]);
    },
  );

  await t.step(
    "the README's lines for Node are what its cat and npx statvent serve show",
    async () => {
      const readme = await Deno.readTextFile(`${root}/README.md`);
      await Deno.writeTextFile(
        `${project}/app.mjs`,
        /```js\n(.*?)```/s.exec(readme)![1],
      );
      const pipes = `${project}/pipes`;
      const app = new Deno.Command("node", {
        cwd: project,
        args: ["app.mjs"],
        env: { STATVENT_PIPE_DIR: pipes },
      }).spawn();
      const pipe = `${app.pid}.stats`;
      await until("the pipe", () => namesIn(pipes).includes(pipe));
      const text = await until("the last line", async () => {
        const { stdout } = await output(
          "timeout",
          "5",
          "cat",
          `${pipes}/${pipe}`,
        );
        return stdout.includes("[12,15,110]") && stdout;
      });
      assertEquals(body(text), body(/\$ cat .*?\n(.*?)```/s.exec(readme)![1]));
      const service = startShell(
        'cd "$0" && STATVENT_PIPE_DIR="$0/pipes" npx statvent serve --port 0 > printed',
        project,
      );
      const url = await until("the service", async () => {
        const { stdout } = await output("cat", `${project}/printed`);
        return /http:\S+/.exec(stdout)?.[0];
      });
      const { stats } = await (await fetch(url)).json();
      assertEquals(stats["http.requests"], 3);
      await killShell(service);
      await serveByNode(project, pipes);
      app.kill("SIGKILL");
      await app.status;
    },
  );

  await t.step(
    "its types are accepted by TypeScript's strict mode",
    async () => {
      await install(project, "typescript", "@types/node");
      await Deno.writeTextFile(
        `${project}/types.mts`,
        `
import { type Counter, counter, config, getAll, incr, record, type Recorder, startRecorder } from "statvent";
import { Collector, type HostStats } from "statvent/collect";
import { parseSnapshot } from "statvent/format";
import { percentile } from "statvent/percentile";
import { type Push, startPush } from "statvent/push";
import { startRecorder as startThread } from "statvent/recorder";
import { createHandler, type Handler } from "statvent/web";
const a: Counter = counter("a");
a.incr(); incr("b", 2); record("c.{0}", 1, (name, label) => name + label);
config.percentiles = [[50, "median"]];
const all: Record<string, number> = getAll();
const recorder: Promise<Recorder> = startRecorder === startThread ? startRecorder() : startThread();
const stats: Promise<HostStats> = new Collector({ deadline: 100 }).collect();
const handler: Handler = createHandler({ path: "/s" });
const p: number = percentile([1, 2], 50);
const push: Push = startPush({ collect: () => stats, targets: [{ protocol: "otlp", url: "http://h/" }] });
parseSnapshot(new Uint8Array());
// @ts-expect-error: a name is a string
incr(5);
export { all, handler, p, push, recorder, stats };
`,
      );
      for (const resolution of [["node16", "node16"], ["bundler", "esnext"]]) {
        await run(
          project,
          "npx",
          ...[
            "tsc",
            "--strict",
            "--noEmit",
            "--target",
            "es2022",
            "--lib",
            "es2024,esnext.disposable,dom",
          ],
          ...[
            "--moduleResolution",
            resolution[0],
            "--module",
            resolution[1],
            "types.mts",
          ],
        );
      }
    },
  );

  await t.step(
    "its types are accepted with the libraries of es2022 alone, without those of Node",
    async () => {
      await Deno.writeTextFile(
        `${project}/doors.mts`,
        Object.keys(config.exports).map((name, i) =>
          `import * as door${i} from "${
            name.replace(".", "statvent")
          }";\nexport { door${i} };\n`
        ).join("") +
          `await using recorder = await door0.startRecorder();\nawait recorder.stop();\n`,
      );
      await Deno.writeTextFile(
        `${project}/tsconfig.json`,
        JSON.stringify({
          compilerOptions: {
            ...{ target: "es2022", module: "nodenext", types: [] },
            ...{ strict: true, noEmit: true, skipLibCheck: false },
          },
          files: ["doors.mts"],
        }),
      );
      await run(project, "npx", "tsc", "--project", ".");
    },
  );

  await t.step(
    "survives being bundled into one file and run from another folder",
    async () => {
      await install(project, "esbuild");
      await Deno.writeTextFile(
        `${project}/app.mjs`,
        `
import { config, incr, startRecorder } from "statvent";
config.pipeDir = process.argv[2]; incr("a"); await startRecorder();
console.log("live"); setInterval(() => {}, 1e6);`,
      );
      const elsewhere = await Deno.makeTempDir({ prefix: "statvent-npm-" });
      places.push(elsewhere);
      await run(
        project,
        "npx",
        "esbuild",
        "app.mjs",
        "--bundle",
        "--minify",
        "--platform=node",
        "--format=esm",
        `--outfile=${elsewhere}/app.mjs`,
      );
      const child = new Deno.Command("node", {
        cwd: elsewhere,
        args: ["app.mjs", `${elsewhere}/pipes`],
      }).spawn();
      const pipe = `${child.pid}.stats`;
      await until(
        "the pipe",
        () => namesIn(`${elsewhere}/pipes`).includes(pipe),
      );
      assertEquals(
        body(
          (await output("timeout", "5", "cat", `${elsewhere}/pipes/${pipe}`))
            .stdout,
        ),
        "a: 1\n",
      );
      child.kill("SIGKILL");
      await child.status;
    },
  );

  for (
    const [name, packages, command] of [
      ["node --test", [], ["node", "--test", "counts.test.mjs"]],
      ["vitest", ["vitest@3"], [
        "npx",
        "vitest",
        "run",
        "--dir",
        ".",
        "counts.test.mjs",
      ]],
      ["vitest in threads", ["vitest@3"], [
        "npx",
        "vitest",
        "run",
        "--pool=threads",
        "counts.test.mjs",
      ]],
    ] as const
  ) {
    await t.step(
      `a ${name} run that starts the recorder ends and leaves no pipe`,
      async () => {
        const dir = await emptyProject();
        places.push(dir);
        await install(dir, tarball, ...packages);
        // Vitest kills its processes, so nothing can be done at their end.
        const framework = packages.length > 0 ? "vitest" : "node:test";
        await Deno.writeTextFile(
          `${dir}/counts.test.mjs`,
          `
import { test } from "${framework}";
import { config, getAll, incr, startRecorder } from "statvent";
config.pipeDir = "${dir}/pipes";
test("counts", async () => {
  const recorder = await startRecorder();
  incr("a");
  if (getAll().a !== 1) throw new Error("not counted");
  ${framework === "vitest" ? "await recorder.stop();" : ""}
});`,
        );
        await run(dir, "timeout", "60", ...command);
        // What a killed process leaves goes with the next reader.
        const ofKilled = packages.length > 0 ? /\.(alive|checkpoint)$/ : /^$/;
        const left = leftIn(`${dir}/pipes`)
          .filter((name) => !ofKilled.test(name));
        assertEquals(left, []);
      },
    );
  }

  for (const place of places) await Deno.remove(place, { recursive: true });
});

/** Runs the conformance suite, and fails with what it printed if it fails. */
async function conforms(
  dir: string,
  command: string,
  how: string[],
  serve: string[],
) {
  await Deno.copyFile(
    `${root}/tests/system/conformance.mjs`,
    `${dir}/conformance.mjs`,
  );
  const { success, stdout, stderr } = await new Deno.Command(command, {
    cwd: dir,
    args: [...how.slice(1), "conformance.mjs"],
    stdin: "null",
    env: {
      STATVENT_RUN: JSON.stringify(how),
      STATVENT_SERVE: JSON.stringify(serve),
      NO_COLOR: "1",
    },
  }).output();
  const text = new TextDecoder().decode(stdout);
  assert(success, text + new TextDecoder().decode(stderr));
  assertMatch(text, /\n\d+ passed, 0 failed\n$/);
}

Deno.test("the sources keep the same promises on Deno", async () => {
  const dir = await Deno.makeTempDir({ prefix: "statvent-deno-" });
  const { imports, links } = JSON.parse(
    await Deno.readTextFile(`${root}/deno.json`),
  );
  await Deno.writeTextFile(
    `${dir}/deno.json`,
    JSON.stringify({
      imports: {
        ...imports,
        "statvent": `${ROOT}mod.ts`,
        "statvent/collect": `${ROOT}collect.ts`,
      },
      links: links.map((link: string) => new URL(link, ROOT).pathname),
    }),
  );
  const deno = Deno.execPath();
  await conforms(
    dir,
    deno,
    [deno, "run", "--quiet", "--allow-all"],
    [
      deno,
      "run",
      "--quiet",
      "--allow-all",
      "--config",
      `${root}/deno.json`,
      `${root}/web.ts`,
    ],
  );
  await Deno.remove(dir, { recursive: true });
});
