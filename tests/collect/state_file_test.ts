import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { Collector, toMap } from "../../collect.ts";
import { lockState } from "../../collect/state_lock.ts";
import { writeLastValues } from "../../ended/last_values.ts";
import { end, recorded, startCounting, values } from "../helpers/counting.ts";
import { idOf, lastValues } from "../helpers/last_values.ts";
import {
  isLedger,
  leftIn,
  namesIn,
  output,
  until,
  withDir,
} from "../helpers/program.ts";

const uid = Deno.uid()!;

const isRoot = uid === 0;

function valueOf(host: Parameters<typeof toMap>[0], name: string) {
  return toMap(host).get(name)?.value;
}

Deno.test("what was read of an end counts after a restart although nobody gets to its file", () =>
  withDir(async (dir) => {
    const pipeDir = `${dir}/pipes`;
    Deno.mkdirSync(pipeDir);
    const state = `${dir}/state`;
    // It was killed, so that nobody takes it in for now.
    const bytes = lastValues(1, "n: 5\n", 1, false);
    const file = writeLastValues(pipeDir, idOf(1), 1, bytes, 0o644);
    const n = async () =>
      valueOf(
        await new Collector({ pipeDir, deadline: 5000, state }).collect(),
        "n",
      );
    assertEquals(await n(), 5);
    Deno.renameSync(file, `${dir}/away`);
    assertEquals([await n(), await n()], [5, 5]);
    Deno.renameSync(`${dir}/away`, file);
    assertEquals([await n(), await n()], [5, 5]);
    Deno.utimeSync(file, 1, 1);
    assertEquals([await n(), await n()], [5, 5]);
    assertEquals(leftIn(pipeDir), []);
  }));

Deno.test("a state is for its user alone, and nobody else can have written it", () =>
  withDir(async (dir) => {
    const state = `${dir}/state`;
    const options = { pipeDir: `${dir}/pipes`, state };
    await new Collector(options).collect();
    assertEquals(Deno.statSync(state).mode! & 0o777, 0o600);
    if (!isRoot) return;
    Deno.chownSync(state, 12_345, 12_345);
    assertThrows(
      () => new Collector(options),
      Error,
      `Cannot use the state file ${state}: it must belong to the user of this process or to root, but belongs to user 12345`,
    );
  }));

Deno.test("lockState() lets one of several have the state that start at the same time", () =>
  withDir(async (dir) => {
    const state = `${dir}/state`;
    // As if the last one was killed.
    const dead = new Deno.Command("true").spawn();
    await dead.status;
    await Deno.writeTextFile(`${state}.lock`, `${dead.pid}`);
    const url = JSON.stringify(
      new URL("../../collect/state_lock.ts", import.meta.url).href,
    );
    const text = `const { lockState } = await import(${url});
      try { await lockState(${
      JSON.stringify(state)
    }); console.log("has it"); await new Promise((go) => setTimeout(go, 5000)); }
      catch (error) { console.log(error.message); }`;
    const children = Array.from(
      { length: 4 },
      () =>
        new Deno.Command(Deno.execPath(), {
          args: ["eval", "--quiet", "--no-check", text],
          stdout: "piped",
          stderr: "null",
        }).spawn(),
    );
    const said = await Promise.all(children.map(async ({ stdout }) => {
      const reader = stdout.pipeThrough(new TextDecoderStream()).getReader();
      const { value = "" } = await reader.read();
      await reader.cancel();
      return value.trim();
    }));
    for (const child of children) {
      try {
        child.kill("SIGKILL");
      } catch {
        // It has ended.
      }
      await child.status;
    }
    assertEquals(said.filter((text) => text === "has it").length, 1, `${said}`);
    // Whoever has died has it no more.
    await lockState(state);
  }));

Deno.test("a collector with a state goes on where the last one has ended", () =>
  withDir(async (parent) => {
    const dir = `${parent}/pipes`;
    const state = `${parent}/state`;
    const start = () => new Collector({ pipeDir: dir, deadline: 5000, state });
    const n = async (collector: Collector) =>
      values(await collector.collect()).n;
    const [a, b, c, d] = await Promise.all(
      [1, 2, 3, 4].map((n) => startCounting(n, dir)),
    );
    let collector = start();
    assertEquals(await n(collector), 10);
    await end(a, "SIGKILL");
    assertEquals(await n(collector), 10);
    collector = start();
    assertEquals(await n(collector), 10);
    // While there is no collector.
    await end(b, "SIGKILL");
    await end(c, "SIGUSR2");
    for (let i = 0; i < 3; i++) {
      collector = start();
      assertEquals(await n(collector), 110);
      assertEquals(await n(collector), 110);
    }
    // The ledger is deleted, and a new one begun.
    for (const name of namesIn(dir).filter(isLedger)) {
      await Deno.remove(`${dir}/${name}`);
    }
    assertEquals(await n(collector), 110);
    await Deno.remove(dir, { recursive: true });
    collector = start();
    await until("the pipe", () => namesIn(dir).includes(`${d.pid}.stats`));
    assertEquals(await n(collector), 110);
    await end(d, "SIGUSR2");
    collector = start();
    assertEquals(await n(collector), 210);
    collector = start();
    const host = await collector.collect();
    assertEquals([values(host), recorded(host)], [{ n: 210 }, 4]);
    // One without the state knows the last ledger only.
    assertEquals(await n(new Collector({ pipeDir: dir, deadline: 5000 })), 104);
  }));

