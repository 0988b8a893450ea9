/**
 * What may be wrong around a recorder on Node.
 *
 * @module
 */

import { assertEquals, assertMatch } from "@std/assert";
import { hasProgram, output, ROOT, withDir } from "../helpers/program.ts";

const ignore = !await hasProgram("node", "--version");

/** What a program prints. */
async function printed(dir: string, text: string, before = "") {
  const build = await output(
    Deno.execPath(),
    ...["task", "--quiet", "--config", `${ROOT.pathname}/deno.json`, "npm"],
  );
  assertEquals(build.code, 0, build.stderr);
  const file = `${dir}/program.mjs`;
  await Deno.writeTextFile(
    file,
    `import { config, incr, startRecorder } from "${ROOT.pathname}/npm/mod.js";\n${text}\nprocess.exit();`,
  );
  return await output("sh", "-c", `${before} exec timeout 10 node ${file}`);
}

Deno.test({
  name: "a directory that cannot be is refused",
  ignore,
  fn: () =>
    withDir(async (dir) => {
      const { stdout } = await printed(
        dir,
        `config.pipeDir = "/proc/nope/deep";
         await startRecorder().catch((error) => console.log(error.message));`,
      );
      assertMatch(
        stdout,
        /^Cannot start the recorder: \/proc\/nope\/deep must be a directory that can be created \(ENOENT.*\); create it or set config\.pipeDir/,
      );
    }),
});

Deno.test({
  name:
    "a mask that forbids everything keeps nobody from the files of a recorder",
  ignore,
  fn: () =>
    withDir(async (dir) => {
      const { stdout, stderr } = await printed(
        dir,
        `import { lstatSync, readdirSync } from "node:fs";
         config.pipeDir = "${dir}/new/pipes"; incr("a"); await startRecorder();
         await new Promise((resolve) => setTimeout(resolve, 1_500));
         process.on("exit", () => {
           const names = [".", "..", ...readdirSync(config.pipeDir)];
           console.log(JSON.stringify(names.map((name) => lstatSync(config.pipeDir + "/" + name).mode & 0o7777).map((mode) => mode.toString(8)).sort()));
         });`,
        "umask 0777;",
      );
      const modes = JSON.parse(stdout || stderr) as string[];
      assertEquals([...new Set(modes)], ["644", "755"]);
    }),
});

Deno.test({
  name: "a program that drops its privileges after the start is told so once",
  ignore: ignore || Deno.uid() !== 0,
  fn: () =>
    withDir(async (dir) => {
      const { stderr } = await printed(
        dir,
        `config.pipeDir = "${dir}/pipes"; incr("a"); await startRecorder();
         process.setuid(65534);
         await new Promise((resolve) => setTimeout(resolve, 2_500));`,
      );
      assertEquals(
        stderr,
        "statvent: this process became user 65534 after user 0 had started the recorder, so its stats may no longer be readable; call startRecorder() after that\n",
      );
    }),
});
