/**
 * Says what there is: one line for each path.
 *
 * Pure: no clock, no I/O.
 *
 * @module
 */

import { VERSION } from "../model/version.ts";
import type { Answer } from "../runtime/command_line.ts";
import { bytesAnswer } from "./respond.ts";

/** Whether a client prefers JSON to text: it says so, and wants no page. */
function wantsJson(accept: string | null): boolean {
  return accept !== null && /\bjson\b/.test(accept) && !/\btext\//.test(accept);
}

/** Lists paths, each with what it answers. */
export function answerIndex(
  paths: ReadonlyMap<string, string>,
  accept: string | null,
): Answer {
  const lines = [...paths];
  const width = Math.max(...lines.map(([path]) => path.length));
  const isJson = wantsJson(accept);
  const text = isJson
    ? `{\n${
      lines.map(([path, what]) =>
        `  ${JSON.stringify(path)}: ${JSON.stringify(what)}`
      ).join(",\n")
    }\n}\n`
    : [
      `statvent ${VERSION}`,
      ...lines.map(([path, what]) => `${path.padEnd(width)}  ${what}`),
    ].join("\n") + "\n";
  return bytesAnswer(200, new TextEncoder().encode(text), {
    "content-type": isJson ? "application/json" : "text/plain; charset=utf-8",
    vary: "accept",
  });
}
