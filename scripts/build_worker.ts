/**
 * Bundles the recorder's thread into `recorder/worker_source.ts`.
 *
 * As a string inside the package it can be started from every place that the
 * package is loaded from: a folder that the program may not read, a registry,
 * a compiled program, an application bundled into one file.
 *
 * `--check` only says whether the file is up to date, by its exit code.
 *
 * @module
 */

const target = new URL("../recorder/worker_source.ts", import.meta.url);
const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
  // Minified, since the engine keeps several copies of the text: 1.4 MB less
  // resident memory.
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
