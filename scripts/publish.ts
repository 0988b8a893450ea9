/**
 * Publishes the package, or shows with `--dry-run` what would be published.
 *
 * Works on a copy, because `links` in `deno.json` replaces `jsr:@std/…` by
 * folders of this repository, and would take those for parts of the package.
 *
 * @module
 */

import { copy, ensureDir } from "@std/fs";
import { dirname } from "@std/path";
import { packageFiles } from "./package_files.ts";

const root = new URL("..", import.meta.url);
const isDryRun = Deno.args.includes("--dry-run");

/** Copies what is published into a folder. */
async function copyPackage(target: string): Promise<void> {
  for (const file of packageFiles(root)) {
    await ensureDir(dirname(`${target}/${file}`));
    await copy(new URL(file, root), `${target}/${file}`);
  }
}

/** Mends `links` of the copy: a registry has `@std`, a dry run may do without one. */
async function mendLinks(stage: string): Promise<void> {
  const path = `${stage}/package/deno.json`;
  const { links, ...config } = JSON.parse(await Deno.readTextFile(path));
  if (isDryRun) {
    await copy(new URL("scripts/links", root), `${stage}/links`);
    config.links = links.map((link: string) => link.replace("./scripts", ".."));
  }
  await Deno.writeTextFile(path, JSON.stringify(config, null, 2));
}

const stage = await Deno.makeTempDir({ prefix: "statvent-publish-" });
try {
  await copyPackage(`${stage}/package`);
  await mendLinks(stage);
  const { code } = await new Deno.Command(Deno.execPath(), {
    cwd: `${stage}/package`,
    args: ["publish", "--allow-dirty", ...Deno.args],
  }).spawn().status;
  Deno.exitCode = code;
} finally {
  await Deno.remove(stage, { recursive: true });
}
