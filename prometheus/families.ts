/**
 * The metric families of a host: what Prometheus calls them, how series that
 * would be taken for each other are told apart.
 *
 * Names depend on the escaping only, not on the form of the answer.
 *
 * Pure: no clock, no I/O.
 *
 * @module
 */

import type { HostStats } from "../collect/host_stats.ts";
import type { Description } from "../model/descriptions.ts";
import { COUNTER, GAUGE, SHOWN } from "../model/kinds.ts";
import type { LabelledName } from "../model/labels.ts";
import { withoutPlaceholder } from "../model/names.ts";
import { cleanUnit, escapeName, withoutSuffix, withSuffix } from "./names.ts";
import type { Escaping } from "./negotiate.ts";

/** A number that the service says of itself. */
export interface OwnMetric {
  /** As Prometheus wants it; that of a counter ends in `_total`. */
  readonly name: string;
  /** What it is, in a sentence. */
  readonly help: string;
  /** Whether it only goes up. */
  readonly type: "counter" | "gauge";
  /** What is not finite is left out. */
  readonly value: number;
  /** What tells the series of one name apart. */
  readonly labels?: Readonly<Record<string, string>>;
}

/** What a family is, in the words of the text format. */
export type FamilyType =
  | "counter"
  | "gauge"
  | "untyped"
  | "summary"
  | "histogram";

/** A label's escaped name, and its value. */
export type LabelPair = readonly [name: string, value: string];

/** One series of a family. */
export interface Series {
  readonly labels: readonly LabelPair[];
  /**
   * Of a recorded stat: where it stands in `host.recorded`. Of another one:
   * where its value stands among those of the host, followed by the own ones.
   */
  readonly index: number;
}

/** All series of one name. */
export interface Family {
  readonly type: FamilyType;
  /** Escaped. That of a counter is without `_total`. */
  readonly name: string;
  readonly help: string;
  /** What `name` ends in, after `_`; `undefined` without a unit. */
  readonly unit: string | undefined;
  readonly series: readonly Series[];
}

/** Whether a family is of recorded stats. */
export function isRecorded(type: FamilyType): type is "summary" | "histogram" {
  return type === "summary" || type === "histogram";
}

interface DraftSeries extends Series {
  /** The whole name of the stat. */
  readonly original: string;
}

/** A family before its name is settled. */
interface Draft {
  readonly type: FamilyType;
  /** Those of a low rank keep their names. */
  readonly rank: number;
  readonly escaped: string;
  // Of several, the least, since the order in which they come must not count.
  /** The name before it is escaped. */
  base: string;
  /** The name of a stat without labels. */
  stat: string;
  help: string | undefined;
  unit: string | undefined;
  readonly series: DraftSeries[];
}

// Prometheus adds these to every scrape.
const OF_PROMETHEUS = [
  "up",
  "scrape_body_size_bytes",
  "scrape_duration_seconds",
  "scrape_sample_limit",
  "scrape_samples_post_metric_relabeling",
  "scrape_samples_scraped",
  "scrape_series_added",
  "scrape_timeout_seconds",
];

const OWN = -1;
// A family with samples under several names comes first: it keeps its name.
const RANKS: readonly FamilyType[] = [
  "summary",
  "histogram",
  "counter",
  "gauge",
  "untyped",
];

/** The names of a family, and of all samples that it may have. */
const SUFFIXES: Readonly<Record<FamilyType, readonly string[]>> = {
  counter: ["", "_total", "_created"],
  gauge: [""],
  untyped: [""],
  summary: ["", "_sum", "_count", "_created"],
  histogram: ["", "_bucket", "_sum", "_count", "_created"],
};

const NO_LABELS: ReadonlySet<string> = new Set();
const OF_RECORDED: ReadonlySet<string> = new Set(["le", "quantile"]);

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** The lesser text, if both are there. */
function least<T extends string | undefined>(a: T, b: T): T {
  return a === undefined || (b !== undefined && b < a) ? b : a;
}

/** The family's name. That of a counter is escaped as that of its samples. */
function escapeFamily(
  base: string,
  type: FamilyType,
  escaping: Escaping,
): string {
  return type === "counter"
    ? escapeName(`${base}_total`, escaping).slice(0, -"_total".length)
    : escapeName(base, escaping);
}

/** Escapes the labels, renames those that mean something else, sorts them. */
function escapeLabels(
  labels: LabelledName["labels"],
  escaping: Escaping,
  reserved: ReadonlySet<string>,
): LabelPair[] {
  const result: LabelPair[] = [];
  if (labels.length === 0) return result;
  // What the names are turned into must not depend on their order.
  const sorted = labels.length > 1
    ? labels.toSorted(([a], [b]) => compare(a, b))
    : labels;
  for (const [key, value] of sorted) {
    // To Prometheus an empty label is none.
    if (value === "") continue;
    let name = key;
    let escaped;
    do {
      escaped = escapeName(name, escaping);
      name = `exported_${name}`;
    } while (
      reserved.has(escaped) || escaped.startsWith("__") || has(result, escaped)
    );
    result.push([escaped, value.toWellFormed()]);
  }
  return sortLabels(result);
}

function sortLabels(labels: LabelPair[]): LabelPair[] {
  return labels.length > 1 ? labels.sort(([a], [b]) => compare(a, b)) : labels;
}

