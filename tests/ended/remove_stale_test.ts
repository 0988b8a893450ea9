/**
 * Tests of what processes leave that are killed while they remove or start
 * something.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { Collector } from "../../collect.ts";
import {
  alivePath,
  shortLivedPath,
  startLockPath,
  withdrawnPath,
} from "../../directory/file_names.ts";
import { values } from "../helpers/counting.ts";
import { idOf } from "../helpers/last_values.ts";
import {
  killShell,
  leftIn,
  LIVE,
  namesIn,
  output,
  startProgram,
  startShell,
  until,
  withDir,
} from "../helpers/program.ts";

import { runtime } from "../../runtime/runtime.ts";

const endedUrl = new URL("../../ended/remove_dead.ts", import.meta.url).href;
const runtimeUrl = new URL("../../runtime/runtime.ts", import.meta.url).href;

/** Serves a pipe as a simple writer does. Says in a file that it is about to open the first one. */
const WRITER = `trap '' PIPE; pipe="$0/$$.stats"; mkfifo "$pipe"; : > "$0/held"
  while { printf 'n: 3\n# EOF: 5\n'; rm "$pipe"; } > "$pipe"; do mkfifo "$pipe"; done`;

/** Makes a file that was last written some seconds ago. */
function makeOld(path: string, seconds: number): void {
  Deno.writeTextFileSync(path, "");
  const time = Date.now() / 1000 - seconds;
  Deno.utimeSync(path, time, time);
}

/** Starts a writer, and takes the name of its pipe away while it waits for a reader. */
async function withdrawn(dir: string): Promise<Deno.ChildProcess> {
  const writer = startShell(WRITER, dir);
  await until("the pipe", () => namesIn(dir).includes("held"));
  const { pid } = writer;
  const isWaiting = () =>
    / S /.test(Deno.readTextFileSync(`/proc/${pid}/stat`).slice(0, 40));
  await until("the writer", isWaiting);
  Deno.renameSync(`${dir}/${pid}.stats`, withdrawnPath(dir, `${pid}`));
  Deno.removeSync(`${dir}/held`);
  return writer;
}

/** Whether a process runs: it is there, and not dead and waited for. */
function isRunning(pid: number): boolean {
  try {
    return !/^\d+ \(sh\) Z/.test(Deno.readTextFileSync(`/proc/${pid}/stat`));
  } catch {
    return false;
  }
}

const isWithdrawn = (name: string) => name.endsWith(".withdrawn");

/** Waits until the writer can be read, by its only pipe. */
async function isThere(dir: string): Promise<void> {
  const collector = new Collector({ pipeDir: dir });
  await until(
    "an answer",
    async () => values(await collector.collect()).n === 3,
  );
  assertEquals(namesIn(dir).filter(isWithdrawn), []);
}

Deno.test("a live writer gets its pipe back that a remover took away before it was killed", () =>
  withDir(async (dir) => {
    const writer = await withdrawn(dir);
    try {
      await isThere(dir);
    } finally {
      await killShell(writer);
    }
  }));

Deno.test("a writer that goes on as soon as its withdrawn pipe is opened finds it by its name", () =>
  withDir(async (dir) => {
    const writer = await withdrawn(dir);
    const path = `${dir}/${writer.pid}.stats`;
    const { openReader } = runtime;
    let opened = 0;
    let hasEnded = false;
    writer.status.then(() => hasEnded = true);
    runtime.openReader = (name) => {
      const inode = () => runtime.identify(path)?.inode;
      const before = inode();
      const fd = openReader(name);
      if (!isWithdrawn(name)) return fd;
      opened++;
      // The writer has its turn, until it has made its next pipe or has ended.
      for (
        const end = Date.now() + 10_000;
        Date.now() < end && (inode() === undefined || inode() === before) &&
        isRunning(writer.pid);
      ) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5);
      return fd;
    };
    try {
      await isThere(dir);
      assertEquals({ opened, hasEnded }, { opened: 1, hasEnded: false });
    } finally {
      runtime.openReader = openReader;
      await killShell(writer);
    }
  }));

Deno.test("whoever starts a recorder puts pipes back and removes locks of starts that were killed", () =>
  withDir(async (dir) => {
    const writer = await withdrawn(dir);
    try {
      const lock = startLockPath(dir, 4_000_000);
      makeOld(lock, 6);
      await using program = await startProgram(
        `await startRecorder(); ${LIVE}`,
        { dir },
      );
      await program.printed("live");
      await until(
        "the sweep",
        () => !namesIn(dir).some((name) => /withdrawn|starting/.test(name)),
      );
      await isThere(dir);
    } finally {
      await killShell(writer);
    }
  }));

Deno.test("nothing is left of a dead process whose remover was killed in the middle", () =>
  withDir(async (dir) => {
    const base = "4000000";
    const sign = alivePath(dir, base, idOf(1));
    await output("mkfifo", `${dir}/${base}.stats`, sign);
    const dead = { id: idOf(1), base, owner: Deno.uid() };
    const { code } = await output(
      Deno.execPath(),
      "eval",
      `import { removeDead } from ${JSON.stringify(endedUrl)};
       import { runtime } from ${JSON.stringify(runtimeUrl)};
       const { rename } = runtime;
       runtime.rename = (path, newPath) => {
         rename(path, newPath);
         Deno.kill(Deno.pid, "SIGKILL");
       };
       removeDead(${JSON.stringify(dir)}, [${JSON.stringify(dead)}]);`,
    );
    assertEquals(code, 137);
    assertEquals(namesIn(dir).length, 2);
    await new Collector({ pipeDir: dir }).collect();
    assertEquals(leftIn(dir), []);
  }));

Deno.test("files that were made for a moment are removed when they are old", () =>
  withDir(async (dir) => {
    makeOld(startLockPath(dir, 1), 4);
    makeOld(startLockPath(dir, 2), 6);
    makeOld(shortLivedPath(dir, 3), 50);
    makeOld(shortLivedPath(dir, 4), 70);
    await output("mkfifo", `${dir}/.5.next`);
    await new Collector({ pipeDir: dir }).collect();
    assertEquals(
      namesIn(dir).map((name) => name.slice(0, 3)),
      [".1.", ".3.", ".5."],
    );
  }));
