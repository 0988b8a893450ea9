/**
 * Builds the npm package in `npm/` from the sources that are published on JSR.
 *
 * dnt, the usual tool, is on JSR only, so this uses what Deno brings:
 * `deno bundle` inlines `@std`. `deno pack` would leave `jsr:` specifiers where
 * `links` resolves them. TypeScript writes the declarations.
 *
 * @module
 */

import { copy, emptyDir, ensureDir } from "@std/fs";
import { dirname, join } from "@std/path";
import ts from "typescript";
import { packageFiles } from "./package_files.ts";

/** PLACEHOLDER: the owner puts the address of the public repository here. */
const REPOSITORY = "https://github.com/OWNER/statvent";

const root = new URL("..", import.meta.url).pathname;
const npm = `${root}npm`;
const { version, license, exports } = JSON.parse(
  await Deno.readTextFile(`${root}deno.json`),
);
const doors = Object.values<string>(exports);

/** Bundles the doors. */
async function bundle(): Promise<void> {
  const { success, stderr } = await new Deno.Command(Deno.execPath(), {
    cwd: root,
    args: [
      ...["bundle", "--quiet", "--platform=deno", `--outdir=${npm}`],
      // A module that two doors share must exist once, with one state.
      "--code-splitting",
      ...doors,
    ],
  }).output();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
  const cli = await Deno.readTextFile(`${npm}/cli.js`);
  await Deno.writeTextFile(`${npm}/cli.js`, `#!/usr/bin/env node\n${cli}`);
}

/** The declarations of a module. JSR asks that every export states its type. */
async function declare(fileName: string): Promise<string> {
  const { outputText, diagnostics = [] } = ts.transpileDeclaration(
    await Deno.readTextFile(`${root}${fileName}`),
    {
      fileName,
      compilerOptions: {
        target: ts.ScriptTarget.ESNext,
        module: ts.ModuleKind.ESNext,
      },
    },
  );
  const [problem] = diagnostics;
  // Without its libraries, TypeScript declares a method that is named by a symbol
  // once more as a property.
  if (problem === undefined) {
    return outputText.replaceAll(/^ +\[Symbol\.\w+\]: \(\) => .*\n/gm, "");
  }
  const text = ts.flattenDiagnosticMessageText(problem.messageText, "\n");
  throw new Error(`Cannot declare ${fileName}: ${text}`);
}

/**
 * Writes the declarations of the doors and of the modules that those mention.
 *
 * Module by module: `deno bundle --declaration` inlines what a door re-exports,
 * so that two doors would each have their own copy of a class.
 */
async function declareAll(): Promise<void> {
  const needed = new Set(
    doors.map((path) => path.slice("./".length, -".ts".length)),
  );
  // The set grows while it is walked.
  for (const name of needed) {
    const text = (await declare(`${name}.ts`)).replaceAll(
      /(from|import\()\s*"(\.[^"]+)\.ts"/g,
      (_, word, path) => {
        needed.add(join(dirname(name), path));
        return `${word} "${path}.js"`;
      },
    );
    await ensureDir(dirname(`${npm}/${name}`));
    // The library of no ECMAScript version has these types, so a project may lack
    // them.
    const library = /\b(?:Async)?Disposable\b/.test(text)
      ? `/// <reference lib="esnext.disposable" />\n`
      : "";
    await Deno.writeTextFile(`${npm}/${name}.d.ts`, library + text);
  }
}

/** The content of `package.json`. */
function manifest() {
  return {
    name: "statvent",
    version,
    description:
      "Metrics for programs that share a host: count in memory, read with cat, scrape or push",
    keywords: [
      "metrics",
      "monitoring",
      "statistics",
      "observability",
      "prometheus",
      "openmetrics",
      "opentelemetry",
      "graphite",
      "statsd",
      "counter",
      "gauge",
      "histogram",
      "percentile",
    ],
    license,
    homepage: `${REPOSITORY}#readme`,
    repository: { type: "git", url: `git+${REPOSITORY}.git` },
    bugs: `${REPOSITORY}/issues`,
    type: "module",
    sideEffects: ["./cli.js"],
    engines: { node: ">=20.16", bun: ">=1.4" },
    bin: { statvent: "./cli.js" },
    exports: Object.fromEntries(
      Object.entries<string>(exports).map(([name, path]) => {
        const base = path.replace(/\.ts$/, "");
        return [name, { types: `${base}.d.ts`, default: `${base}.js` }];
      }),
    ),
    files: ["**/*.js", "**/*.d.ts", "**/*.md"],
  };
}

/** Copies the documents and the license that JSR gets too. */
async function copyDocuments(): Promise<void> {
  for (const file of packageFiles(new URL("..", import.meta.url))) {
    if (file.endsWith(".ts") || file === "deno.json") continue;
    await ensureDir(dirname(`${npm}/${file}`));
    await copy(`${root}${file}`, `${npm}/${file}`);
  }
}

await emptyDir(npm);
await bundle();
await declareAll();
await copyDocuments();
await Deno.writeTextFile(
  `${npm}/package.json`,
  `${JSON.stringify(manifest(), null, 2)}\n`,
);
