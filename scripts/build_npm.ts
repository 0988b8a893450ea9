/**
 * Builds the npm package in `npm/` from the sources that are published on JSR.
 *
 * dnt, the usual tool, is on JSR only, so this uses what Deno brings:
 * `deno bundle` inlines `@std` and writes the declarations. `deno pack` would
 * leave `jsr:` specifiers where `links` resolves them.
 *
 * @module
 */

const root = new URL("..", import.meta.url).pathname;
const { version, license, exports } = JSON.parse(
  await Deno.readTextFile(`${root}/deno.json`),
);
const npm = `${root}/npm`;
await Deno.remove(npm, { recursive: true }).catch(() => {});

/** Bundles, and returns the folder. */
async function bundle(outdir: string, flags: string[], entries: string[]) {
  const { success, stderr } = await new Deno.Command(Deno.execPath(), {
    cwd: root,
    args: [
      "bundle",
      "--quiet",
      "--platform=deno",
      // What two entry points share must be there once.
      "--code-splitting",
      `--outdir=${outdir}`,
      ...flags,
      ...entries,
    ],
  }).output();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
}

const entries = Object.values<string>(exports);
await bundle(npm, [], [...entries, "./cli.ts"]);
const cli = await Deno.readTextFile(`${npm}/cli.js`);
await Deno.writeTextFile(`${npm}/cli.js`, `#!/usr/bin/env node\n${cli}`);

// Declarations are written for entry points only, but refer to other modules.
const types = await Deno.makeTempDir({ prefix: "statvent-types-" });
const sources = [...Deno.readDirSync(root)].map(({ name }) => name)
  .filter((name) => /^\w+\.ts$/.test(name) && name !== "cli.ts");
await bundle(types, ["--declaration"], sources);
const needed = entries.map((path) => path.slice(2, -3));
for (const name of needed) {
  const text = (await Deno.readTextFile(`${types}/${name}.d.ts`))
    .replaceAll(/(from|import\()\s*"\.\/(\w+)\.ts"/g, (_, word, other) => {
      if (!needed.includes(other)) needed.push(other);
      return `${word} "./${other}.js"`;
    });
  await Deno.writeTextFile(`${npm}/${name}.d.ts`, text);
}
await Deno.remove(types, { recursive: true });

const entry = (path: string) => {
  const base = path.replace(/\.ts$/, "");
  return { types: `${base}.d.ts`, default: `${base}.js` };
};
await Deno.writeTextFile(
  `${npm}/package.json`,
  `${
    JSON.stringify(
      {
        name: "statvent",
        version,
        description:
          "Metrics for programs that share a host: count in memory, read with cat",
        license,
        type: "module",
        sideEffects: false,
        engines: { node: ">=20.16", bun: ">=1.4" },
        bin: { statvent: "./cli.js" },
        exports: Object.fromEntries(
          Object.entries<string>(exports).map((
            [name, path],
          ) => [name, entry(path)]),
        ),
      },
      null,
      2,
    )
  }\n`,
);
for (const name of ["README.md", "LICENSE", "CHANGELOG.md", "PIPE_FORMAT.md"]) {
  await Deno.copyFile(`${root}/${name}`, `${npm}/${name}`);
}
