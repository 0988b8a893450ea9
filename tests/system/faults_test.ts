/**
 * Recorder and service where the system fails them: no space, nothing writable,
 * no more files or threads, no `/proc`. The faults are real. Most need root, and
 * a mount namespace of their own that ends with the test.
 *
 * @module
 */

import { assert, assertEquals, assertMatch } from "@std/assert";
import {
  hasProgram,
  output,
  Program,
  ROOT,
  until,
} from "../helpers/program.ts";

/** Has the recorder started, and other things done, when a line on its input says so. */
const PROGRAM = `
import { closeSync, openSync, stat } from "node:fs";
import process from "node:process";
import { config, incr, startRecorder } from "./mod.js";

config.pipeDir = process.argv[2];
const files = [];
const commands = {
  async start() {
    try {
      await startRecorder();
      return "started";
    } catch (error) {
      return error.message;
    }
  },
  // A runtime has threads of its own, which it cannot do without either.
  warm: () => new Promise((resolve) => stat("/", () => resolve("warm"))),
  ping: () => "pong",
  exhaust(rest) {
    try {
      for (;;) files.push(openSync("/dev/null"));
    } catch {
      for (let i = 0; i < rest; i++) closeSync(files.pop());
      return "exhausted";
    }
  },
  free() {
    for (const file of files.splice(0)) closeSync(file);
    return "freed";
  },
  end() {
    incr("n", 100);
    process.exit(7);
  },
};
// For its first listener Deno needs files.
process.on("SIGUSR1", () => {});
incr("n", 3);
process.stdin.on("data", async (data) => {
  for (const line of String(data).trim().split("\\n")) {
    const [id, command, rest = 0] = line.split(" ");
    console.log(id + " " + await commands[command](rest) + ".");
  }
});
console.log("live");
`;

const RUNTIMES: { [name: string]: { run: string[]; serve: string[] } } = {
  deno: { run: ["deno", "run", "-A"], serve: ["deno", "run", "-A", "web.js"] },
  node: { run: ["node"], serve: ["node", "cli.js", "serve"] },
  bun: { run: ["bun"], serve: ["bun", "cli.js", "serve"] },
};

const missing: { [need: string]: string | undefined } = {};

/** Why a test cannot run, if it cannot. Says so once. */
function ignores(...needs: string[]): boolean {
  const why = needs.map((need) => missing[need]).filter((why) => why);
  return why.length > 0;
}

for (const name of [...Object.keys(RUNTIMES), "cc", "setpriv", "prlimit"]) {
  if (!await hasProgram(name, "--version")) {
    missing[name] = `there is no ${name}`;
  }
}

if (Deno.uid() !== 0) missing.root = "this is not root";

const canMount = await output(
  ...["unshare", "--mount", "sh", "-c"] as const,
  "mount -t tmpfs none /proc",
).catch(() => ({ code: 1 }));

if (canMount.code !== 0) missing.mount = "nothing may be mounted";

for (const why of Object.values(missing)) {
  console.log(`skipped: some faults, because ${why}`);
}

/** Where the bundles and the programs are. All users may read it. */
let home = "";

Deno.test.beforeAll(async () => {
  home = await Deno.makeTempDir({ prefix: "statvent-faults-" });
  await Deno.chmod(home, 0o755);
  await Promise.all(["mod", "web", "cli"].map(async (name) => {
    const { stderr } = await output(
      Deno.execPath(),
      ...["bundle", "--quiet", "--platform=deno"],
      ...["--config", new URL("deno.json", ROOT).pathname],
      `--output=${home}/${name}.js`,
      new URL(`${name}.ts`, ROOT).pathname,
    );
    assertEquals(stderr, "");
  }));
  await Deno.writeTextFile(`${home}/package.json`, '{"type":"module"}');
  await Deno.writeTextFile(`${home}/program.js`, PROGRAM);
});

Deno.test.afterAll(() => Deno.remove(home, { recursive: true }));

/** Directories of its own, and mounts that nobody else sees. */
class Place implements AsyncDisposable {
  /** A directory. */
  readonly dir: string;
  readonly #shell: Deno.ChildProcess | undefined;

