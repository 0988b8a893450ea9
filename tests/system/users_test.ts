/**
 * Several users on one machine: real ones, made for the test, so it runs as
 * root only.
 *
 * @module
 */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { exists } from "@std/fs";
import { Collector } from "../../collect.ts";
import { seal } from "../../ended/seal.ts";
import { ledgerIn, output, ROOT, until } from "../helpers/program.ts";
import { Service } from "../helpers/service.ts";
import { whole } from "../helpers/text.ts";

const isRoot = Deno.uid() === 0;

const hasUseradd =
  (await output("sh", "-c", "command -v useradd setpriv")).code === 0;

const ignore = !isRoot || !hasUseradd;

if (ignore) {
  console.log(
    `skipped: several users, because ${
      isRoot ? "there is no useradd or setpriv" : "this is not root"
    }`,
  );
}

/** The identity of a process, as everybody can read it in the directory. */
function idIn(dir: string, pid: number): string {
  const start = `.${pid}.`;
  return [...Deno.readDirSync(dir)].map(({ name }) => name)
    .find((name) => name.startsWith(start) && name.endsWith(".alive"))!
    .slice(start.length, -".alive".length);
}

/** Two users, and a program that both can run. */
class Machine implements AsyncDisposable {
  readonly dir: string;
  readonly users: [name: string, id: number][] = [];
  readonly #children: Deno.ChildProcess[] = [];

  constructor(dir: string) {
    this.dir = dir;
  }

  static async start(): Promise<Machine> {
    const machine = new Machine(
      await Deno.makeTempDir({ prefix: "statvent-users-" }),
    );
    await Deno.chmod(machine.dir, 0o755);
    for (const letter of ["a", "b"]) {
      const name = `statvent-${letter}-${Deno.pid}`;
      await output("useradd", "--no-create-home", name);
      const { stdout } = await output("id", "-u", name);
      machine.users.push([name, Number(stdout)]);
    }
    // The home of root, where Deno may be, is closed to them.
    await Deno.copyFile(Deno.execPath(), `${machine.dir}/deno`);
    await Deno.chmod(`${machine.dir}/deno`, 0o755);
    await output(
      Deno.execPath(),
      ...["bundle", "--quiet", "--platform=deno"],
      ...[`--output=${machine.dir}/mod.js`, `${ROOT.pathname}/mod.ts`],
    );
    return machine;
  }

  /** Runs a shell command as one of the users. */
  as(user: number, ...args: string[]): Deno.ChildProcess {
    const [, id] = this.users[user];
    const child = new Deno.Command("setpriv", {
      args: [`--reuid=${id}`, `--regid=${id}`, "--clear-groups", ...args],
      env: { HOME: "/nonexistent", DENO_DIR: `${this.dir}/cache-${user}` },
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    this.#children.push(child);
    return child;
  }

  /** What a shell command prints that one of the users runs. */
  async sh(user: number, text: string) {
    const { code, stdout, stderr } = await this.as(user, "sh", "-c", text)
      .output();
    const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
    return { code, stdout: decode(stdout), stderr: decode(stderr) };
  }

  /** Starts a program of a user that counts. Resolves with its error, if it has one. */
  async program(user: number, pipeDir: string, text = "") {
    const file = `${this.dir}/program-${crypto.randomUUID()}.mjs`;
    await Deno.writeTextFile(
      file,
      `import { config, incr, startRecorder } from "${this.dir}/mod.js";
config.pipeDir = ${JSON.stringify(pipeDir)};
${text}
incr("of.${user}", 3);
try { await startRecorder(); console.log("live"); setInterval(() => {}, 1e6); }
catch (error) { console.log(error.message); }`,
    );
    const child = this.as(
      user,
      ...[`${this.dir}/deno`, "run", "--quiet", "--no-prompt"],
      ...["--allow-all", file],
    );
    const reader = child.stdout.pipeThrough(new TextDecoderStream())
      .getReader();
    const { value = "" } = await reader.read();
    reader.releaseLock();
    return { pid: child.pid, child, said: value.trim() };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const child of this.#children) {
      try {
        child.kill("SIGKILL");
      } catch {
        // It has ended.
      }
      await child.status;
      for (const stream of [child.stdout, child.stderr]) {
        if (!stream.locked) await stream.cancel().catch(() => {});
      }
    }
    for (const [name] of this.users) await output("userdel", name);
    await Deno.remove(this.dir, { recursive: true });
  }
}

/** The web service, which root runs with all permissions, as far as a test needs it. */
class RootService extends Service {
  #logged = 0;

