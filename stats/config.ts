/**
 * The settings of this thread's copy of statvent, each checked when it is set.
 *
 * The pipe directory is a setting of `directory/pipe_dir.ts`, since readers of
 * the host need it without the program's other settings.
 *
 * @module
 */

import { pipeDir, setPipeDir } from "../directory/pipe_dir.ts";
import { show } from "../model/show.ts";
import type { Percentile } from "../percentile.ts";
import { runtime } from "../runtime/runtime.ts";

/** The percentiles of the first statvent, in its order. */
const DEFAULT_PERCENTILES: readonly Percentile[] = Object.freeze(
  ([[50, "median"], [95, "95th"], [99, "99th"], [100, "100th"]] as const)
    .map((pair) => Object.freeze(pair)),
);

/** The most values that a distribution may keep. */
export const MAX_WINDOW_SIZE = 1_000_000;

/** The settings. */
export interface Config {
  /**
   * The directory of the pipes: an absolute path. By default the environment
   * variable `STATVENT_PIPE_DIR` if it is set and may be read, else
   * `/tmp/stats-pipe`. Read when the recorder starts.
   *
   * @throws {TypeError} On setting anything but an absolute path.
   */
  pipeDir: string;
  /**
   * The access mode of the pipe directory, if it has to be created: `0o755` by
   * default, so that only its owner can create files in it. `0o1777` lets several
   * users share it. Read when the recorder starts.
   *
   * @throws {RangeError} On setting anything but 0o700 to 0o1777, a mode by which
   * its owner may not do everything, or one by which others may write without
   * the sticky bit (0o1000).
   */
  pipeDirMode: number;
  /**
   * The access mode of the pipes, `0o644` by default. Read when the recorder
   * starts.
   *
   * @throws {RangeError} On setting anything but 0o600 to 0o777, or a mode by
   * which its owner may not read and write.
   */
  pipeMode: number;
  /**
   * Whether the pipe carries annotations (default), or just the plain lines of
   * statvent 1.0. Read when the recorder starts.
   *
   * @throws {TypeError} On setting anything but a boolean.
   */
  annotations: boolean;
  /**
   * How many values a distribution keeps, 100 by default. Read when a
   * distribution is first recorded without a `window` of its own.
   *
   * @throws {RangeError} On setting anything but a whole number from 1 to
   * 1 000 000.
   */
  windowSize: number;
  /**
   * The percentiles of distributions and their labels, by default 50 as
   * `median`, `95th`, `99th` and `100th`. The label `mean` is always added. Read
   * when a distribution is first recorded.
   *
   * @throws {TypeError} On setting anything but pairs of number and string.
   * @throws {RangeError} If a percentile is not from 0 to 100, or a label appears
   * twice or is `mean`.
   */
  percentiles: readonly Percentile[];
  /**
   * How many stats this thread may create, 100 000 by default. A call that
   * would create one more counts in the stat `statvent.refused` instead.
   *
   * @throws {RangeError} On setting anything but a whole number from 0.
   */
  maxStats: number;
  /**
   * How many series one name may have in this thread, 2 000 by default. Calls
   * with further labels count in one series with the label `overflow="true"`.
   *
   * @throws {RangeError} On setting anything but a whole number from 0.
   */
  maxSeries: number;
  /**
   * The name of this program in lists of processes: by default the file name of
   * its main script. Read when the recorder starts.
   *
   * @throws {TypeError} On setting anything but a string.
   */
  processName: string;
}

/** What an error says of a value that is refused. */
function refusal(key: keyof Config, rule: string, value: unknown): string {
  return `Cannot set ${key}: it must be ${rule}, got ${show(value)}`;
}

function checkInteger(
  key: keyof Config,
  value: number,
  min: number,
  max: number,
): void {
  if (!Number.isInteger(value) || value < min || value > max) {
    throw new RangeError(
      refusal(key, `a whole number from ${min} to ${max}`, value),
    );
  }
}

/** Refuses a mode that is not allowed, and shows it in octal. */
function checkMode(
  key: keyof Config,
  mode: number,
  isAllowed: boolean,
  rule: string,
): void {
  if (isAllowed) return;
  const shown = typeof mode === "number" ? `0o${mode.toString(8)}` : mode;
  throw new RangeError(refusal(key, rule, shown));
}

function checkPercentiles(value: readonly Percentile[]): void {
  const key = "percentiles";
  const arePairs = Array.isArray(value) &&
    value.every((pair) =>
      Array.isArray(pair) && pair.length === 2 &&
      typeof pair[0] === "number" && typeof pair[1] === "string"
    );
  if (!arePairs) {
    const rule = "a list of pairs of percentile and label";
    throw new TypeError(refusal(key, rule, value));
  }
  const labels = new Set(["mean"]);
  for (const [percentile, label] of value) {
    if (!(percentile >= 0 && percentile <= 100)) {
      const rule = "percentiles from 0 to 100";
      throw new RangeError(refusal(key, rule, percentile));
    }
    if (labels.has(label)) {
      const rule = 'labels that differ from each other and from "mean"';
      throw new RangeError(refusal(key, rule, label));
    }
    labels.add(label);
  }
}

