/**
 * The files that are published, as `deno.json` lists them.
 *
 * Reads the file system, and writes copies.
 *
 * @module
 */

import { copy, ensureDir } from "@std/fs";
import { dirname } from "@std/path";

/**
 * The files that `publish.include` names, relative to the root.
 *
 * A pattern is a file, or the files of one folder with an ending: `*.ts`,
 * `model/*.ts`, `docs/*.md`.
 */
export function packageFiles(root: URL): string[] {
  const { publish } = JSON.parse(
    Deno.readTextFileSync(new URL("deno.json", root)),
  );
  return (publish.include as string[]).flatMap((pattern) => {
    const star = pattern.indexOf("*");
    if (star === -1) return [pattern];
    const folder = pattern.slice(0, star);
    const ending = pattern.slice(star + 1);
    return [...Deno.readDirSync(new URL(`./${folder}`, root))]
      .map(({ name }) => name)
      .filter((name) => name.endsWith(ending))
      .sort()
      .map((name) => folder + name);
  });
}

/** Copies the files that are published into a folder. */
export async function copyPackage(root: URL, target: string): Promise<void> {
  for (const file of packageFiles(root)) {
    await ensureDir(dirname(`${target}/${file}`));
    await copy(new URL(file, root), `${target}/${file}`);
  }
}
