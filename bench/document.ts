/**
 * `BENCHMARKS.md`: the last full run of each runtime.
 *
 * @module
 */

import type { Answer } from "./answer.ts";
import type { About } from "./runtimes.ts";
import { tableOf } from "./table.ts";

/** A whole run. */
export interface Report extends About {
  /** When it began, as ISO 8601 has it. */
  readonly date: string;
  /** The version of statvent. */
  readonly statvent: string;
  /** The versions of the peers, by name. */
  readonly peers: Readonly<Record<string, string>>;
  readonly questions: readonly Answer[];
}

const INTRODUCTION = `# Benchmarks

The last full run on each runtime. \`deno task bench --write\` writes it, with
\`--runtime node\` or \`--runtime bun\` for the others; do not edit it.

Medians over rounds in which statvent, its peers and the floor take turns. A
ratio is how many times as much statvent takes; a target that is missed is
marked. Machines differ: run it on yours.
`;

/** What comes before the tables: what was measured with. */
export function head(report: Report): string {
  const { runtime, processor, date, statvent, peers } = report;
  return [
    `${runtime}, ${processor}, ${date.slice(0, 10)}`,
    `statvent ${statvent}`,
    ...Object.entries(peers).map(([name, version]) => `${name} ${version}`),
    "",
  ].join("\n");
}

function section(report: Report): string {
  const [name, version] = report.runtime.split(" ");
  const tables = report.questions.map(tableOf).join("\n");
  return `## ${name} ${parseInt(version)}\n\n\`\`\`text\n${
    head(report)
  }\n${tables}\`\`\`\n`;
}

/**
 * Replaces the section of a runtime.
 *
 * @param text What is there; may be empty.
 * @param report The run.
 * @returns The whole text.
 */
export function withReport(text: string, report: Report): string {
  const made = section(report);
  const title = (section: string) => section.slice(0, section.indexOf("\n"));
  const others = text.split(/^(?=## )/m)
    .filter((section) =>
      section.startsWith("## ") && title(section) !== title(made)
    );
  const sections = [...others.map((section) => section.trimEnd() + "\n"), made];
  // Deno first.
  const order = (section: string) =>
    ["## Deno", "## Node", "## Bun"]
      .findIndex((start) => section.startsWith(start));
  sections.sort((a, b) =>
    order(a) - order(b) || title(a).localeCompare(title(b))
  );
  return [INTRODUCTION, ...sections].join("\n");
}
