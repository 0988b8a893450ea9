/**
 * The metric families of a host, each with a name and with series of its own.
 *
 * Names depend on the escaping, but not on the format of the answer.
 *
 * Pure: no clock, no I/O.
 *
 * @module
 */

import type { HostStats } from "../collect/host_stats.ts";
import { COUNTER, GAUGE, SHOWN } from "../model/kinds.ts";
import type { LabelledName } from "../model/labels.ts";
import { withoutPlaceholder } from "../model/names.ts";
import { cleanUnit, escapeName, withoutSuffix, withSuffix } from "./names.ts";
import type { Escaping } from "./negotiate.ts";

/** A metric of the service itself. */
export interface OwnMetric {
  /** The name in Prometheus; that of a counter ends in `_total`. */
  readonly name: string;
  /** What the metric measures, in a sentence. */
  readonly help: string;
  /** The type; a counter only goes up. */
  readonly type: "counter" | "gauge";
  /** The value. A metric whose value is not finite is left out. */
  readonly value: number;
  /** The labels, which differ between the series of one name. */
  readonly labels?: Readonly<Record<string, string>>;
}

/** The type of a family, as the text format names it. */
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
   * The index of a distribution in `host.recorded`. For everything else, the
   * index of the value among those of the host, followed by the own ones.
   */
  readonly index: number;
  /** Which part of the host it is of, the first by default. */
  readonly part?: number;
  /** The index of the time since which it counts, if that is known. */
  readonly created?: number;
}

/** All series of one name. */
export interface Family {
  readonly type: FamilyType;
  /** The escaped name; that of a counter lacks `_total`. */
  readonly name: string;
  readonly help: string;
  /** The unit that `name` ends in, after `_`, if there is one. */
  readonly unit: string | undefined;
  /** The bounds of a classic histogram, if a program has chosen them. */
  readonly buckets: readonly number[] | undefined;
  readonly series: readonly Series[];
}

/** Whether the series of a family are distributions. */
export function isOfDistributions(
  type: FamilyType,
): type is "summary" | "histogram" {
  return type === "summary" || type === "histogram";
}

interface DraftSeries extends Series {
  /** The name of the stat, labels included. */
  readonly original: string;
}

/** A family before its name is settled. */
interface Draft {
  readonly type: FamilyType;
  /** Of two families that want one name, the one with the lower rank gets it. */
  readonly rank: number;
  readonly escaped: string;
  // The least one among all stats of the family, so that their order does not
  // matter.
  /** The name before it is escaped. */
  base: string;
  /** The name of a stat without labels. */
  stat: string;
  help: string | undefined;
  unit: string | undefined;
  readonly buckets?: readonly number[];
  readonly series: DraftSeries[];
}

// Prometheus adds these metrics to every scrape.
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
// A family with samples under several names comes first, so that it keeps its
// name.
const RANKS: readonly FamilyType[] = [
  "summary",
  "histogram",
  "counter",
  "gauge",
  "untyped",
];

/** The suffixes of a family's name and of the names of its samples. */
const SUFFIXES: Readonly<Record<FamilyType, readonly string[]>> = {
  counter: ["", "_total", "_created"],
  gauge: [""],
  untyped: [""],
  summary: ["", "_sum", "_count", "_created"],
  histogram: ["", "_bucket", "_sum", "_count", "_created"],
};

const NO_LABELS: ReadonlySet<string> = new Set();
const OF_DISTRIBUTIONS: ReadonlySet<string> = new Set(["le", "quantile"]);

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** The lesser of two texts, or the only one. */
function least<T extends string | undefined>(a: T, b: T): T {
  return a === undefined || (b !== undefined && b < a) ? b : a;
}

/** A family's escaped name. A counter's is escaped with the suffix of its samples. */
function escapeFamily(
  base: string,
  type: FamilyType,
  escaping: Escaping,
): string {
  return type === "counter"
    ? escapeName(`${base}_total`, escaping).slice(0, -"_total".length)
    : escapeName(base, escaping);
}

