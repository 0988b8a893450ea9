/**
 * The README and the pages in docs/, and what is fenced in them.
 *
 * Reads the repository.
 *
 * @module
 */

import { ROOT } from "./program.ts";

/** A page, by its path in the repository. */
export interface Page {
  readonly path: string;
  readonly text: string;
}

export const read = (path: string): Page => ({
  path,
  text: Deno.readTextFileSync(new URL(path, ROOT)),
});
export const README = read("README.md");
export const PAGES = [
  README,
  ...[...Deno.readDirSync(new URL("docs/", ROOT))]
    .map(({ name }) => `docs/${name}`)
    .sort()
    .map(read),
];

/** The fences of a page: their languages and contents. */
export function fences({ text }: Page): [language: string, content: string][] {
  return [...text.matchAll(/^```(.*?)\n(.*?)^```$/gms)].map((
    [, language, content],
  ) => [language, content]);
}

/** The contents of the fences of a language, on one page or on all of them. */
export function blocks(
  language: string,
  pages: Page | Page[] = PAGES,
): string[] {
  return [pages].flat().flatMap(fences)
    .filter((fence) => fence[0] === language)
    .map(([, content]) => content);
}
