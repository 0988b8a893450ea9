/**
 * The table of an answer.
 *
 * @module
 */

import type { Answer, Row } from "./answer.ts";
import { amount, ratioText } from "./numbers.ts";

const HEAD = [
  "",
  "against",
  "statvent",
  "peer",
  "ratio",
  "floor",
  "to floor",
  "target",
  "",
];

/** The number of columns with words, which are on the left. */
const WORDS = 2;

function cells(row: Row): string[] {
  const { unit, target } = row;
  const number = (value?: number) =>
    value === undefined ? "" : amount(value, unit);
  return [
    row.what,
    row.against,
    number(row.statvent),
    row.skipped === undefined ? number(row.peer) : "skipped",
    row.ratio === undefined ? "" : ratioText(row.ratio),
    number(row.floor),
    row.toFloor === undefined ? "" : ratioText(row.toFloor),
    target?.text ?? "",
    target === undefined ? "" : target.met ? "ok" : "MISSED",
  ];
}

/** The text of a table, which ends with a line break. */
export function tableOf(answer: Answer): string {
  const { number, title, notes, rows, skipped } = answer;
  const lines = [HEAD, ...rows.map(cells)];
  const widths = HEAD.map((_, column) =>
    Math.max(...lines.map((cells) => cells[column].length))
  );
  const reasons = new Set(
    rows.filter((row) => row.skipped !== undefined)
      .map((row) => `skipped: ${row.against}: ${row.skipped}`),
  );
  for (const [program, why] of Object.entries(skipped)) {
    reasons.add(`skipped: ${program}: ${why}`);
  }
  return [
    `${number}. ${title}`,
    ...notes.map((note) => `  ${note}`),
    "",
    ...lines.map((cells) =>
      `  ${
        cells.map((text, column) =>
          column < WORDS
            ? text.padEnd(widths[column])
            : text.padStart(widths[column])
        ).join("  ")
      }`.trimEnd()
    ),
    ...[...reasons].map((reason) => `  ${reason}`),
    "",
  ].join("\n");
}
