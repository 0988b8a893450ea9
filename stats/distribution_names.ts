/**
 * The names under which a distribution shows its percentiles and its mean.
 *
 * Pure, apart from the percentiles that it reads in the settings.
 *
 * @module
 */

import type { DistributionNames } from "../model/descriptions.ts";
import { withLabels } from "../model/labels.ts";
import { checkName, formatName } from "../model/names.ts";
import { show } from "../model/show.ts";
import { config } from "./config.ts";
import type { FormatFunc } from "./options.ts";
import type { Series } from "./series_names.ts";

/** The names that show a distribution, the mean's last. */
export function shownNames({ percentiles, mean }: DistributionNames): string[] {
  const names = percentiles.map(([, name]) => name);
  return mean === undefined ? names : [...names, mean];
}

/**
 * Names a new distribution.
 *
 * @param base The name without labels.
 * @param series The name with labels, and the labels.
 * @param format Makes a name for each percentile and the mean; by default it
 * replaces `{0}`.
 * @param isTaken Whether a stat has this name already.
 * @returns Its names.
 * @throws {TypeError} If a name is invalid or taken, or the format is.
 */
export function nameDistribution(
  base: string,
  { name, labels }: Series,
  format: FormatFunc | undefined,
  isTaken: (name: string) => boolean,
): DistributionNames {
  checkName(name);
  checkFormat(base, format);
  const makeName = format ?? formatName;
  const nameOf = (label: string) => withLabels(makeName(base, label), labels);
  const names = {
    name,
    percentiles: config.percentiles.map((
      [percentile, label],
    ) => [percentile, nameOf(label)] as const),
    mean: nameOf("mean"),
  };
  const seen = new Set<string>();
  for (const shown of shownNames(names)) {
    checkName(shown);
    if (isTaken(shown) || seen.has(shown)) {
      throw new TypeError(
        `Cannot record "${name}": every label must make a name of its own, but "${shown}" is taken`,
      );
    }
    seen.add(shown);
  }
  return names;
}

function checkFormat(base: string, format: FormatFunc | undefined): void {
  if (format !== undefined && typeof format !== "function") {
    throw new TypeError(
      `Cannot record "${base}": the format must be a function, got ${
        show(format)
      }`,
    );
  }
  if (format === undefined && !base.includes("{0}")) {
    throw new TypeError(
      `Cannot record "${base}": the name must contain {0}, where the label goes, as in "${base}.{0}"`,
    );
  }
}