/** How many letters must be changed, added or left out to make one word of another. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (const [i, letter] of [...a].entries()) {
    const next = [i + 1];
    for (let j = 0; j < b.length; j++) {
      next.push(Math.min(
        row[j] + (letter === b[j] ? 0 : 1),
        row[j + 1] + 1,
        next[j] + 1,
      ));
    }
    row = next;
  }
  return row[b.length];
}

class CheckedConfig implements Config {
  #pipeDirMode = 0o755;
  #pipeMode = 0o644;
  #annotations = true;
  #windowSize = 100;
  #percentiles: readonly Percentile[] = DEFAULT_PERCENTILES;
  #maxStats = 100_000;
  #maxSeries = 2_000;
  #processName: string | undefined;

  get pipeDir(): string {
    return pipeDir();
  }
  set pipeDir(value: string) {
    setPipeDir(value);
  }

  get pipeDirMode(): number {
    return this.#pipeDirMode;
  }
  set pipeDirMode(value: number) {
    checkMode(
      "pipeDirMode",
      value,
      Number.isInteger(value) && value <= 0o1777 && (value & 0o700) === 0o700 &&
        ((value & 0o022) === 0 || (value & 0o1000) !== 0),
      "a mode from 0o700 to 0o1777 by which its owner may do everything, with the sticky bit if others may write",
    );
    this.#pipeDirMode = value;
  }

  get pipeMode(): number {
    return this.#pipeMode;
  }
  set pipeMode(value: number) {
    checkMode(
      "pipeMode",
      value,
      Number.isInteger(value) && value <= 0o777 && (value & 0o600) === 0o600,
      "a mode from 0o600 to 0o777 by which its owner may read and write",
    );
    this.#pipeMode = value;
  }

  get annotations(): boolean {
    return this.#annotations;
  }
  set annotations(value: boolean) {
    if (typeof value !== "boolean") {
      throw new TypeError(refusal("annotations", "true or false", value));
    }
    this.#annotations = value;
  }

  get windowSize(): number {
    return this.#windowSize;
  }
  set windowSize(value: number) {
    checkInteger("windowSize", value, 1, MAX_WINDOW_SIZE);
    this.#windowSize = value;
  }

  get percentiles(): readonly Percentile[] {
    return this.#percentiles;
  }
  set percentiles(value: readonly Percentile[]) {
    checkPercentiles(value);
    this.#percentiles = Object.freeze(
      value.map(([percentile, label]) => Object.freeze([percentile, label])),
    ) as readonly Percentile[];
  }

  get maxStats(): number {
    return this.#maxStats;
  }
  set maxStats(value: number) {
    checkInteger("maxStats", value, 0, Number.MAX_SAFE_INTEGER);
    this.#maxStats = value;
  }

  get maxSeries(): number {
    return this.#maxSeries;
  }
  set maxSeries(value: number) {
    checkInteger("maxSeries", value, 0, Number.MAX_SAFE_INTEGER);
    this.#maxSeries = value;
  }

  get processName(): string {
    return this.#processName ?? runtime.mainScript.replace(/^.*\//, "");
  }
  set processName(value: string) {
    if (typeof value !== "string") {
      throw new TypeError(refusal("processName", "a string", value));
    }
    this.#processName = value;
  }
}

// Setting an unknown name reaches the end of the chain of prototypes, and known
// names do not. So they are as fast to read as any, which a proxy would not be.
Object.setPrototypeOf(
  CheckedConfig.prototype,
  new Proxy(Object.prototype, {
    set(_, key, value) {
      const name = String(key);
      const to = (known: string) =>
        distance(name.toLowerCase(), known.toLowerCase());
      const [nearest] = Object.getOwnPropertyNames(CheckedConfig.prototype)
        .filter((known) => known !== "constructor")
        .sort((a, b) => to(a) - to(b));
      throw new TypeError(
        `Cannot set ${name} to ${
          show(value)
        }: there must be such a setting, and the nearest is ${nearest}`,
      );
    },
  }),
);

/**
 * The settings of this thread. Setting one that does not exist throws a
 * `TypeError`.
 *
 * @example Keep more values in each distribution
 * ```ts
 * import { config } from "@statvent/statvent";
 * import { assertEquals, assertThrows } from "@std/assert";
 *
 * config.windowSize = 1000;
 * assertEquals(config.windowSize, 1000);
 * assertThrows(() => config.windowSize = 0, RangeError);
 * ```
 */
export const config: Config = new CheckedConfig();
