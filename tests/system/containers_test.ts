/**
 * The recipes of ops/ for containers, acted out with the commands that stand there,
 * in namespaces as Docker and Kubernetes make them. Runs as root only.
 *
 * @module
 */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { parse } from "yaml";
import { hasNamespaces } from "../helpers/namespaces.ts";
import {
  buildPackage,
  hasProgram,
  output,
  ROOT,
  until,
  withDir,
} from "../helpers/program.ts";

const ignore = Deno.uid() !== 0 || !await hasNamespaces() ||
  !await hasProgram("setpriv", "--version") || !await hasProgram("ip", "-V");

if (ignore) console.log("skipped: containers, which take root and namespaces");

const readOps = (name: string) =>
  Deno.readTextFileSync(new URL(`ops/${name}`, ROOT));

/** The words of an instruction of the Dockerfile, by what stands before them. */
function wordsOf(pattern: RegExp): string[] {
  return JSON.parse(pattern.exec(readOps("Dockerfile"))![1]);
}

const ENTRYPOINT = wordsOf(/^ENTRYPOINT (.*)$/m);
const SERVE = [...ENTRYPOINT, ...wordsOf(/^CMD (.*)$/m)];
const HEALTH = wordsOf(/^HEALTHCHECK .*\\\n +CMD (.*)$/m);

/** The command of a recipe's program, which counts to a number and stays there. */
function countsTo(n: number, command: string[]): string[] {
  const ticks = 'setInterval(() => incr("shop.ticks"), 100);';
  assertStringIncludes(command.at(-1)!, ticks);
  return [
    ...command.slice(0, -1),
    command.at(-1)!.replace(
      ticks,
      `incr("shop.ticks", ${n}); setInterval(() => {}, 1e6);`,
    ),
  ];
}

/** The user of the recipes, or root without any of its capabilities. */
const asUser = (id: number) => [
  ...["setpriv", `--reuid=${id}`, `--regid=${id}`, "--clear-groups"],
  ...["--bounding-set=-all", "--inh-caps=-all", "--no-new-privs"],
];

/** A shell as process 1 that passes a signal on, as Docker's init does. */
const INIT = `"$@" & trap "kill -TERM $!" TERM; wait $!; wait $!`;

