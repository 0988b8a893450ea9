/**
 * The files that are published, as `deno.json` lists them.
 *
 * @module
 */

/**
 * The files that `publish.include` names, relative to the root.
 *
 * Knows what stands there: a file, the modules of a folder (`model/*.ts`), and
 * the modules of the root (`*.ts`).
 */
export function packageFiles(root: URL): string[] {
  const { publish } = JSON.parse(
    Deno.readTextFileSync(new URL("deno.json", root)),
  );
  return (publish.include as string[]).flatMap((pattern) => {
    if (!pattern.endsWith("*.ts")) return [pattern];
    const folder = pattern.slice(0, -"*.ts".length);
    return [...Deno.readDirSync(new URL(`./${folder}`, root))]
      .map(({ name }) => name)
      .filter((name) => name.endsWith(".ts"))
      .sort()
      .map((name) => folder + name);
  });
}
