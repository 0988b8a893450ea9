import { assertEquals } from "@std/assert";
import { isAlive } from "../../directory/sign_of_life.ts";
import { output, withDir } from "../helpers/program.ts";

/** A process that holds a pipe open, and does nothing else. */
async function hold(path: string): Promise<Deno.ChildProcess> {
  const child = new Deno.Command("sh", {
    args: ["-c", 'exec 3<>"$0"; echo held; exec sleep 100', path],
    stdout: "piped",
  }).spawn();
  const reader = child.stdout.getReader();
  await reader.read();
  reader.releaseLock();
  return child;
}

async function end(child: Deno.ChildProcess): Promise<void> {
  child.kill("SIGKILL");
  await child.status;
  await child.stdout.cancel();
}

Deno.test("isAlive() knows a process that runs, one that is stopped, and one that was killed", () =>
  withDir(async (dir) => {
    const path = `${dir}/sign`;
    assertEquals(isAlive(path), undefined);
    await output("mkfifo", path);
    assertEquals(isAlive(path), false);
    const child = await hold(path);
    assertEquals(isAlive(path), true);
    child.kill("SIGSTOP");
    assertEquals(isAlive(path), true);
    await end(child);
    assertEquals(isAlive(path), false);
  }));

Deno.test("isAlive() asks no file that is not a named pipe", () =>
  withDir(async (dir) => {
    await Deno.writeTextFile(`${dir}/file`, "");
    assertEquals(isAlive(`${dir}/file`), undefined);
    await output("mkfifo", `${dir}/fifo`);
    await Deno.symlink(`${dir}/fifo`, `${dir}/link`);
    assertEquals(isAlive(`${dir}/link`), undefined);
  }));
