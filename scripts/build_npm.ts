/**
 * Builds the npm package in `npm/` from the sources that are published on JSR.
 *
 * dnt, the usual tool, is on JSR only, so this uses what Deno brings:
 * `deno bundle` inlines `@std`. `deno pack` would leave `jsr:` specifiers where
 * `links` resolves them. TypeScript writes the declarations.
 *
 * @module
 */

import { dirname, join } from "@std/path";
import ts from "typescript";

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
await bundle(npm, [], entries);
const cli = await Deno.readTextFile(`${npm}/cli.js`);
await Deno.writeTextFile(`${npm}/cli.js`, `#!/usr/bin/env node\n${cli}`);

// Module by module: `deno bundle --declaration` inlines what is re-exported, and
// then has it twice. Every export has its types, as JSR asks for.
const needed = entries.map((path) => path.slice(2, -3));
for (const name of needed) {
  const fileName = `${name}.ts`;
  const { outputText, diagnostics = [] } = ts.transpileDeclaration(
    await Deno.readTextFile(`${root}/${fileName}`),
    {
      fileName,
      compilerOptions: {
        target: ts.ScriptTarget.ESNext,
        module: ts.ModuleKind.ESNext,
      },
    },
  );
  const [problem] = diagnostics;
  if (problem !== undefined) {
    const text = ts.flattenDiagnosticMessageText(problem.messageText, "\n");
    throw new Error(`Cannot declare ${fileName}: ${text}`);
  }
  const text = outputText.replaceAll(
    /(from|import\()\s*"(\.[^"]+)\.ts"/g,
    (_, word, path) => {
      const other = join(dirname(name), path);
      if (!needed.includes(other)) needed.push(other);
      return `${word} "${path}.js"`;
    },
  );
  await Deno.mkdir(dirname(`${npm}/${name}`), { recursive: true });
  await Deno.writeTextFile(`${npm}/${name}.d.ts`, text);
}

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