  constructor(dir: string, shell?: Deno.ChildProcess) {
    this.dir = dir;
    this.#shell = shell;
  }

  /**
   * Makes a place.
   *
   * @param setup A shell command that mounts something, if there are to be
   * mounts. `$0` is the directory.
   */
  static async make(setup?: string): Promise<Place> {
    const dir = await Deno.makeTempDir({ dir: home });
    await Deno.chmod(dir, 0o755);
    if (setup === undefined) return new Place(dir);
    // Ends with this process, whatever becomes of that.
    const shell = new Deno.Command("unshare", {
      args: ["--mount", "sh", "-c", `${setup}; echo; exec cat`, dir],
      stdin: "piped",
      stdout: "piped",
    }).spawn();
    const reader = shell.stdout.getReader();
    await reader.read();
    await reader.cancel();
    return new Place(dir, shell);
  }

  #command(args: string[], options: Deno.CommandOptions): Deno.Command {
    const all = this.#shell === undefined
      ? args
      : ["nsenter", `--mount=/proc/${this.#shell.pid}/ns/mnt`, ...args];
    return new Deno.Command(all[0], { ...options, args: all.slice(1) });
  }

  /** What a shell command prints. `$0` is the directory. */
  async sh(text: string): Promise<string> {
    const { stdout } = await this.#command(["sh", "-c", text, this.dir], {
      stdin: "null",
      stderr: "null",
    }).output();
    return new TextDecoder().decode(stdout);
  }

  /** Starts something that prints. */
  start(args: string[], env: Record<string, string> = {}): Subject {
    const child = this.#command(
      ["sh", "-c", `cd ${home} && exec "$@"`, "sh", ...args],
      {
        stdin: "piped",
        stdout: "piped",
        stderr: "piped",
        clearEnv: true,
        env: {
          PATH: Deno.env.get("PATH")!,
          HOME: home,
          NO_COLOR: "1",
          DENO_NO_UPDATE_CHECK: "1",
          ...env,
        },
      },
    ).spawn();
    return new Subject(child, this.dir);
  }

  /** Starts the program, with its pipes in a directory. */
  async program(
    name: string,
    dir: string,
    { before = [], env }: {
      before?: string[];
      env?: Record<string, string>;
    } = {},
  ): Promise<Subject> {
    const { run } = RUNTIMES[name];
    const args = [...before, ...run, `${home}/program.js`, dir];
    const program = this.start(args, env);
    await program.printed("live");
    return program;
  }

  /** Starts the service, which reads the pipes of a directory. */
  async service(
    name: string,
    dir: string,
    { before = [], flags = [], env }: {
      before?: string[];
      flags?: string[];
      env?: Record<string, string>;
    } = {},
  ): Promise<Subject> {
    const { serve } = RUNTIMES[name];
    const args = [...before, ...serve, "--port", "0", "--pipe-dir", dir];
    const service = this.start([...args, ...flags], env);
    await service.printed("/stats\n");
    return service;
  }

  /** What a reader gets of a program within a second. */
  cat(dir: string, { pid }: Subject): Promise<string> {
    return this.sh(`timeout 1 cat ${dir}/${pid}.stats`);
  }

  /** Waits until a reader gets all of a program again. */
  async heals(dir: string, program: Subject): Promise<void> {
    await until("the pipe", async () => isWhole(await this.cat(dir, program)));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#shell?.stdin.close();
    await this.#shell?.status;
  }
}

function isWhole(text: string): boolean {
  return text.includes("n: 3\n") && text.includes("# EOF: ");
}

/** A program or a service. */
class Subject extends Program {
  readonly #input: WritableStreamDefaultWriter<Uint8Array>;
  #count = 0;

  constructor(child: Deno.ChildProcess, dir: string) {
    super(child, dir);
    this.#input = child.stdin.getWriter();
  }

