/**
 * Publishes the package, or shows with `--dry-run` what would be published.
 *
 * From a copy, because the folders in `links` stand in for `jsr:@std/…` while
 * developing: inside the package's folder they would count as part of it.
 *
 * @module
 */

import { packageFiles } from "./package_files.ts";

const root = new URL("..", import.meta.url).pathname;
const config = JSON.parse(await Deno.readTextFile(`${root}/deno.json`));
const stage = await Deno.makeTempDir({ prefix: "statvent-publish-" });

async function run(cwd: string, command: string, args: string[]) {
  const { code } = await new Deno.Command(command, { cwd, args }).spawn()
    .status;
  if (code !== 0) throw new Error(`${command} ${args.join(" ")}: exit ${code}`);
}

try {
  await Deno.mkdir(`${stage}/package`);
  const files = packageFiles(new URL("..", import.meta.url));
  await run(root, "cp", ["--parents", ...files, `${stage}/package`]);
  if (Deno.args.includes("--dry-run")) {
    await run(root, "cp", ["-r", "scripts/links", stage]);
    config.links = config.links.map((link: string) =>
      link.replace("./scripts", "..")
    );
  } else delete config.links;
  await Deno.writeTextFile(
    `${stage}/package/deno.json`,
    JSON.stringify(config, null, 2),
  );
  await run(`${stage}/package`, Deno.execPath(), [
    "publish",
    "--allow-dirty",
    ...Deno.args,
  ]);
} catch (error) {
  console.error((error as Error).message);
  Deno.exitCode = 1;
} finally {
  await Deno.remove(stage, { recursive: true });
}
