/**
 * Reads what Prometheus reads, and refuses whatever the formats forbid: those
 * rules too that Prometheus and promtool let pass.
 *
 * @module
 */

/** One line with a value. */
export interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** A family with its samples. */
export interface CheckedFamily {
  readonly name: string;
  readonly type: string;
  readonly help: string | undefined;
  readonly unit: string | undefined;
  readonly samples: readonly Sample[];
}

const SUFFIXES: Readonly<Record<string, readonly string[]>> = {
  counter: ["_total", "_created"],
  gauge: [""],
  unknown: [""],
  untyped: [""],
  summary: ["", "_sum", "_count", "_created"],
  histogram: ["_bucket", "_sum", "_count", "_created"],
};

const PLAIN_METRIC = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/;

const PLAIN_LABEL = /^[a-zA-Z_][a-zA-Z0-9_]*$/;

const NUMBER = /^-?\d+(\.\d+)?(e[+-]?\d+)?$/;

// What Go prints for a float: an exponent of two digits below 1e-4 and from 1e6.
const LABEL_NUMBER = /^-?(\d{1,6}(\.\d+)?|\d(\.\d+)?e[+-]\d{2,3})$/;

function check(condition: boolean, message: string): asserts condition {
  if (!condition) throw new Error(message);
}

