/**
 * The page of one runtime in `bench/results/`, written and read back.
 *
 * Pure: no clock, no I/O.
 *
 * @module
 */

import type { Answer } from "./answer.ts";
import type { About } from "./runtimes.ts";
import { tableOf } from "./table.ts";

/** A whole run. */
export interface Report extends About {
  /** When the run began, as ISO 8601 has it. */
  readonly date: string;
  /** The version of statvent. */
  readonly statvent: string;
  /** The versions of the peers, by name. */
  readonly peers: Readonly<Record<string, string>>;
  readonly questions: readonly Answer[];
}

/** One comparison as a page shows it. */
export interface Comparison {
  /** The number of the question. */
  readonly question: number;
  readonly what: string;
  readonly against: string;
  /** The texts of the cells; empty for a ratio that could not be computed. */
  readonly statvent: string;
  readonly ratio: string;
  readonly toFloor: string;
}

/** The content of a page. */
export interface Page {
  /** Such as `Deno 2.9.6`. */
  readonly runtime: string;
  readonly processor: string;
  /** Such as `2026-01-31`. */
  readonly date: string;
  readonly rows: readonly Comparison[];
}

/** The lines before the tables: what was measured, and on which machine. */
export function head(report: Report): string {
  const { runtime, processor, date, statvent, peers } = report;
  return [
    `${runtime}, ${processor}, ${date.slice(0, 10)}`,
    `statvent ${statvent}`,
    ...Object.entries(peers).map(([name, version]) => `${name} ${version}`),
    "",
  ].join("\n");
}

/** The name of a page: `deno.md`, `node.md` or `bun.md`. */
export function pageName({ runtime }: About): string {
  return `${runtime.split(" ")[0].toLowerCase()}.md`;
}

/** Writes the page of a run. */
export function pageOf(report: Report): string {
  const [name] = report.runtime.split(" ");
  const tables = report.questions.map(tableOf).join("\n");
  return `# Benchmarks on ${name}

The last full run, written by \`deno task bench --write\`; do not edit.

Medians over rounds in which statvent, its peers and the floor take turns. A
ratio is how many times as much statvent takes; a missed target is marked.

\`\`\`text
${head(report)}
${tables}\`\`\`
`;
}

/** Reads the row of a table by the places of its column titles. */
function rowOf(question: number, titles: string, line: string): Comparison {
  const left = titles.indexOf("against");
  const end = (title: string) => titles.indexOf(title) + title.length;
  const cell = (before: string, title: string) =>
    line.slice(end(before), end(title)).trim();
  // Columns of words are aligned to the start of their titles, numbers to the end.
  const [against, statvent] = line.slice(left, end("statvent")).trim()
    .split(/ {2,}/);
  return {
    question,
    what: line.slice(0, left).trim(),
    against,
    statvent,
    ratio: cell("peer", "ratio"),
    toFloor: cell(" floor", "to floor"),
  };
}

/** Reads a page. */
export function parsePage(text: string): Page {
  const [, body] = text.split("```text\n");
  const [first] = body.split("\n", 1);
  const [, runtime, processor, date] = /^(.+?), (.+), (\S+)$/.exec(first)!;
  const rows: Comparison[] = [];
  for (
    const [, number, table] of body.matchAll(
      /^(\d+)\. ([^]*?)(?=^\d+\. |^```)/gm,
    )
  ) {
    const [, titles, lines] =
      /^( +against +statvent .*)\n([^]*)/m.exec(table) ?? ["", "", ""];
    for (const line of lines.split("\n")) {
      if (line === "" || line.startsWith("  skipped: ")) continue;
      rows.push(rowOf(Number(number), titles, line));
    }
  }
  return { runtime, processor, date, rows };
}