/** Escapes labels, renames those with a reserved name, and sorts them. */
function escapeLabels(
  labels: LabelledName["labels"],
  escaping: Escaping,
  reserved: ReadonlySet<string>,
): LabelPair[] {
  const result: LabelPair[] = [];
  if (labels.length === 0) return result;
  // Sorted first: renaming depends on the order.
  const sorted = labels.length > 1
    ? labels.toSorted(([a], [b]) => compare(a, b))
    : labels;
  for (const [key, value] of sorted) {
    // Prometheus treats a label with an empty value as absent.
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

/** Gives each series whose labels are taken a label with its original name. */
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

/** The unit as an escaped name ends in it, if it does. */
function unitIn(name: string, unit: string | undefined): string | undefined {
  if (unit === undefined) return undefined;
  return [unit, unit.replaceAll("_", "__")]
    .find((unit) => name.endsWith(`_${unit}`));
}

/** A draft's parts that depend on one stat. */
type Source = Omit<Draft, "escaped" | "series">;

/** Collects series into drafts, by their types and escaped names. */
class Drafts {
  readonly #drafts = new Map<string, Draft>();
  readonly #escaping: Escaping;

  constructor(escaping: Escaping) {
    this.#escaping = escaping;
  }

  all(): Draft[] {
    return [...this.#drafts.values()];
  }

  add(source: Source, series: DraftSeries): void {
    const escaped = escapeFamily(source.base, source.type, this.#escaping);
    const key = `${source.rank} ${source.type} ${escaped}`;
    const draft = this.#drafts.get(key);
    if (draft === undefined) {
      this.#drafts.set(key, { ...source, escaped, series: [series] });
      return;
    }
    draft.series.push(series);
    draft.base = least(draft.base, source.base);
    draft.stat = least(draft.stat, source.stat);
    draft.help = least(draft.help, source.help);
    draft.unit = least(draft.unit, source.unit);
  }
}

/** What a program says of a stat, as far as a family can have it. */
function describe(
  { descriptions }: HostStats,
  family: string,
): Pick<Draft, "help" | "unit" | "buckets"> {
  const { help, unit, buckets } = descriptions.get(family) ?? {};
  return {
    help: help || undefined,
    unit: cleanUnit(unit ?? "") || undefined,
    buckets,
  };
}

function withUnit(base: string, unit: string | undefined): string {
  return unit === undefined ? base : withSuffix(base, unit);
}

/** Drafts the families of everything but distributions. */
function draftPlain(
  drafts: Drafts,
  host: HostStats,
  escaping: Escaping,
  reserved: ReadonlySet<string>,
): void {
  const { table, ids, kinds } = host;
  for (let index = 0; index < ids.length; index++) {
    const kind = kinds[index];
    if (kind === SHOWN) continue;
    const { family, labels } = table.labelled(ids[index]);
    const type = kind === COUNTER
      ? "counter"
      : kind === GAUGE
      ? "gauge"
      : "untyped";
    const description = describe(host, family);
    const name = type === "counter" ? withoutSuffix(family, "total") : family;
    const base = withUnit(name || "unnamed", description.unit);
    const rank = RANKS.indexOf(type);
    drafts.add({ type, rank, base, stat: family, ...description }, {
      labels: escapeLabels(labels, escaping, reserved),
      index,
      original: table.names[ids[index]],
    });
  }
}

/** Drafts a summary of each distribution, and a histogram where there is one. */
function draftDistributions(
  drafts: Drafts,
  host: HostStats,
  escaping: Escaping,
  reserved: ReadonlySet<string>,
): void {
  const { table, recorded } = host;
  const all = new Set([...OF_DISTRIBUTIONS, ...reserved]);
  for (const [index, { name, histogram }] of recorded.entries()) {
    const { family, labels } = table.labelled(table.idOf(name));
    const { help, unit, buckets } = describe(host, family);
    const base = withUnit(withoutPlaceholder(family) || "recorded", unit);
    const series = {
      labels: escapeLabels(labels, escaping, all),
      index,
      original: name,
    };
    const stat = family;
    drafts.add({ type: "summary", rank: 0, base, stat, help, unit }, series);
    if (histogram === undefined) continue;
    drafts.add({
      type: "histogram",
      rank: 1,
      base: `${base}_histogram`,
      stat,
      help,
      unit: undefined,
      buckets,
    }, series);
  }
}

/** The name of an own metric without the suffix of counters. */
function baseOfOwn(name: string, type: OwnMetric["type"]): string {
  return type === "counter" ? withoutSuffix(name, "total") : name;
}

/** Drafts the families of the service's own metrics, which come after the host's values. */
function draftOwn(
  drafts: Drafts,
  own: readonly OwnMetric[],
  firstIndex: number,
  escaping: Escaping,
): void {
  for (const [i, { name, type, help, labels = {} }] of own.entries()) {
    const base = baseOfOwn(name, type);
    const unit = undefined;
    drafts.add({ type, rank: OWN, base, stat: name, help, unit }, {
      labels: escapeLabels(Object.entries(labels), escaping, NO_LABELS),
      index: firstIndex + i,
      original: name,
    });
  }
}

/** A family that is written elsewhere, and keeps its name. */
export type ReservedFamily = Pick<OwnMetric, "name" | "type">;

/** The names that families have taken. */
class TakenNames {
  readonly #escaped = new Set(OF_PROMETHEUS);
  // Before escaping, so that a family has the same name whatever the escaping,
  // unless the escaping makes two names one.
  readonly #bases = new Set<string>();
  readonly #escaping: Escaping;

  constructor(escaping: Escaping) {
    this.#escaping = escaping;
  }

  /** Takes the names of families that keep them. */
  reserve(families: readonly ReservedFamily[]): void {
    for (const { name, type } of families) {
      const base = baseOfOwn(name, type);
      const escaped = escapeFamily(base, type, this.#escaping);
      this.settle({ type, base, escaped });
    }
  }

  /** Takes a name for a family, with its type as a suffix if it must. */
  settle(
    { type, base, escaped: name }: Pick<Draft, "type" | "base" | "escaped">,
  ): string {
    const isTaken = (suffix: string) =>
      this.#escaped.has(name + suffix) || this.#bases.has(base + suffix);
    while (SUFFIXES[type].some(isTaken)) {
      base = `${base}_${type}`;
      name = escapeFamily(base, type, this.#escaping);
    }
    for (const suffix of SUFFIXES[type]) {
      this.#escaped.add(name + suffix);
      this.#bases.add(base + suffix);
    }
    return name;
  }
}

/** Own families come first, then plain ones, then those of distributions. */
function sectionOf({ rank, type }: Draft): number {
  return rank === OWN ? 0 : isOfDistributions(type) ? 2 : 1;
}

/**
 * The families of a host. Stats that only show a percentile or a mean are left
 * out, since the distributions show these.
 *
 * No two families share a name or the name of a sample: the later one gets its
 * type as a suffix. No two series of a family share their labels: the later one,
 * by its original name, gets that name as a label.
 *
 * @param host The stats.
 * @param own The service's own metrics. They come first, and keep their names.
 * @param escaping How names are escaped.
 * @param reserved Families that no other may be named like.
 * @param reservedLabels Escaped names of labels that stats must not have.
 * @returns The families: own ones, plain ones, those of distributions, each by
 * name.
 */
export function makeFamilies(
  host: HostStats,
  own: readonly OwnMetric[],
  escaping: Escaping,
  reserved: readonly ReservedFamily[] = [],
  reservedLabels: ReadonlySet<string> = NO_LABELS,
): Family[] {
  const drafts = new Drafts(escaping);
  draftOwn(drafts, own, host.ids.length, escaping);
  draftPlain(drafts, host, escaping, reservedLabels);
  draftDistributions(drafts, host, escaping, reservedLabels);
  const taken = new TakenNames(escaping);
  taken.reserve(reserved);
  return drafts.all()
    .sort((a, b) => a.rank - b.rank || compare(a.base, b.base))
    .map((draft) => ({ draft, name: taken.settle(draft) }))
    .sort((a, b) =>
      sectionOf(a.draft) - sectionOf(b.draft) || compare(a.name, b.name)
    )
    .map(({ draft: { type, stat, help, unit, buckets, series }, name }) => ({
      type,
      name,
      help: help ?? `The stat ${stat}`,
      unit: unitIn(name, unit),
      buckets,
      series: tellApart(series),
    }));
}
