/**
 * The files of the package, which are the same on JSR and npm but for modules.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { dirname, join } from "@std/path";
import { packageFiles } from "../../scripts/package_files.ts";
import { ROOT } from "../helpers/program.ts";

const FILES = packageFiles(ROOT);

/** The documents, which both packages have. */
const DOCUMENTS = FILES.filter((path) => /\.md$|^LICENSE$/.test(path));

const read = (path: string) => Deno.readTextFileSync(new URL(path, ROOT));

Deno.test("packageFiles() are those that publish.include names, in its order", () => {
  assertEquals(FILES[0], "cli.ts");
  assertEquals(FILES.filter((path) => path.startsWith("format/")).slice(0, 2), [
    "format/annotation_parser.ts",
    "format/annotation_words.ts",
  ]);
  assertEquals(DOCUMENTS.slice(0, 2), ["LICENSE", "README.md"]);
  assertEquals(DOCUMENTS.includes("docs/web.md"), true);
});

Deno.test("every relative link of a published document leads to a published document", () => {
  const dead: string[] = [];
  for (const path of DOCUMENTS) {
    // Neither code between fences nor code within a line has links.
    const text = read(path).replaceAll(/^```.*?^```$/gms, "")
      .replaceAll(/`[^`]*`/g, "");
    for (const [, target] of text.matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^[a-z]+:/.test(target)) continue;
      const [file] = target.split("#");
      const found = file === "" ? path : join(dirname(path), file);
      if (!DOCUMENTS.includes(found)) dead.push(`${path}: ${target}`);
    }
  }
  assertEquals(dead, []);
});

Deno.test("every document of the package can be reached from README.md", () => {
  const reached = new Set(["README.md"]);
  for (const path of reached) {
    for (const [, target] of read(path).matchAll(/\]\(([^)\s#]+)/g)) {
      const found = join(dirname(path), target);
      if (DOCUMENTS.includes(found)) reached.add(found);
    }
  }
  assertEquals(DOCUMENTS.filter((path) => !reached.has(path)), []);
});