  /** The next lines that it has logged. */
  async log(lines: number): Promise<string> {
    const next = () => this.stderr.split("\n").slice(this.#logged, -1);
    await until("the log", () => next().length >= lines);
    const text = next().map((line) => `${line}\n`).join("");
    this.#logged += next().length;
    return text;
  }

  async read(path: string) {
    const url = `http://127.0.0.1:${await this.port()}${path}`;
    return await (await fetch(url)).json();
  }

  /** The stats, and what is said of each process. */
  async collect(): Promise<{
    stats: Record<string, number>;
    processes: { pid: number; state: string; error?: string; start?: number }[];
  }> {
    const { stats } = await this.read("/stats");
    return { stats, processes: (await this.read("/processes")).processes };
  }
}

Deno.test({ name: "several users of one machine", ignore }, async (t) => {
  await using machine = await Machine.start();
  const [, [, idB]] = machine.users;
  const [[, idA]] = machine.users;
  const { dir } = machine;

  await t.step("a directory of another user is refused", async () => {
    const owned = `${dir}/owned`;
    await Deno.mkdir(owned);
    await Deno.chown(owned, idB, idB);
    await Deno.chmod(owned, 0o1777);
    const { said } = await machine.program(0, owned);
    assertEquals(
      said,
      `Cannot start the recorder: ${owned} must belong to the user of this process or to root, but belongs to user ${idB}; set config.pipeDir or STATVENT_PIPE_DIR`,
    );
    assertEquals([...Deno.readDirSync(owned)], []);
  });

  await t.step("a link of another user is refused", async () => {
    const shared = `${dir}/with-link`;
    await Deno.mkdir(shared);
    await Deno.chmod(shared, 0o1777);
    const mine = `${dir}/mine`;
    await Deno.mkdir(mine);
    await Deno.chown(mine, idA, idA);
    await machine.sh(1, `ln -s ${mine} ${shared}/pipes`);
    const { said } = await machine.program(0, `${shared}/pipes`);
    assertStringIncludes(said, "must belong to the user of this process");
    assertEquals([...Deno.readDirSync(mine)], []);
  });

  await t.step("a directory where all may remove is refused", async () => {
    const open = `${dir}/open`;
    await Deno.mkdir(open);
    await Deno.chmod(open, 0o777);
    const { said } = await machine.program(0, open);
    assertStringIncludes(said, `${open} must have the sticky bit`);
    assertEquals([...Deno.readDirSync(open)], []);
  });

  await t.step("users share a directory that root has made", async () => {
    const shared = `${dir}/shared`;
    // As SECURITY.md has it.
    const page = await Deno.readTextFile(new URL("SECURITY.md", ROOT));
    const [, command] = /```sh\n(.*?)\n```/s.exec(page)!;
    await output("sh", "-c", command.replace("/tmp/stats-pipe", shared));
    const a = await machine.program(0, shared);
    const b = await machine.program(1, shared);
    assertEquals([a.said, b.said], ["live", "live"]);
    await using service = new RootService(shared);
    const host = await service.collect();
    assertEquals(host.processes.map(({ state }) => state), ["ok", "ok"]);
    assertEquals(host.stats, { "of.0": 3, "of.1": 3 });

    // What the other one can do: read, and no more.
    const pipe = `${shared}/${a.pid}.stats`;
    assertStringIncludes(
      (await machine.sh(1, `timeout 5 cat ${pipe}`)).stdout,
      "of.0: 3\n",
    );
    await until("the next pipe", async () => {
      return (await service.collect()).processes
        .every(({ state }) => state === "ok");
    });
    for (
      const deed of [
        `rm -f ${pipe}`,
        `mv ${pipe} ${shared}/x`,
        `mkfifo ${shared}/y && mv -f ${shared}/y ${pipe}`,
        `: >> ${pipe}`,
      ]
    ) {
      const { code } = await machine.sh(1, `timeout 2 sh -c '${deed}'`);
      assert(code !== 0, deed);
    }

    // A ledger, and a file of the end, that say the first process has ended.
    const key = idIn(shared, a.pid);
    const forge = (text: string) => new TextDecoder().decode(seal(whole(text)));
    const ledger = forge(
      `of.0: 1000\n# ledger {"id":"x","generation":1,"count":1,"killed":0,"ended":["${key}"]}: 1\n`,
    );
    for (const owner of [idA, idB]) {
      await machine.sh(
        1,
        `printf '%s' '${ledger}' > ${shared}/.ledger.${owner}.1`,
      );
    }
    await machine.sh(
      1,
      `printf '%s' '${
        forge(`x: 1\n# process {"id":"${key}","start":1}: 0\n# seq: 99\n`)
      }' > ${shared}/.ended.${key}.99`,
    );
    const after = await service.collect();
    // What it says of itself counts, as does what it forges under its own name;
    // nothing is taken from the other.
    assertEquals(after.stats["of.0"], 1003);
    assertEquals(after.stats["of.1"], 3);

    // A pipe that is named after a process of the other.
    const sleeper = machine.as(0, "sleep", "60");
    const planted = `${shared}/${sleeper.pid}.stats`;
    machine.as(
      1,
      ...["sh", "-c", `mkfifo ${planted}; exec echo 'forged: 1' > ${planted}`],
    );
    await until(
      "the planted pipe",
      () => exists(planted),
    );
    const forged = await service.collect();
    const [status] = forged.processes.filter(({ pid }) => pid === sleeper.pid);
    assertEquals([status.state, status.error], [
      "invalid",
      "It must be a pipe of the user of its process",
    ]);
    assertEquals(forged.stats["forged"], undefined);
  });

  await t.step(
    "who takes the names that another user's end needs takes nothing else",
    async () => {
      const shared = `${dir}/ends`;
      await Deno.mkdir(shared);
      await Deno.chmod(shared, 0o1777);
      await using service = new RootService(shared);
      const ends = 'Deno.addSignalListener("SIGTERM", () => Deno.exit());';
      const a = await machine.program(0, shared, ends);
      await service.collect();
      const name = `.ended.${idIn(shared, a.pid)}`;
      const ledger = `${shared}/.ledger.${idA}.1`;
      // Any number that its last snapshot may have.
      const names = Array.from({ length: 12 }, (_, i) => `${name}.${i + 1}`);
      for (
        const path of [...names.map((name) => `${shared}/${name}`), ledger]
      ) {
        assertEquals((await machine.sh(1, `: > ${path}`)).code, 0);
      }
      a.child.kill("SIGTERM");
      await a.child.status;
      const left = [...Deno.readDirSync(shared)].map(({ name }) => name)
        .filter((other) => other.startsWith(name) && !names.includes(other));
      assertEquals(left.length, 1);
      const twin = `.ended.${"0".repeat(32)}.1`;
      // It may be given another name only where the system lets that be.
      await machine.sh(1, `ln ${shared}/${left[0]} ${shared}/${twin}`);
      for (let i = 0; i < 2; i++) {
        const { stats, processes } = await service.collect();
        assertEquals([stats, processes], [{ "of.0": 3 }, []]);
      }
      assertEquals(
        (await service.log(13)).split("\n").toSorted(),
        [
          "",
          `statvent: ${ledger}: It must belong to user ${idA}`,
          ...names.map((name) => `statvent: ${shared}/${name}: It is damaged`),
        ].toSorted(),
      );
      // Root makes room, and the next one that ends takes in both.
      await Deno.remove(ledger);
      await Deno.remove(`${shared}/${twin}`).catch(() => {});
      const next = await machine.program(0, shared, ends);
      next.child.kill("SIGTERM");
      await next.child.status;
      assertEquals((await service.collect()).stats, { "of.0": 6 });
      await until("the ledger", async () => {
        assertEquals((await service.collect()).stats, { "of.0": 6 });
        const path = ledgerIn(shared, idA);
        return path && Deno.readTextFileSync(path).includes("of.0: 6\n");
      });
    },
  );

  await t.step("config.pipeMode keeps others from reading", async () => {
    const shared = `${dir}/shared`;
    const a = await machine.program(0, shared, "config.pipeMode = 0o600;");
    assertEquals(a.said, "live");
    const { code, stderr } = await machine.sh(
      1,
      `timeout 5 cat ${shared}/${a.pid}.stats`,
    );
    assertEquals(code, 1);
    assertStringIncludes(stderr, "Permission denied");
  });

  await t.step("config.pipeDirMode lets others in", async () => {
    const made = `${dir}/shared/made`;
    const a = await machine.program(0, made, "config.pipeDirMode = 0o1777;");
    assertEquals(a.said, "live");
    assertEquals(Deno.statSync(made).mode! & 0o7777, 0o1777);
  });

  await t.step(
    "what may not be booked is a figure, until somebody books it",
    async () => {
      const shared = `${dir}/unbooked`;
      await Deno.mkdir(shared);
      await Deno.chmod(shared, 0o1777);
      await output(
        Deno.execPath(),
        ...["bundle", "--quiet", "--platform=deno"],
        ...[`--output=${dir}/collect.js`, `${ROOT.pathname}/collect.ts`],
      );
      const b = await machine.program(1, shared);
      const file = `${dir}/collect-shared.mjs`;
      await Deno.writeTextFile(
        file,
        `import { Collector, toMap } from "${dir}/collect.js";
const collector = new Collector({ pipeDir: ${JSON.stringify(shared)} });
for (let i = 0; i < 16; i++) {
  const { unbooked, killed } = await collector.read();
  const n = toMap(await collector.collect()).get("of.1")?.value;
  console.log(JSON.stringify({ n, killed, unbooked }));
  await new Promise((resolve) => setTimeout(resolve, 200));
}`,
      );
      // Another user counts on with what it has read, and says so.
      const reads = machine.as(
        0,
        ...[
          `${dir}/deno`,
          "run",
          "--quiet",
          "--no-prompt",
          "--allow-all",
          file,
        ],
      );
      const lines: string[] = [];
      for await (
        const text of reads.stdout.pipeThrough(new TextDecoderStream())
      ) {
        lines.push(...text.trim().split("\n"));
        // It has a checkpoint by then.
        if (lines.length === 8) b.child.kill("SIGKILL");
      }
      assertEquals(lines[0], '{"n":3,"killed":0,"unbooked":0}');
      assertEquals(lines.at(-1), '{"n":3,"killed":1,"unbooked":1}');
      const hasPipe = () =>
        [...Deno.readDirSync(shared)].some(({ name }) =>
          name.endsWith(".stats")
        );
      assertEquals(hasPipe(), true);
      // Root books for everybody.
      const collector = new Collector({ pipeDir: shared });
      const { killed, unbooked } = await collector.read();
      assertEquals([killed, unbooked, hasPipe()], [1, 0, false]);
      const [booked] = [...Deno.readDirSync(shared)];
      assertEquals(Deno.statSync(`${shared}/${booked.name}`).uid, idB);
    },
  );

  await t.step("forget takes names out of one's own totals only", async () => {
    const shared = `${dir}/forget`;
    await Deno.mkdir(shared);
    await Deno.chmod(shared, 0o1777);
    const cli = `${dir}/cli.js`;
    await output(
      Deno.execPath(),
      ...["bundle", "--quiet", "--platform=deno"],
      ...[`--output=${cli}`, `${ROOT.pathname}/cli.ts`],
    );
    for (const user of [0, 1]) {
      const { child } = await machine.program(
        user,
        shared,
        `incr("both"); Deno.addSignalListener("SIGTERM", () => Deno.exit());`,
      );
      child.kill("SIGTERM");
      await child.status;
    }
    await using service = new RootService(shared);
    const before = { both: 2, "of.0": 3, "of.1": 3 };
    assertEquals((await service.collect()).stats, before);
    const forget = `${dir}/deno run -A ${cli} forget '*' --yes -d ${shared}`;
    const { code, stdout } = await machine.sh(0, forget);
    assertEquals(
      [code, stdout],
      [0, "both  1\nof.0  3\nRemoved 2 names from the totals.\n"],
    );
    assertEquals((await service.collect()).stats, { both: 1, "of.1": 3 });
    assertEquals((await output("sh", "-c", forget)).code, 0);
    assertEquals((await service.collect()).stats, {});
    const ledger = ledgerIn(shared, idB)!;
    assertEquals(Deno.statSync(ledger).uid, idB);
  });
});
