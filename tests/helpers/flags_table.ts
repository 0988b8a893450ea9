/**
 * The flags of the web service as the documentation lists them.
 *
 * Run as a program, it prints the table for the documentation.
 *
 * @module
 */

import { type Flag, FLAGS } from "../../cli/flags.ts";

const HEAD = ["flag", "default", "what it does"];

/** The table in Markdown, aligned as `deno fmt` aligns tables. */
export function flagsTable(flags: readonly Flag[] = FLAGS): string {
  const rows = flags.map((
    { name, short, value, help, default: constant, otherwise = "" },
  ) => [
    `\`${short ? `-${short}, ` : ""}--${name}${value ? ` ${value}` : ""}\``,
    constant === undefined ? otherwise : `\`${constant}\``,
    help,
  ]);
  const widths = HEAD.map((_, i) =>
    Math.max(...[HEAD, ...rows].map((row) => row[i].length))
  );
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |\n`;
  const padded = (row: readonly string[]) =>
    line(row.map((cell, i) => cell.padEnd(widths[i])));
  const rule = line(widths.map((width) => "-".repeat(width)));
  return [padded(HEAD), rule, ...rows.map(padded)].join("");
}

if (import.meta.main) console.log(flagsTable());
