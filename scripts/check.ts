/**
 * Checks all that a change must pass besides the tests.
 *
 * Runs every check, even after one has failed, and fails if one has.
 * `--fix` formats first.
 *
 * @module
 */

import { packageFiles } from "./package_files.ts";

const root = new URL("..", import.meta.url);
const { exports } = JSON.parse(
  await Deno.readTextFile(new URL("deno.json", root)),
);
const doors = Object.values<string>(exports);

// Found by their fences, so that no new example is forgotten. Modules without
// one stay away, since a doc test also runs the module itself.
const modulesWithExamples = packageFiles(root).filter((file) =>
  file.endsWith(".ts") &&
  Deno.readTextFileSync(new URL(file, root)).includes("```ts")
);

/** The folders that have a `deno.json` and a lock of their own. */
const FOLDERS = [".", "bench", "scripts", "tests"];

/** Runs a command of Deno in a folder. */
async function deno(cwd: string, ...args: string[]): Promise<boolean> {
  console.log(`+ ${cwd === "." ? "" : `cd ${cwd} && `}deno ${args.join(" ")}`);
  const { success } = await new Deno.Command(Deno.execPath(), {
    cwd: new URL(cwd, root),
    args,
  }).spawn().status;
  return success;
}

const results: boolean[] = [];
for (const folder of FOLDERS) {
  results.push(
    await deno(
      folder,
      "fmt",
      ...Deno.args.includes("--fix") ? [] : ["--check"],
    ),
    await deno(folder, "lint"),
    await deno(folder, "check", "--quiet"),
  );
}
results.push(
  await deno(".", "task", "--quiet", "build", "--check"),
  await deno(".", "doc", "--lint", ...doors),
  await deno(
    ...[".", "test", "--quiet", "--doc"] as const,
    ...["--allow-read", "--allow-write", "--allow-run"],
    ...modulesWithExamples,
  ),
  await deno(".", "task", "--quiet", "publish", "--dry-run"),
);
if (results.includes(false)) Deno.exitCode = 1;
