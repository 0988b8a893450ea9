/**
 * Bundles the recorder's thread into `recorder/worker_source.ts`.
 *
 * A string inside the package starts as a thread wherever the package is loaded
 * from: a folder that the program may not read, a registry, a compiled program,
 * an application bundled into one file.
 *
 * `--check` writes nothing and fails if the file is out of date.
 *
 * @module
 */

const target = new URL("../recorder/worker_source.ts", import.meta.url);
const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
  // Minified, since the engine keeps several copies of the text, which took
  // 1.4 MB more of resident memory.
  args: [
    "bundle",
    "--quiet",
    "--platform=deno",
    "--minify",
    "recorder/worker.ts",
  ],
  cwd: new URL("..", import.meta.url),
}).output();
if (code !== 0) {
  console.error(new TextDecoder().decode(stderr));
  Deno.exit(1);
}
const bundle = new TextDecoder().decode(stdout);
const text = `/**
 * The recorder's thread as the text of a module.
 *
 * Made by \`deno task build\` from \`recorder/worker.ts\`. Do not edit.
 *
 * @module
 */

/** The text of the module. */
export const source: string = ${JSON.stringify(bundle)};
`;
if (Deno.args.includes("--check")) {
  if (await Deno.readTextFile(target) !== text) {
    console.error(
      "recorder/worker_source.ts is out of date: run `deno task build`",
    );
    Deno.exit(1);
  }
} else await Deno.writeTextFile(target, text);
