/**
 * Publishes the package, or shows with `--dry-run` what would be published.
 *
 * Works on a copy, because `links` in `deno.json` replaces `jsr:@std/…` by
 * folders of this repository, and would take those for parts of the package.
 *
 * @module
 */

import { copy } from "@std/fs";
import { copyPackage } from "./package_files.ts";

const root = new URL("..", import.meta.url);
const isDryRun = Deno.args.includes("--dry-run");

/** Adapts `links` of the copy: JSR has `@std`, a dry run must do without JSR. */
async function adaptLinks(stage: string): Promise<void> {
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
  await copyPackage(root, `${stage}/package`);
  await adaptLinks(stage);
  const { code } = await new Deno.Command(Deno.execPath(), {
    cwd: `${stage}/package`,
    args: ["publish", "--allow-dirty", ...Deno.args],
  }).spawn().status;
  Deno.exitCode = code;
} finally {
  await Deno.remove(stage, { recursive: true });
}