/** Reads one line from left to right. */
class Line {
  at = 0;
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }

  fail(what: string): never {
    throw new Error(`${what} at ${this.at} of ${JSON.stringify(this.text)}`);
  }

  peek(text: string): boolean {
    return this.text.startsWith(text, this.at);
  }

  take(text: string): void {
    if (!this.peek(text)) this.fail(`no ${JSON.stringify(text)}`);
    this.at += text.length;
  }

  match(pattern: RegExp): string {
    const match = new RegExp(pattern.source, `${pattern.flags}y`);
    match.lastIndex = this.at;
    const text = match.exec(this.text)?.[0];
    if (text === undefined) this.fail(`no ${pattern}`);
    this.at += text.length;
    return text;
  }

  quoted(): string {
    this.take('"');
    const text = this.match(/(?:[^"\\]|\\[\\n"])*/);
    this.take('"');
    return unescapeText(text);
  }

  /** A name, in quotes if and only if it needs them. */
  name(plain: RegExp): string {
    if (!this.peek('"')) return this.match(/[^\s{=,}"]+/);
    const name = this.quoted();
    if (plain.test(name)) this.fail("quotes without need");
    return name;
  }

  end(): void {
    if (this.at !== this.text.length) this.fail("more");
  }
}

function unescapeText(text: string): string {
  return text.replace(/\\(.)/g, (_, c) => c === "n" ? "\n" : c);
}

function parseSample(text: string): Sample {
  const line = new Line(text);
  const labels: Record<string, string> = Object.create(null);
  let name: string | undefined;
  if (!line.peek("{")) {
    name = line.name(PLAIN_METRIC);
    if (!PLAIN_METRIC.test(name)) line.fail("a name without quotes");
  }
  if (line.peek("{")) {
    line.take("{");
    for (let first = true; !line.peek("}"); first = false) {
      if (!first) line.take(",");
      const label = line.name(PLAIN_LABEL);
      if (name === undefined) {
        name = label;
        continue;
      }
      line.take("=");
      if (label in labels) line.fail("a label twice");
      if (label.startsWith("__")) line.fail("a reserved label");
      labels[label] = line.quoted();
      if (labels[label] === "") line.fail("an empty label");
    }
    line.take("}");
  }
  line.take(" ");
  const value = line.match(/\S+/);
  line.end();
  if (!NUMBER.test(value)) line.fail("no number");
  check(name !== undefined && name !== "", `no name: ${text}`);
  check(Number.isFinite(Number(value)), `not finite: ${text}`);
  return { name, labels, value: Number(value) };
}

/** A number of a label, which must be in its one form. */
function labelNumber(text: string, open: boolean): number {
  if (text === "+Inf") return Infinity;
  check(LABEL_NUMBER.test(text), `not canonical: ${text}`);
  check(!open || /[.e]/.test(text), `no float: ${text}`);
  check(open || !text.endsWith(".0"), `not as Go prints it: ${text}`);
  const value = Number(text);
  const large = Math.abs(value) >= 1e6 ||
    (value !== 0 && Math.abs(value) < 1e-4);
  check(text.includes("e") === large, `not canonical: ${text}`);
  return value;
}

/** The labels as a key, whatever their order, without `without`. */
function seriesKey({ labels }: Sample, without?: string): string {
  return JSON.stringify(
    Object.entries(labels).filter(([name]) => name !== without).sort(),
  );
}

function checkHistogram(family: CheckedFamily, open: boolean): void {
  const all = Map.groupBy(family.samples, (sample) => seriesKey(sample, "le"));
  for (const samples of all.values()) {
    const of = (suffix: string) =>
      samples.filter(({ name }) => name === family.name + suffix);
    const buckets = of("_bucket");
    const bounds = buckets.map(({ labels }) => labelNumber(labels.le, open));
    const counts = buckets.map(({ value }) => value);
    check(bounds.at(-1) === Infinity, `${family.name}: no +Inf`);
    for (let i = 0; i < bounds.length; i++) {
      check(Number.isInteger(counts[i]), `${family.name}: no whole count`);
      check(i === 0 || bounds[i - 1] < bounds[i], `${family.name}: order`);
      check((counts[i - 1] ?? 0) <= counts[i], `${family.name}: cumulative`);
    }
    const [sum] = of("_sum");
    const [count] = of("_count");
    check((sum === undefined) === (count === undefined), `${family.name}: sum`);
    check(
      count === undefined || count.value === counts.at(-1),
      `${family.name}: count`,
    );
    if (!open) continue;
    check(bounds[0] >= 0 || sum === undefined, `${family.name}: negative sum`);
    check(sum === undefined || sum.value >= 0, `${family.name}: sum below 0`);
  }
}

function checkSummary(family: CheckedFamily, open: boolean): void {
  for (const { name, labels, value } of family.samples) {
    check(!open || value >= 0, `${name}: negative`);
    if (name !== family.name) continue;
    check("quantile" in labels, `${name}: no quantile`);
    const quantile = labelNumber(labels.quantile, open);
    check(quantile >= 0 && quantile <= 1, `${name}: quantile ${quantile}`);
  }
}

function isOfCounts(type: string): boolean {
  return ["counter", "summary", "histogram"].includes(type);
}

function checkFamily(family: CheckedFamily, open: boolean): void {
  const { name, type, unit, help, samples } = family;
  check(type in SUFFIXES, `${name}: type ${type}`);
  check(type !== (open ? "untyped" : "unknown"), `${name}: type ${type}`);
  check(help !== undefined && help !== "", `${name}: no help`);
  check(unit === undefined || name.endsWith(`_${unit}`), `${name}: unit`);
  const seen = new Set<string>();
  for (const sample of samples) {
    const key = `${sample.name} ${seriesKey(sample)}`;
    check(!seen.has(key), `twice: ${key}`);
    seen.add(key);
    // The text format has the suffix of counters in the family's name.
    const suffixes = type === "counter" && !open ? [""] : SUFFIXES[type];
    check(
      suffixes.some((suffix) => sample.name === name + suffix),
      `${sample.name} is not of ${name}`,
    );
    const isCreated = sample.name === `${name}_created` && isOfCounts(type);
    check(
      type !== "counter" || isCreated || sample.name.endsWith("_total"),
      sample.name,
    );
    if (!isCreated) continue;
    check(open, `${sample.name}: only OpenMetrics has it`);
    const before = samples[samples.indexOf(sample) - 1];
    check(
      before !== undefined && seriesKey(before) === seriesKey(sample),
      `${sample.name}: apart from its series`,
    );
    check(sample.value > 0, `${sample.name}: no time`);
  }
  if (type === "histogram") checkHistogram(family, open);
  if (type === "summary") checkSummary(family, open);
}

/**
 * Reads an answer.
 *
 * @param text The text.
 * @param open Whether it is OpenMetrics, or the older text format.
 * @returns Its families.
 * @throws {Error} For anything that the format does not allow.
 */
export function checkExposition(text: string, open: boolean): CheckedFamily[] {
  check(text.isWellFormed() && !text.startsWith("\ufeff"), "no UTF-8");
  const lines = text.split("\n");
  check(lines.pop() === "", "the last line has no end");
  if (open) check(lines.pop() === "# EOF", "no EOF");
  const families: (CheckedFamily & { samples: Sample[] })[] = [];
  let order = "";
  for (const text of lines) {
    if (!text.startsWith("#")) {
      check(families.length > 0, "a sample without a family");
      families.at(-1)!.samples.push(parseSample(text));
      order = "";
      continue;
    }
    const line = new Line(text);
    line.take("# ");
    const keyword = line.match(/TYPE|HELP|UNIT/);
    line.take(" ");
    const name = line.name(PLAIN_METRIC);
    line.take(" ");
    const rest = line.match(/.*/s);
    if (order === "" || families.at(-1)!.name !== name) {
      order = "";
      families.push({
        name,
        type: "",
        help: undefined,
        unit: undefined,
        samples: [],
      });
    }
    order += ` ${keyword}`;
    const family = families.at(-1)!;
    if (keyword === "HELP") {
      const legal = open ? /^([^"\\]|\\[\\n"])*$/s : /^([^\\]|\\[\\n])*$/s;
      check(legal.test(rest), `escaping: ${rest}`);
    }
    const key = keyword.toLowerCase() as "type" | "help" | "unit";
    families[families.length - 1] = {
      ...family,
      [key]: keyword === "HELP" ? unescapeText(rest) : rest,
    };
    check(
      (open ? [" TYPE", " TYPE UNIT", " TYPE HELP", " TYPE UNIT HELP"] : [
        " HELP",
        " HELP TYPE",
      ]).includes(order),
      `order:${order}`,
    );
  }
  // No family's name, or what a sample of it may be called, is of another one.
  const owners = new Map<string, string>();
  for (const family of families) {
    checkFamily(family, open);
    const base = open || family.type !== "counter"
      ? family.name
      : family.name.slice(0, -"_total".length);
    for (const suffix of new Set(["", ...SUFFIXES[family.type]])) {
      const owner = owners.get(base + suffix);
      check(owner === undefined, `${base + suffix}: of ${owner}, ${base}`);
      owners.set(base + suffix, base);
    }
  }
  return families;
}

/** Reads a name that was escaped by the scheme `values`. */
export function unescapeValues(name: string): string {
  if (!name.startsWith("U__")) return name;
  return name.slice(3).replace(
    /__|_([0-9a-f]+)_/g,
    (_, hex) =>
      hex === undefined ? "_" : String.fromCodePoint(parseInt(hex, 16)),
  );
}