Deno.test("a damaged state stops no collector: it is put aside, and its predecessor stands in for it", () =>
  withDir(async (dir) => {
    const state = `${dir}/state`;
    const pipeDir = `${dir}/pipes`;
    Deno.mkdirSync(pipeDir);
    const file = writeLastValues(
      pipeDir,
      idOf(1),
      1,
      lastValues(1, "n: 5\n", 1, false),
      0o644,
    );
    const first = new Collector({ pipeDir, deadline: 5000, state });
    for (let i = 0; i < 2; i++) await first.collect();
    Deno.removeSync(file);
    const good = await Deno.readFile(state);
    const flipped = good.slice();
    flipped[good.length >> 1] ^= 1;
    const cases: [string, Uint8Array][] = [
      ["empty", new Uint8Array(0)],
      ["cut", good.subarray(0, good.length >> 1)],
      ["flipped", flipped],
      ["old", new TextEncoder().encode('{"version":2}')],
      ["other", new TextEncoder().encode("garbage")],
    ];
    for (const [name, bytes] of cases) {
      await Deno.writeFile(state, bytes);
      await Deno.writeFile(`${state}.bak`, good);
      const lines: string[] = [];
      const log = (line: string) => lines.push(line);
      const host = await new Collector({ pipeDir, deadline: 5000, state, log })
        .collect();
      assertEquals(valueOf(host, "n"), 5, name);
      assertEquals(lines, [
        `${state}: it is damaged, or of another version, so it was put aside as ${state}.damaged`,
      ]);
      assertEquals(await Deno.readFile(`${state}.damaged`), bytes);
      // The state is whole again.
      const again = new Collector({ pipeDir, deadline: 5000, state, log });
      assertEquals(valueOf(await again.collect(), "n"), 5, name);
      assertEquals(lines.length, 1);
    }
    // Nothing to fall back on.
    await Deno.writeTextFile(state, "");
    await Deno.writeTextFile(`${state}.bak`, "");
    const lines: string[] = [];
    const log = (line: string) => lines.push(line);
    await new Collector({ pipeDir, deadline: 5000, state, log }).collect();
    assertEquals(lines.length, 2);
  }));

Deno.test("new Collector() refuses a state file that is none, or that it cannot write", () =>
  withDir(async (dir) => {
    const state = `${dir}/state`;
    await Deno.mkdir(state);
    assertThrows(
      () => new Collector({ pipeDir: dir, deadline: 5000, state }),
      Error,
      `Cannot use the state file ${state}: it must be a regular file`,
    );
    const why = `Cannot use the state file ${dir}/none/state: ` +
      `the directory ${dir}/none must exist`;
    const message = assertThrows(
      () => new Collector({ state: `${dir}/none/state` }),
      Error,
    ).message;
    assertEquals(message, why);
    const { message: ofLock } = await assertRejects(
      () => lockState(`${dir}/none/state`),
      Error,
    );
    assertEquals(ofLock, why);
    // Nothing half done is left.
    assertEquals(namesIn(dir), ["state"]);
  }));

Deno.test("lockState() asks the kernel whether a lock is held, and no process id", () =>
  withDir(async (dir) => {
    const state = `${dir}/state`;
    // As a service has left it that was killed, whose id this process has now.
    await output("mkfifo", `${state}.lock`);
    await lockState(state);
    await assertRejects(
      () => lockState(state),
      Error,
      `Cannot use the state file ${state}: each service needs a file of its own, but another process uses it`,
    );
    assertEquals(namesIn(dir), ["state.lock"]);
  }));

Deno.test("a state that cannot be written is reported once until it can", () =>
  withDir(async (dir) => {
    const state = `${dir}/state`;
    const errors: string[] = [];
    const collector = new Collector({
      pipeDir: dir,
      state,
      log: (line) => errors.push(line),
    });
    for (let i = 1; i <= 2; i++) {
      await Deno.remove(state);
      await Deno.mkdir(state);
      for (let j = 0; j < 3; j++) await collector.collect();
      assertEquals(errors.length, i);
      assert(
        errors[i - 1].startsWith(`Cannot use the state file ${state}: `),
        errors[i - 1],
      );
      await Deno.remove(state);
      await collector.collect();
    }
    assertEquals(errors.length, 2);
    assertEquals(namesIn(dir), ["state"]);
  }));
