/**
 * Programs and services in a place where the system fails them.
 *
 * The faults are real. Most need root, and a mount namespace of their own that
 * ends with the test.
 *
 * @module
 */

import { assertEquals, assertMatch } from "@std/assert";
import { hasProgram, output, Program, ROOT, until } from "./program.ts";

/** Has the recorder started, and other things done, when a line on its input says so. */
const PROGRAM = `
import { closeSync, openSync, stat } from "node:fs";
import process from "node:process";
import { config, incr, startRecorder } from "./mod.js";

config.pipeDir = process.argv[2];
const files = [];
const commands = {
  async start(how) {
    try {
      await startRecorder({ checkpoint: how !== "plain" });
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

export const RUNTIMES: { [name: string]: { run: string[]; serve: string[] } } =
  {
    deno: {
      run: ["deno", "run", "-A"],
      serve: ["deno", "run", "-A", "web.js"],
    },
    node: { run: ["node"], serve: ["node", "cli.js", "serve"] },
    bun: { run: ["bun"], serve: ["bun", "cli.js", "serve"] },
  };

const missing: { [need: string]: string | undefined } = {};

/** Why a test cannot run, if it cannot. Says so once. */
export function ignores(...needs: string[]): boolean {
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
export let home = "";

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
export class Place implements AsyncDisposable {
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

export function isWhole(text: string): boolean {
  return text.includes("n: 3\n") && text.includes("# EOF: ");
}

/** A program or a service. */
export class Subject extends Program {
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

export const ELSEWHERE = "or set config.pipeDir or STATVENT_PIPE_DIR";

/** What the recorder says where it cannot make its pipe. */
export function notCreatable(dir: string, why: string, cure: string): RegExp {
  const escape = (text: string) => text.replace(/[.()/]/g, "\\$&");
  return new RegExp(
    `^Cannot start the recorder: pipes must be creatable in ${
      escape(dir)
    } \\([^()]*${why}[^()]*(\\(.*\\))?\\); ${escape(cure)}$`,
    "i",
  );
}

/** Takes all inodes and all bytes of a disk. */
export const FILL =
  '(i=0; while : > "$0/x.$i"; do i=$((i+1)); done); cat /dev/zero > "$0/x.0"';

export const EMPTY = 'rm -f "$0"/x.*';

export const DISK = 'mount -t tmpfs -o size=256k,nr_inodes=64 none "$0"';

export const READ_ONLY = 'mount -o remount,ro "$0"';

export const WRITABLE = 'mount -o remount,rw "$0"';

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
export async function withoutFiles(
  flag: string,
): Promise<Record<string, string>> {
  const shim = `${home}/shim.so`;
  await Deno.writeTextFile(`${home}/shim.c`, SHIM);
  const { code, stderr } = await output(
    ...["cc", "-shared", "-fPIC", "-o", shim, `${home}/shim.c`] as const,
  );
  assertEquals(code, 0, stderr);
  return { LD_PRELOAD: shim, ENFILE_IF: flag };
}

/** Asserts that a service has said nothing but why it did not answer, and nothing twice. */
export function assertSaidOnce(log: string[]): void {
  assertEquals(log, [...new Set(log)]);
  for (const line of log) {
    assertMatch(
      line,
      /^statvent: (.*too many open files.*; listening again|.*\.stats: It gave no answer in time)$/i,
    );
  }
}

/** A user whom nobody else is. */
export const USER = 64_990;

export const AS_USER = [
  "setpriv",
  `--reuid=${USER}`,
  `--regid=${USER}`,
  "--clear-groups",
];

/** Starts a program of that user. */
export async function programOfUser(
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
export async function ownDir(place: Place): Promise<string> {
  const dir = `${place.dir}/own`;
  await Deno.mkdir(dir);
  await Deno.chown(dir, USER, USER);
  return dir;
}
