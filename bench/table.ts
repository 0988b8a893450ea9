/**
 * Prints what was measured.
 *
 * @module
 */

/** One line of a table. */
export interface Row {
  readonly what: string;
  /** One for each column. */
  readonly values: readonly string[];
  /** What was to be reached, and whether it was. */
  readonly target?: { readonly text: string; readonly met: boolean };
}

/** The answer to one question. */
export interface Table {
  readonly question: string;
  /** What has to be known to read it, one line each. */
  readonly notes: readonly string[];
  readonly columns: readonly string[];
  readonly rows: readonly Row[];
}

/** A ratio, and whether it is at most `limit`. */
export function atMost(ratio: number, limit: number): Row["target"] {
  const text = limit < 1 ? `1/${Math.round(1 / limit)}` : `${limit}`;
  return { text: `≤ ${text}`, met: ratio <= limit };
}

/** A ratio as text. */
export function ratioText(ratio: number): string {
  return ratio < 0.1 ? `1/${(1 / ratio).toFixed(1)}` : ratio.toFixed(2);
}

/** A time as text. */
export function duration(ms: number): string {
  if (ms < 1e-3) return `${(ms * 1e6).toFixed(1)} ns`;
  return ms < 0.1 ? `${(ms * 1e3).toFixed(1)} µs` : `${ms.toFixed(2)} ms`;
}

/** Prints a table. */
export function print({ question, notes, columns, rows }: Table): void {
  const lines = [
    ["", ...columns, "target", ""],
    ...rows.map(({ what, values, target }) => [
      what,
      ...values,
      target?.text ?? "",
      target === undefined ? "" : target.met ? "ok" : "missed",
    ]),
  ];
  const widths = lines[0].map((_, column) =>
    Math.max(...lines.map((cells) => cells[column].length))
  );
  console.log(`\n${question}`);
  for (const note of notes) console.log(`  ${note}`);
  console.log();
  for (const cells of lines) {
    const line = cells.map((text, column) =>
      column === 0 || column === cells.length - 1
        ? text.padEnd(widths[column])
        : text.padStart(widths[column])
    );
    console.log(`  ${line.join("  ")}`.trimEnd());
  }
}