  async #send(command: string): Promise<number> {
    const id = ++this.#count;
    const line = new TextEncoder().encode(`${id} ${command}\n`);
    await this.#input.write(line).catch(async () => {
      throw new Error(`ended: ${JSON.stringify(await this.ended())}`);
    });
    return id;
  }

  /** What the program says to a command. */
  async says(command: string): Promise<string> {
    const id = await this.#send(command);
    const pattern = new RegExp(`^${id} (.*)\\.$`, "m");
    return await until(command, () => pattern.exec(this.stdout)?.[1]);
  }

  /** Waits for its end, for ten seconds, which is then another one. */
  override async ended() {
    const timer = setTimeout(() => this.kill("SIGKILL"), 10_000);
    try {
      return await super.ended();
    } finally {
      clearTimeout(timer);
    }
  }

  /** Has the program end in an orderly way, which must bring no error. */
  async ends(): Promise<void> {
    await this.#send("end");
    assertEquals(await this.ended(), { code: 7, signal: null, stderr: "" });
  }

  /** Has the service end. Returns what it has logged. */
  async logged(): Promise<string[]> {
    this.kill("SIGTERM");
    const { code, signal, stderr } = await this.ended();
    assertEquals([code, signal], [0, null], stderr);
    return stderr.split("\n").slice(0, -1);
  }

  get #url(): string {
    return /http:.*(?=\/stats\n)/.exec(this.stdout)![0];
  }

  /** Where the service listens. */
  get port(): number {
    return Number(new URL(this.#url).port);
  }

  /** What the service answers. */
  async get(path: string): Promise<string> {
    const client = Deno.createHttpClient({ poolMaxIdlePerHost: 0 });
    try {
      return await (await fetch(this.#url + path, { client })).text();
    } finally {
      client.close();
    }
  }

  /** The total of `n`, and the states that processes are in. */
  async stats(): Promise<{ n?: number; states: string[] }> {
    const { stats, processes } = JSON.parse(await this.get("/stats"));
    return {
      n: stats.n,
      states: Object.keys(processes).filter((state) => processes[state] > 0),
    };
  }

  /** Waits until it shows a total, and processes in these states. */
  async shows(n: number, ...states: string[]): Promise<void> {
    const expected = JSON.stringify({ n, states });
    let last = "";
    await until(
      "the stats",
      async () => (last = JSON.stringify(await this.stats())) === expected,
    )
      .catch(() => assertEquals(last, expected));
  }

  /** How often the state could not be written. */
  async stateErrors(): Promise<number> {
    const text = await this.get("/metrics");
    return Number(/^statvent_state_errors_total (\d+)$/m.exec(text)![1]);
  }

  override async [Symbol.asyncDispose](): Promise<void> {
    await super[Symbol.asyncDispose]();
    await this.#input.close().catch(() => {});
  }
}

const ELSEWHERE = "or set config.pipeDir or STATVENT_PIPE_DIR";

/** What the recorder says where it cannot make its pipe. */
function notCreatable(dir: string, why: string, cure: string): RegExp {
  const escape = (text: string) => text.replace(/[.()/]/g, "\\$&");
  return new RegExp(
    `^Cannot start the recorder: pipes must be creatable in ${
      escape(dir)
    } \\([^()]*${why}[^()]*(\\(.*\\))?\\); ${escape(cure)}$`,
    "i",
  );
}

/** Takes all inodes and all bytes of a disk. */
const FILL =
  '(i=0; while : > "$0/x.$i"; do i=$((i+1)); done); cat /dev/zero > "$0/x.0"';

const EMPTY = 'rm -f "$0"/x.*';

const DISK = 'mount -t tmpfs -o size=256k,nr_inodes=64 none "$0"';

const READ_ONLY = 'mount -o remount,ro "$0"';

const WRITABLE = 'mount -o remount,rw "$0"';

for (const name of Object.keys(RUNTIMES)) {
  Deno.test({
    name: `without space the recorder on ${name} says so, goes on and heals`,
    ignore: ignores(name, "root", "mount"),
    async fn() {
      await using place = await Place.make(DISK);
      const { dir } = place;
      await place.sh(FILL);
      await using program = await place.program(name, dir);
      for (let i = 0; i < 2; i++) {
        assertMatch(
          await program.says("start"),
          notCreatable(dir, "no space left", `make room ${ELSEWHERE}`),
        );
      }
      await place.sh(EMPTY);
      assertEquals(await program.says("start"), "started");
      await place.sh(FILL);
      // It needs no space to be read, more often than it has pipes.
      for (let i = 0; i < 6; i++) {
        assert(isWhole(await place.cat(dir, program)));
      }
      // Its last values find no room. Those that were read before count.
      await program.ends();
      await place.sh(EMPTY);
      assertEquals(await place.sh('ls -A "$0"'), "");
    },
  });

  Deno.test({
    name:
      `on a read-only file system the recorder on ${name} says so, waits and heals`,
    ignore: ignores(name, "root", "mount"),
    async fn() {
      await using place = await Place.make(DISK);
      const { dir } = place;
      await place.sh(READ_ONLY);
      await using program = await place.program(name, dir);
      assertMatch(
        await program.says("start"),
        notCreatable(dir, "read-only", `make it writable ${ELSEWHERE}`),
      );
      await place.sh(WRITABLE);
      assertEquals(await program.says("start"), "started");
      await place.sh(READ_ONLY);
      await place.cat(dir, program);
      assertEquals(await program.says("ping"), "pong");
      await place.sh(WRITABLE);
      await place.heals(dir, program);
      await place.sh(READ_ONLY);
      await program.ends();
    },
  });

  Deno.test({
    name:
      `without files the recorder on ${name} says so, waits, heals, and hands its last values over`,
    ignore: ignores(name),
    async fn() {
      await using place = await Place.make();
      const { dir } = place;
      const limit = ["sh", "-c", 'ulimit -n 150; exec "$@"', "sh"];
      await using program = await place.program(name, dir, { before: limit });
      await program.says("warm");
      // With some left a runtime may fail in other ways.
      for (const rest of [0, 1, 2, 4, 6, 8, 12]) {
        await program.says(`exhaust ${rest}`);
        const said = await program.says("start");
        const cure = "let more be open (ulimit -n, fs.file-max)";
        // A runtime opens and closes some by itself.
        if (!notCreatable(dir, "too many open files", cure).test(said)) {
          const [start, end] = said.split(/ \(.*too many open files.*\); /i);
          assertEquals(
            [start, end],
            ["Cannot start the recorder: 20 more files must be openable", cure],
          );
        }
        await program.says("free");
      }
      assertEquals(await program.says("start"), "started");
      await program.says("exhaust");
      await place.cat(dir, program);
      assertEquals(await program.says("ping"), "pong");
      await program.says("free");
      await place.heals(dir, program);
      await program.says("exhaust");
      await program.ends();
      const ledger = `.ledger.${Deno.uid()}`;
      assertEquals(await place.sh('ls -A "$0"'), `${ledger}\n`);
      assertMatch(await place.sh(`cat ${dir}/${ledger}`), /^n: 103$/m);
    },
  });
}

for (const name of ["deno", "node"]) {
  Deno.test({
    name:
      `without space for its state the service on ${name} says so once, answers and heals`,
    ignore: ignores(name, "root", "mount"),
    async fn() {
      await using place = await Place.make(DISK);
      await using pipes = await Place.make();
      const state = `${place.dir}/state`;
      const flags = ["--state", state];
      const start = () => place.service(name, pipes.dir, { flags });
      {
        await using program = await place.program(name, pipes.dir);
        await program.says("start");
        await using service = await start();
        await service.shows(3, "ok");
        for (const fault of [[FILL, EMPTY], [READ_ONLY, WRITABLE]]) {
          const before = await service.stateErrors();
          await place.sh(fault[0]);
          for (let i = 0; i < 3; i++) {
            assertEquals(await service.stats(), { n: 3, states: ["ok"] });
          }
          // The last one is of the answer that says so.
          assertEquals(await service.stateErrors(), before + 4);
          await place.sh(fault[1]);
          assertEquals(await service.stateErrors(), before + 4);
        }
        program.kill("SIGKILL");
        await program.ended();
        await service.shows(3, "dead");
        await place.sh(READ_ONLY);
        const log = await service.logged();
        assertEquals(log.length, 2, log.join("\n"));
        const line = `^statvent: Cannot use the state file ${state}: .*`;
        assertMatch(log[0], new RegExp(`${line}no space left`, "i"));
        assertMatch(log[1], new RegExp(`${line}read-only`, "i"));
      }
      // It has left its lock, as if it had been killed.
      {
        await using late = place.start([
          ...RUNTIMES[name].serve,
          ...["--port", "0", "--pipe-dir", pipes.dir, ...flags],
        ]);
        const { code, stderr } = await late.ended();
        assertEquals(code, 1);
        assertMatch(
          stderr,
          new RegExp(
            `^statvent: Cannot use the state file ${state}: .*read-only.*\n$`,
            "i",
          ),
        );
      }
      await place.sh(WRITABLE);
      await using service = await start();
      await service.shows(3);
      assertEquals(await service.logged(), []);
      assertEquals(await place.sh('ls -A "$0"'), "state\n");
    },
  });

  Deno.test({
    name:
      `the service on ${name} counts what it has read of pipes that are read-only by now`,
    ignore: ignores(name, "root", "mount"),
    async fn() {
      await using place = await Place.make(DISK);
      const { dir } = place;
      await using program = await place.program(name, dir);
      await program.says("start");
      await using service = await place.service(name, dir);
      await service.shows(3, "ok");
      await place.sh(READ_ONLY);
      await place.cat(dir, program);
      await service.shows(3, "timeout");
      await service.shows(3, "timeout");
      await place.sh(WRITABLE);
      await until(
        "the pipe",
        async () => (await service.stats()).states[0] === "ok",
      );
      await place.sh(READ_ONLY);
      await program.ends();
      // Its pipe is still there, and what it counted last is not.
      await service.shows(3, "dead");
      await place.sh(WRITABLE);
      await until(
        "the last pipe to go",
        async () => (await service.stats()).states.length === 0,
      );
      await service.shows(3);
      assertEquals(await service.logged(), [
        `statvent: ${dir}/${program.pid}.stats: It gave no answer in time`,
      ]);
    },
  });
}

/** Lets no more files be open in the whole system, as a process sees it, while a file exists. */
const SHIM = `
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

static int full(void) {
  const char *flag = getenv("ENFILE_IF");
  if (flag == 0 || syscall(SYS_faccessat, AT_FDCWD, flag, F_OK) != 0) return 0;
  errno = ENFILE;
  return 1;
}

#define MODE() va_list rest; va_start(rest, flags); \\
  int mode = va_arg(rest, int); va_end(rest)
#define OPEN(name) int name(const char *path, int flags, ...) { MODE(); \\
  return full() ? -1 : syscall(SYS_openat, AT_FDCWD, path, flags, mode); }
#define OPENAT(name) int name(int dir, const char *path, int flags, ...) { \\
  MODE(); return full() ? -1 : syscall(SYS_openat, dir, path, flags, mode); }
OPEN(open) OPEN(open64) OPENAT(openat) OPENAT(openat64)

int pipe2(int fds[2], int flags) {
  return full() ? -1 : syscall(SYS_pipe2, fds, flags);
}
int socket(int a, int b, int c) {
  return full() ? -1 : syscall(SYS_socket, a, b, c);
}
int socketpair(int a, int b, int c, int fds[2]) {
  return full() ? -1 : syscall(SYS_socketpair, a, b, c, fds);
}
int accept4(int fd, struct sockaddr *restrict to, socklen_t *restrict length,
            int flags) {
  return full() ? -1 : syscall(SYS_accept4, fd, to, length, flags);
}
int accept(int fd, struct sockaddr *restrict to, socklen_t *restrict length) {
  return accept4(fd, to, length, 0);
}
int inotify_init1(int flags) {
  return full() ? -1 : syscall(SYS_inotify_init1, flags);
}
`;

/** Compiles the shim. Returns the environment that it needs. */
async function withoutFiles(flag: string): Promise<Record<string, string>> {
  const shim = `${home}/shim.so`;
  await Deno.writeTextFile(`${home}/shim.c`, SHIM);
  const { code, stderr } = await output(
    ...["cc", "-shared", "-fPIC", "-o", shim, `${home}/shim.c`] as const,
  );
  assertEquals(code, 0, stderr);
  return { LD_PRELOAD: shim, ENFILE_IF: flag };
}

const encoder = new TextEncoder();

/** Asks for the stats over a connection. Returns what comes first, or nothing if it is closed. */
async function ask(connection: Deno.Conn): Promise<string> {
  const request = "GET /stats HTTP/1.1\r\nHost: localhost\r\n\r\n";
  const bytes = new Uint8Array(4096);
  try {
    await connection.write(encoder.encode(request));
    const count = await connection.read(bytes);
    return new TextDecoder().decode(bytes.subarray(0, count ?? 0));
  } catch {
    return "";
  }
}

/** Asserts that a service has said nothing but why it did not answer, and nothing twice. */
function assertSaidOnce(log: string[]): void {
  assertEquals(log, [...new Set(log)]);
  for (const line of log) {
    assertMatch(
      line,
      /^statvent: (.*too many open files.*; listening again|.*\.stats: It gave no answer in time)$/i,
    );
  }
}

for (const name of ["deno", "node"]) {
  Deno.test({
    name:
      `without files in the whole system the recorder on ${name} says so, waits and heals`,
    ignore: ignores(name, "cc"),
    async fn() {
      await using place = await Place.make();
      const { dir } = place;
      const flag = `${dir}/.flag`;
      const env = await withoutFiles(flag);
      await using program = await place.program(name, dir, { env });
      await program.says("warm");
      await place.sh(`: > ${flag}`);
      assertMatch(
        await program.says("start"),
        notCreatable(
          dir,
          "file table overflow",
          "let more be open (ulimit -n, fs.file-max)",
        ),
      );
      await Deno.remove(flag);
      assertEquals(await program.says("start"), "started");
      await place.sh(`: > ${flag}`);
      await place.cat(dir, program);
      assertEquals(await program.says("ping"), "pong");
      await Deno.remove(flag);
      await place.heals(dir, program);
      await program.ends();
    },
  });

  Deno.test({
    name:
      `without files in the whole system the service on ${name} says so once, lives and heals`,
    ignore: ignores(name, "cc"),
    async fn() {
      await using place = await Place.make();
      const { dir } = place;
      const flag = `${dir}/.flag`;
      const env = await withoutFiles(flag);
      await using program = await place.program(name, dir);
      await program.says("start");
      await using service = await place.service(name, dir, { env });
      await service.shows(3, "ok");
      const { port } = service;
      {
        using old = await Deno.connect({ hostname: "127.0.0.1", port });
        assertMatch(await ask(old), /^HTTP\/1\.1 200 /);
        await place.sh(`: > ${flag}`);
        // What was read before counts.
        assertMatch(
          await ask(old),
          /^HTTP\/1\.1 200 [^]*"n": 3\}.*"timeout": 1/,
        );
        // Who comes now gets no answer, or no connection. A server that has to
        // listen again tries that twice in this time.
        const connection = await Deno.connect({ hostname: "127.0.0.1", port })
          .catch(() => undefined);
        await new Promise((resolve) => setTimeout(resolve, 2_200));
        connection?.close();
        await Deno.remove(flag);
      }
      await until("an answer", async () => {
        const stats = await service.stats().catch(() => undefined);
        return stats?.n === 3 && stats.states[0] === "ok";
      });
      assertSaidOnce(await service.logged());
    },
  });

  Deno.test({
    name:
      `the service on ${name} answers again when so many connections have closed that it had no files`,
    ignore: ignores(name),
    async fn() {
      await using place = await Place.make();
      const { dir } = place;
      const limit = ["sh", "-c", 'ulimit -n 60; exec "$@"', "sh"];
      await using program = await place.program(name, dir);
      await program.says("start");
      await using service = await place.service(name, dir, { before: limit });
      const { port } = service;
      const connections: Deno.Conn[] = [];
      for (let i = 0; i < 80; i++) {
        const connection = await Deno.connect({ hostname: "127.0.0.1", port })
          .catch(() => undefined);
        if (connection !== undefined) connections.push(connection);
      }
      assertMatch(await ask(connections[0]), /^HTTP\/1\.1 (200|500) /);
      for (const connection of connections) connection.close();
      await until("an answer", async () => {
        const stats = await service.stats().catch(() => undefined);
        return stats?.n === 3 && stats.states[0] === "ok";
      });
      assertSaidOnce(await service.logged());
    },
  });
}

const NO_PROC = "mount -t tmpfs none /proc";

Deno.test({
  name: "without /proc the recorder on Node says so if mkfifo needs it",
  ignore: ignores("node", "root", "mount"),
  async fn() {
    await using place = await Place.make(NO_PROC);
    const { dir } = place;
    await using program = await place.program("node", dir);
    const said = await program.says("start");
    // Where `mkfifo -m` can do without, so can the recorder.
    if (said !== "started") {
      assertMatch(said, notCreatable(dir, "set permissions", "mount /proc"));
    }
    await program.ends();
  },
});

Deno.test({
  name:
    "without /proc recorder and service on Node work if mkfifo does, and no thread is left waiting",
  ignore: ignores("node", "root", "mount"),
  async fn() {
    await using place = await Place.make(NO_PROC);
    const { dir } = place;
    const bin = `${dir}/bin`;
    await Deno.mkdir(bin);
    // As that of other systems.
    await Deno.writeTextFile(
      `${bin}/mkfifo`,
      '#!/bin/sh\nshift 2\nexec /usr/bin/mkfifo "$@"\n',
      { mode: 0o755 },
    );
    const pipes = `${dir}/pipes`;
    const env = { PATH: `${bin}:${Deno.env.get("PATH")}` };
    await using program = await place.program("node", pipes, { env });
    assertEquals(await program.says("start"), "started");
    await place.heals(pipes, program);
    // Nothing but /proc knows the pipe now whose reader was awaited.
    await Deno.remove(`${pipes}/${program.pid}.stats`);
    await place.heals(pipes, program);
    await using service = await place.service("node", pipes);
    await service.shows(3, "ok");
    await using other = await place.program("node", pipes, { env });
    assertEquals(await other.says("start"), "started");
    await service.shows(6, "ok");
    other.kill("SIGKILL");
    await other.ended();
    await service.shows(6, "ok", "dead");
    assertMatch(
      await service.get("/metrics"),
      /^process_cpu_seconds_total \d/m,
    );
    await program.ends();
    assertEquals((await service.stats()).n, 106);
    assertEquals(await service.logged(), []);
  },
});

for (const name of Object.keys(RUNTIMES)) {
  Deno.test({
    name: `recorder and service on ${name} go on where /proc is lost`,
    ignore: ignores(name, "root", "mount"),
    async fn() {
      await using place = await Place.make("true");
      const { dir } = place;
      await using program = await place.program(name, dir);
      await program.says("start");
      await using service = await place.service(name, dir);
      await service.shows(3, "ok");
      await place.sh(NO_PROC);
      // Where it needs more pipes than it has, and `mkfifo` fails, it waits for
      // those that are being read.
      for (let i = 0; i < 3; i++) {
        await place.heals(dir, program);
        await until(
          "an answer",
          async () => (await service.stats()).states[0] === "ok",
        );
      }
      await program.ends();
      await service.shows(103);
      // Said again only after there was an answer.
      const said = await service.logged();
      assert(said.length <= 3, said.join("\n"));
      assertSaidOnce([...new Set(said)]);
    },
  });
}

/** A user whom nobody else is. */
const USER = 64_990;

const AS_USER = [
  "setpriv",
  `--reuid=${USER}`,
  `--regid=${USER}`,
  "--clear-groups",
];

/** Starts a program of that user. */
async function programOfUser(
  place: Place,
  name: string,
  dir: string,
): ReturnType<Place["program"]> {
  // The home of root, where a runtime may be, is closed to others.
  const [command] = RUNTIMES[name].run;
  await place.sh(
    `cp -L "$(readlink -f "$(command -v ${command})")" "$0/${command}"`,
  );
  await Deno.chmod(`${place.dir}/${command}`, 0o755);
  const env = { HOME: dir, PATH: `${place.dir}:${Deno.env.get("PATH")}` };
  return await place.program(name, dir, { before: AS_USER, env });
}

/** Makes a directory of that user. */
async function ownDir(place: Place): Promise<string> {
  const dir = `${place.dir}/own`;
  await Deno.mkdir(dir);
  await Deno.chown(dir, USER, USER);
  return dir;
}

Deno.test({
  name:
    "a process that /proc hides from the service is not dead, and keeps its pipe",
  ignore: ignores("node", "root", "mount", "setpriv"),
  async fn() {
    await using place = await Place.make("mount -o remount,hidepid=2 /proc");
    const hidden = await place.sh(
      `${AS_USER.join(" ")} ls /proc | grep -c '^1$'`,
    );
    assertEquals(hidden, "0\n");
    const dir = await ownDir(place);
    // The recorder of root would not start in a directory of another user.
    const pipe = `${dir}/${Deno.pid}.stats`;
    await place.sh(`mkfifo ${pipe}`);
    await using service = await place.service("node", dir, {
      before: AS_USER,
    });
    const answer = service.stats();
    await place.sh(`timeout 5 sh -c 'echo "n: 3" > ${pipe}'`);
    assertEquals(await answer, { n: 3, states: ["ok"] });
    assertEquals(await place.sh(`ls ${dir}`), `${Deno.pid}.stats\n`);
    assertEquals(await service.logged(), []);
  },
});

for (const name of Object.keys(RUNTIMES)) {
  Deno.test({
    name:
      `without threads the recorder on ${name} says so, and with threads again it starts`,
    ignore: ignores(name, "root", "setpriv", "prlimit"),
    async fn() {
      await using place = await Place.make();
      const dir = await ownDir(place);
      await using program = await programOfUser(place, name, dir);
      await program.says("warm");
      const limit = (count: string) =>
        place.sh(
          `${AS_USER.join(" ")} prlimit --pid ${program.pid} --nproc=${count}:`,
        );
      const before = await place.sh(`ls -A ${dir}`);
      await limit("1");
      assertMatch(
        await program.says("start"),
        /^Cannot start the recorder: its thread must start \(.*\); let more run \(ulimit -u\), or give it memory$/,
      );
      assertEquals(await place.sh(`ls -A ${dir}`), before);
      await limit("");
      await limit("1000");
      assertEquals(await program.says("start"), "started");
      await place.heals(dir, program);
      await program.ends();
    },
  });

  Deno.test({
    name:
      `where the directory cannot be entered for a while the recorder on ${name} heals`,
    ignore: ignores(name, "root", "setpriv"),
    async fn() {
      await using place = await Place.make();
      const dir = await ownDir(place);
      await using program = await programOfUser(place, name, dir);
      assertEquals(await program.says("start"), "started");
      await place.heals(dir, program);
      await Deno.chmod(dir, 0);
      await Deno.remove(`${dir}/${program.pid}.stats`);
      await place.cat(dir, program);
      // The recorder looks after its pipe meanwhile.
      await new Promise((resolve) => setTimeout(resolve, 700));
      await Deno.chmod(dir, 0o755);
      await place.heals(dir, program);
      await program.ends();
    },
  });
}

Deno.test({
  name: "a ledger that cannot be read for a while loses nothing",
  ignore: ignores("node", "root", "setpriv"),
  async fn() {
    await using place = await Place.make();
    const dir = await ownDir(place);
    const ledger = `${dir}/.ledger.${USER}`;
    const live = async () => {
      await using program = await place.program("node", dir, {
        before: AS_USER,
      });
      await program.says("start");
      await program.ends();
    };
    await live();
    await Deno.chmod(ledger, 0);
    await live();
    assertEquals((await place.sh(`ls -A ${dir}`)).trim().split("\n").length, 2);
    await Deno.chmod(ledger, 0o644);
    await live();
    assertEquals(await place.sh(`ls -A ${dir}`), `.ledger.${USER}\n`);
    assertMatch(await Deno.readTextFile(ledger), /^n: 309$/m);
  },
});
