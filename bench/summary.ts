/**
 * `docs/benchmarks.md`: the ratios of all runtimes in one table.
 *
 * Pure: no clock, no I/O.
 *
 * @module
 */

import { CONTROLS, QUESTIONS } from "./questions.ts";
import type { Comparison, Page } from "./results.ts";

/** The text of a ratio that does not exist. */
const NONE = "–";

/** The number of a ratio's text. */
function ratioOf(text: string): number {
  const [value, divisor = "1"] = text.split("/");
  return Number(value) / Number(divisor);
}

/** The comparison with the peer that takes least. */
function best(rows: readonly Comparison[]): string {
  const peers = rows
    .filter(({ against, ratio }) => !CONTROLS.has(against) && ratio !== "")
    .sort((a, b) => ratioOf(b.ratio) - ratioOf(a.ratio));
  if (peers.length === 0) return NONE;
  // Without the calls that a peer's name may list.
  const [name] = peers[0].against.split(":");
  return `${peers[0].ratio} ${name}`;
}

/** The comparison with the floor. */
function floor([{ statvent, toFloor }]: readonly Comparison[]): string {
  return toFloor || (statvent === "0" ? "0" : NONE);
}

/** The cells of a runtime. */
function cells({ rows }: Page, question: number, what: string): string[] {
  const mine = rows.filter((row) =>
    row.question === question && row.what === what
  );
  return mine.length === 0 ? [NONE, NONE] : [best(mine), floor(mine)];
}

/** A table of Markdown, laid out as `deno fmt` does. */
function markdown(lines: readonly string[][]): string {
  const widths = lines[0].map((_, column) =>
    Math.max(3, ...lines.map((line) => line[column].length))
  );
  const rule = widths.map((width) => "-".repeat(width));
  return [lines[0], rule, ...lines.slice(1)].map((line) =>
    `| ${line.map((text, i) => text.padEnd(widths[i])).join(" | ")} |`
  ).join("\n");
}

/** The whole page. */
export function summaryOf(pages: readonly Page[]): string {
  const title = [
    "",
    ...pages.flatMap(({ runtime }) => [`${runtime}: best peer`, "floor"]),
  ];
  const lines = QUESTIONS.flatMap(({ summary }, i) =>
    Object.entries(summary).map(([what, label]) => [
      `${i + 1}. ${label}`,
      ...pages.flatMap((page) => cells(page, i + 1, what)),
    ])
  );
  const runs = pages.map(({ runtime, processor, date }) =>
    `- ${runtime}: ${processor}, ${date}`
  );
  return `# Benchmarks

How many times as much statvent takes as the fastest library that does the same,
and as the floor, which is the bare operation without any library. 1/7 means
that statvent takes a seventh, 2.00 that it takes twice as much, 0 that it takes
too little to be measured. At a ${NONE} there is nothing to compare with. Rows 1 to 4
write to 100 stats in random order.

${markdown([title, ...lines])}

The runs:

${runs.join("\n")}

\`deno task bench\` measures on your machine. In the repository,
\`bench/questions.ts\` has the questions with their targets, and \`bench/results/\`
all figures of the runs above, with every library and every floor.
\`deno task bench --write\` writes those and this page; do not edit it.
`;
}