function has(labels: readonly LabelPair[], name: string): boolean {
  return labels.some(([other]) => other === name);
}

/** Gives a label with its original name to each series that others equal. */
function tellApart(series: DraftSeries[]): Series[] {
  if (series.length === 1) return series;
  const seen = new Set<string>();
  return series.sort((a, b) => compare(a.original, b.original)).map(
    ({ labels, index, original }) => {
      let key;
      while (seen.has(key = JSON.stringify(labels))) {
        let name = "name";
        while (has(labels, name)) name = `exported_${name}`;
        labels = sortLabels([...labels, [name, original]]);
      }
      seen.add(key);
      return { labels, index };
    },
  );
}

/** The unit as it stands at the end of an escaped name, if it does. */
function unitIn(name: string, unit: string | undefined): string | undefined {
  if (unit === undefined) return undefined;
  return [unit, unit.replaceAll("_", "__")]
    .find((unit) => name.endsWith(`_${unit}`));
}

/**
 * The families of a host. Stats that only show a percentile or a mean are left
 * out: the recorded stats say that.
 *
 * No two families have a name or the name of a sample in common: the later one
 * gets its type as a suffix. No two series of a family have the same labels: the
 * later one, by its original name, gets it as a label.
 *
 * @param host The stats.
 * @param own What the service says of itself. It comes first, and keeps its names.
 * @param escaping What becomes of names.
 * @returns The families: own ones, plain ones, recorded ones, each by name.
 */
export function makeFamilies(
  host: HostStats,
  own: readonly OwnMetric[],
  escaping: Escaping,
): Family[] {
  const { table } = host;
  const drafts = new Map<string, Draft>();
  const add = (
    type: FamilyType,
    rank: number,
    base: string,
    stat: string,
    { help, unit }: Description,
    series: DraftSeries,
  ) => {
    const escaped = escapeFamily(base, type, escaping);
    const key = `${rank} ${type} ${escaped}`;
    const draft = drafts.get(key);
    if (draft === undefined) {
      const all = [series];
      drafts.set(key, {
        type,
        rank,
        escaped,
        base,
        stat,
        help,
        unit,
        series: all,
      });
      return;
    }
    draft.series.push(series);
    draft.base = least(draft.base, base);
    draft.stat = least(draft.stat, stat);
    draft.help = least(draft.help, help);
    draft.unit = least(draft.unit, unit);
  };
  const describe = (family: string): Description => {
    const { help, unit } = host.descriptions.get(family) ?? {};
    return {
      help: help || undefined,
      unit: cleanUnit(unit ?? "") || undefined,
    };
  };
  const withUnit = (base: string, { unit }: Description) =>
    unit === undefined ? base : withSuffix(base, unit);

  for (const [i, { name, type, help, labels = {} }] of own.entries()) {
    const base = type === "counter" ? withoutSuffix(name, "total") : name;
    add(type, OWN, base, name, { help }, {
      labels: escapeLabels(Object.entries(labels), escaping, NO_LABELS),
      index: host.ids.length + i,
      original: name,
    });
  }
  for (let index = 0; index < host.ids.length; index++) {
    const kind = host.kinds[index];
    if (kind === SHOWN) continue;
    const id = host.ids[index];
    const { family, labels } = table.labelled(id);
    const type = kind === COUNTER
      ? "counter"
      : kind === GAUGE
      ? "gauge"
      : "untyped";
    const description = describe(family);
    const name = type === "counter" ? withoutSuffix(family, "total") : family;
    const base = withUnit(name || "unnamed", description);
    add(type, RANKS.indexOf(type), base, family, description, {
      labels: escapeLabels(labels, escaping, NO_LABELS),
      index,
      original: table.names[id],
    });
  }
  for (const [index, { name, histogram }] of host.recorded.entries()) {
    const { family, labels } = table.labelled(table.idOf(name));
    const description = describe(family);
    const base = withUnit(
      withoutPlaceholder(family) || "recorded",
      description,
    );
    const series = {
      labels: escapeLabels(labels, escaping, OF_RECORDED),
      index,
      original: name,
    };
    add("summary", 0, base, family, description, series);
    if (histogram === undefined) continue;
    const { help } = description;
    add("histogram", 1, `${base}_histogram`, family, { help }, series);
  }

  const taken = new Set(OF_PROMETHEUS);
  // Also before they are escaped, so that a family is called the same whatever
  // the escaping, unless that makes two names one.
  const takenBases = new Set<string>();
  const families = [...drafts.values()]
    .sort((a, b) => a.rank - b.rank || compare(a.base, b.base))
    .map(({ type, rank, escaped, base, stat, help, unit, series }) => {
      let name = escaped;
      const clashes = (suffix: string) =>
        taken.has(name + suffix) || takenBases.has(base + suffix);
      while (SUFFIXES[type].some(clashes)) {
        base = `${base}_${type}`;
        name = escapeFamily(base, type, escaping);
      }
      for (const suffix of SUFFIXES[type]) {
        taken.add(name + suffix);
        takenBases.add(base + suffix);
      }
      return {
        section: rank === OWN ? 0 : isRecorded(type) ? 2 : 1,
        type,
        name,
        help: help ?? `The stat ${stat}`,
        unit: unitIn(name, unit),
        series: tellApart(series),
      };
    });
  return families.sort((a, b) =>
    a.section - b.section || compare(a.name, b.name)
  );
}
