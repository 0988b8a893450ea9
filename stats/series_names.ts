/**
 * The names of the series that calls with labels write to.
 *
 * Pure, apart from the limit that it reads in the settings.
 *
 * @module
 */

import { checkLabels, type Labels, withLabels } from "../model/labels.ts";
import { checkName } from "../model/names.ts";
import { config } from "./config.ts";

/** One set of labels of a name. */
export interface Series {
  /** The name with the labels. */
  readonly name: string;
  /** The labels. */
  readonly labels: Labels;
}

/** All series of one name. */
interface Family {
  /** Their names with labels. */
  readonly names: Set<string>;
  /** The series by the labels of a call, in the order and with the types of that call. */
  readonly byLabels: Map<string, Series>;
}

/** The labels of the series that stands for all series beyond `config.maxSeries`. */
const OVERFLOW: Labels = { overflow: true };

/** Finds the series of a name and labels, without making the name twice. */
export class SeriesNames {
  readonly #families: Map<string, Family> = new Map();
  readonly #isRefused: (name: string) => boolean;

  /** @param isRefused Whether a new stat of this name would be one too many. */
  constructor(isRefused: (name: string) => boolean) {
    this.#isRefused = isRefused;
  }

  /**
   * The series with these labels, or the overflow series if the name has
   * `config.maxSeries` others.
   *
   * @throws {TypeError} If the name or a label is invalid.
   */
  of(name: string, labels: Labels): Series {
    let key = "";
    for (const label in labels) {
      const value = labels[label];
      // Other types must be refused before they are made a string, which may
      // equal that of a valid label.
      if (
        typeof value !== "string" && typeof value !== "number" &&
        typeof value !== "boolean"
      ) withLabels(name, labels);
      const text = `${value}`;
      key += `${label.length}\0${label}${text.length}\0${text}`;
    }
    if (key === "") checkLabels(name, labels);
    const known = this.#families.get(name)?.byLabels.get(key);
    return known ?? this.#add(name, labels, key);
  }

  #add(name: string, labels: Labels, key: string): Series {
    checkName(name);
    const series = { name: withLabels(name, labels), labels: { ...labels } };
    let family = this.#families.get(name);
    if (family === undefined) {
      // Names that will be refused must not take memory.
      if (this.#isRefused(series.name)) return series;
      family = { names: new Set(), byLabels: new Map() };
      this.#families.set(name, family);
    }
    const { names, byLabels } = family;
    const { maxSeries } = config;
    if (!names.has(series.name) && names.size >= maxSeries) {
      return { name: withLabels(name, OVERFLOW), labels: OVERFLOW };
    }
    names.add(series.name);
    // A program passes the labels of a series in few orders. The limit is for
    // one that does not.
    if (byLabels.size >= 4 * maxSeries) byLabels.clear();
    byLabels.set(key, series);
    return series;
  }
}