/** A process 1 of a namespace, and what is started beside it. */
class Container implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly ended: Promise<{ code: number; stderr: string }>;
  stdout = "";

  constructor(command: string[], env: Record<string, string> = {}) {
    const [program, ...args] = command;
    this.#child = new Deno.Command(program, {
      args,
      env: { NO_COLOR: "1", STATVENT_PIPE_DIR: "/run/stats-pipe", ...env },
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    const { stdout, stderr, status } = this.#child;
    this.ended = Promise.all([status, new Response(stderr).text()])
      .then(([{ code }, stderr]) => ({ code, stderr }));
    (async () => {
      for await (const text of stdout.pipeThrough(new TextDecoderStream())) {
        this.stdout += text;
      }
    })();
  }

  /** The id of process 1 as it is known outside, once that is there. */
  async first(): Promise<number> {
    return await until("process 1", () => this.#children()[0]);
  }

  /** Sends process 1 a signal, as `docker stop` and `docker kill` do. */
  async kill(signal: Deno.Signal): Promise<void> {
    Deno.kill(await this.first(), signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // `--kill-child` does not survive the change of the user.
    for (const pid of [...this.#children(), this.#child.pid]) {
      try {
        Deno.kill(pid, "SIGKILL");
      } catch {
        // It has ended.
      }
    }
    await this.ended;
  }

  #children(): number[] {
    const { pid } = this.#child;
    try {
      const text = Deno.readTextFileSync(`/proc/${pid}/task/${pid}/children`);
      return text.trim().split(" ").filter(Boolean).map(Number);
    } catch {
      return [];
    }
  }
}

/** The file system of the images: the package in /opt, a runtime, and a volume. */
async function startHost(dir: string, mount: string): Promise<Container> {
  const { stdout: node } = await output("node", "-p", "process.execPath");
  const text = `set -e
    mount -t tmpfs tmpfs /opt
    mkdir /opt/statvent /opt/bin
    mount --bind ${dir}/npm /opt/statvent
    touch /opt/bin/node
    mount --bind ${node.trim()} /opt/bin/node
    mount -t tmpfs tmpfs /run
    mkdir /run/stats-pipe
    mount -t tmpfs ${mount} tmpfs /run/stats-pipe
    ip link set lo up
    echo ready
    exec sleep 1000`;
  await Deno.chmod(dir, 0o755);
  const host = new Container([
    ...["unshare", "--mount", "--pid", "--net", "--fork", "--kill-child"],
    ...["--mount-proc", "sh", "-c", text],
  ]);
  await until("the host", async () => {
    if (host.stdout.includes("ready")) return true;
    const ended = await Promise.race([host.ended, undefined]);
    if (ended !== undefined) throw new Error(ended.stderr);
  });
  return host;
}

/** The path that the runtime is on; the one that this test has may be closed to others. */
const PATH = `PATH=/opt/bin:${Deno.env.get("PATH")}`;

/** What a command prints in the namespaces of a container's process 1. */
async function inside(container: Container, kinds: string, ...args: string[]) {
  const pid = `${await container.first()}`;
  return await output(
    "nsenter",
    ...["-t", pid, ...kinds.split(" "), "env", PATH, ...args],
  );
}

/** An answer of the service, which listens in the network of a container. */
async function ask(container: Container, path: string): Promise<string> {
  const url = `http://127.0.0.1:7828/${path}`;
  const { stdout } = await inside(container, "-n", "curl", "-s", url);
  return stdout;
}

/** Waits until the service says that so many processes are in a state. */
async function untilStates(
  service: Container,
  expected: Record<string, number>,
): Promise<{ stats: Record<string, number> }> {
  return await until(JSON.stringify(expected), async () => {
    const text = await ask(service, "stats");
    if (text === "") return undefined;
    const { processes, stats } = JSON.parse(text);
    return Object.entries(expected)
      .every(([state, n]) => processes[state] === n) && { processes, stats };
  });
}

/** Asserts that the health check of the image says whether the directory can be read. */
async function assertHealthy(service: Container): Promise<void> {
  const { code, stderr } = await inside(service, "-m -p -n", ...HEALTH);
  assertEquals(code, 0, stderr);
}

Deno.test({
  name:
    "compose.yaml: programs and service in containers of their own all count, and none is lost at an orderly stop",
  ignore,
  fn: () =>
    withDir(async (dir) => {
      await buildPackage(dir);
      const { services, volumes } = parse(readOps("compose.yaml"));
      const { o } = volumes.pipes.driver_opts;
      await using host = await startHost(dir, `-o ${o}`);
      const pid = await host.first();
      const [user] = services.shop.user.split(":");
      assertEquals(services.statvent.user, services.shop.user);
      const start = (command: string[], first = 'exec "$@"') =>
        new Container([
          ...["nsenter", "-t", `${pid}`, "-m", "unshare", "--pid", "--net"],
          ...["--fork", "--kill-child", "--mount-proc", "sh", "-c"],
          `ip link set lo up; ${first}`,
          ...["sh", ...asUser(Number(user)), "env", PATH, ...command],
        ]);
      const { entrypoint, init } = services.shop;
      assertEquals(init, true);
      await using a = start(countsTo(5, entrypoint), INIT);
      await using b = start(countsTo(7, entrypoint), INIT);
      await using service = start(SERVE);
      const { stats } = await untilStates(service, { ok: 2 });
      assertEquals(stats["shop.ticks"], 12);
      await assertHealthy(service);
      const metrics = await ask(service, "metrics?by=process");
      assertEquals(
        [...metrics.matchAll(/^statvent_process_up\{(.*)\} 1$/gm)].length,
        2,
      );
      // The service is in a namespace of its own: it says nothing of what they use.
      assert(!metrics.includes("process_cpu_seconds_total{"), metrics);

      await a.kill("SIGTERM");
      await a.ended;
      await untilStates(service, { ok: 1 });
      await b.kill("SIGKILL");
      await b.ended;
      const left = await untilStates(service, { ok: 0 });
      assertEquals(left.stats["shop.ticks"], 12);
      const { killed, unbooked, missed } = JSON.parse(
        await ask(service, "processes"),
      );
      assertEquals([killed, unbooked, missed], [1, 0, 0]);

      // It is process 1, which gets no signal that it does not listen to.
      await service.kill("SIGTERM");
      assertEquals((await service.ended).stderr.match(/Error/), null);
    }),
});

Deno.test({
  name:
    "kubernetes.yaml: the side-car sees its program and what that uses, once the volume has the sticky bit",
  ignore,
  fn: () =>
    withDir(async (dir) => {
      await buildPackage(dir);
      const { spec } = parse(readOps("kubernetes.yaml")).spec.template;
      const [sticky, sidecar] = spec.initContainers;
      const [shop] = spec.containers;
      const { runAsUser } = spec.securityContext;
      // The pause container is process 1, the network is that of all.
      await using pod = await startHost(dir, "-o mode=0777");
      const pid = await pod.first();
      const start = (user: number, command: string[]) =>
        new Container([
          ...["nsenter", "-t", `${pid}`, "-m", "-p", "-n", ...asUser(user)],
          ...["env", PATH, ...command],
        ]);
      const program = countsTo(5, shop.command);
      await using refused = start(runAsUser, program);
      assertStringIncludes(
        (await refused.ended).stderr,
        "/run/stats-pipe must have the sticky bit if others may write to it",
      );
      assertEquals(sticky.securityContext.runAsUser, 0);
      await using init = start(0, sticky.command);
      assertEquals(await init.ended, { code: 0, stderr: "" });
      await using service = start(runAsUser, [...ENTRYPOINT, ...sidecar.args]);
      await using _program = start(runAsUser, program);
      const { stats } = await untilStates(pod, { ok: 1 });
      assertEquals(stats["shop.ticks"], 5);
      const metrics = await ask(pod, "metrics");
      for (
        const name of [
          "process_cpu_seconds_total",
          "process_resident_memory_bytes",
          "process_open_fds",
        ]
      ) {
        const [, value] =
          new RegExp(`^${name}\\{.*process="shop".*\\} (.*)$`, "m")
            .exec(metrics) ?? [];
        assert(Number(value) > 0, `${name}: ${metrics}`);
      }
      const { httpGet } = sidecar.livenessProbe;
      assertStringIncludes(await ask(pod, httpGet.path.slice(1)), '"ok"');
      assertEquals(service.stdout.split("\n").length, 3);
    }),
});

Deno.test({
  name:
    "statvent.service: a user without rights, who may write to no pipe directory, counts the programs of all users",
  ignore,
  fn: () =>
    withDir(async (dir) => {
      await buildPackage(dir);
      const unit = readOps("statvent.service");
      const value = (key: string) =>
        new RegExp(`^${key}=(.*)$`, "m").exec(unit)![1];
      const install = value("ExecStartPre").slice(1).split(" ");
      assertEquals(value("Environment"), "STATVENT_PIPE_DIR=/run/stats-pipe");
      await using host = await startHost(dir, "-o mode=0755");
      const pid = await host.first();
      const enter = ["nsenter", "-t", `${pid}`, "-m", "-p", "-n"];
      await using made = new Container([...enter, ...install]);
      assertEquals(await made.ended, { code: 0, stderr: "" });
      const { entrypoint } = parse(readOps("compose.yaml")).services.shop;
      const start = (user: number, n: number) =>
        new Container([
          ...[...enter, ...asUser(user), "env", PATH],
          ...countsTo(n, entrypoint),
        ]);
      await using a = start(1001, 5);
      await using _b = start(1002, 7);
      // ProtectSystem=strict and PrivateTmp, which DynamicUser brings, and a state directory.
      const sandbox = `set -e
        mount -o remount,ro,bind /run/stats-pipe
        mount -t tmpfs tmpfs /tmp
        install -d -m 0700 -o 61234 /run/statvent /run/state
        cd /run/statvent
        exec "$@"`;
      const command = value("ExecStart").replace("/usr/bin/", "")
        .replace("%S/statvent", "/run/state").split(" ");
      await using service = new Container([
        ...[...enter, "unshare", "--mount", "sh", "-c", sandbox, "sh"],
        ...[...asUser(61234), "env", PATH, "HOME=/run/statvent", ...command],
      ]);
      const { stats } = await untilStates(host, { ok: 2 });
      assertEquals(stats["shop.ticks"], 12);
      await a.kill("SIGKILL");
      const left = await untilStates(host, { ok: 1 });
      assertEquals(left.stats["shop.ticks"], 12);
      const { unbooked, missed } = JSON.parse(await ask(host, "processes"));
      assertEquals([unbooked, missed], [1, 0]);
      await service.kill("SIGTERM");
      assertEquals(await service.ended, { code: 0, stderr: "" });
    }),
});

const hasBusybox = await hasProgram("busybox", "true");
if (!hasBusybox) console.log("skipped: there is no busybox");

Deno.test({
  name:
    "without mkfifo the recorder says so on all runtimes, and busybox under that name is enough",
  ignore: !hasBusybox,
  fn: () =>
    withDir(async (dir) => {
      await buildPackage(dir);
      const bin = `${dir}/bin`;
      await Deno.mkdir(bin);
      const runtimes: Record<string, string[]> = {
        node: ["app.mjs"],
        bun: ["app.mjs"],
        deno: ["run", "-A", "--quiet", "--no-config", "app.mjs"],
      };
      await Deno.writeTextFile(
        `${dir}/app.mjs`,
        `import { startRecorder } from "./npm/mod.js";
         const started = await startRecorder().then(() => "started", String);
         console.log(started);
         process.exit();`,
      );
      const paths: Record<string, string> = {};
      for (const name of Object.keys(runtimes)) {
        const { stdout } = await output("sh", "-c", `command -v ${name}`);
        if (stdout !== "") paths[name] = stdout.trim();
      }
      const run = async (name: string, ...args: string[]) => {
        const { stdout } = await new Deno.Command(paths[name], {
          args,
          cwd: dir,
          env: { PATH: bin, STATVENT_PIPE_DIR: `${dir}/pipes` },
        }).output();
        return new TextDecoder().decode(stdout);
      };
      for (const name of Object.keys(paths)) {
        assertEquals(
          await run(name, ...runtimes[name]),
          "Error: Cannot start the recorder: there must be a program mkfifo; install it, with coreutils\n",
          name,
        );
      }
      await Deno.symlink(
        (await output("sh", "-c", "command -v busybox")).stdout.trim(),
        `${bin}/mkfifo`,
      );
      for (const name of Object.keys(paths)) {
        assertEquals(await run(name, ...runtimes[name]), "started\n", name);
      }
    }),
});
