/**
 * The files that are published, as `deno.json` lists them.
 *
 * Reads the file system.
 *
 * @module
 */

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
