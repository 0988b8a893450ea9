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
import { DEFAULT_PERCENTILES, type Percentile } from "../percentile.ts";
import { runtime } from "../runtime/runtime.ts";

/** The most values that a distribution may keep. */
export const MAX_WINDOW_SIZE = 1_000_000;

/** Everything that can be set. */
export interface Config {
  /**
   * The directory of the pipes: an absolute path. `STATVENT_PIPE_DIR` of the
   * environment if that is set and may be read, else `/tmp/stats-pipe`. Taken
   * when the recorder starts.
   *
   * @throws {TypeError} On setting anything but an absolute path.
   */
  pipeDir: string;
  /**
   * The access mode of the pipe directory, if it has to be created: `0o755` by
   * default, so that nobody else can put anything into it. `0o1777` lets several
   * users share it. Taken when the recorder starts.
   *
   * @throws {RangeError} On setting anything but 0o700 to 0o1777, a mode by which
   * its owner may not do everything, or one by which others may write without
   * the sticky bit (0o1000).
   */
  pipeDirMode: number;
  /**
   * The access mode of the pipes, `0o644` by default. Taken when the recorder
   * starts.
   *
   * @throws {RangeError} On setting anything but 0o600 to 0o777, or a mode by
   * which its owner may not read and write.
   */
  pipeMode: number;
  /**
   * Whether the pipe carries annotations (default), or just the plain lines of
   * statvent 1.0. Taken when the recorder starts.
   *
   * @throws {TypeError} On setting anything but a boolean.
   */
  annotations: boolean;
  /**
   * How many values of a recorded stat are kept, 100 by default. Taken when a
   * stat is first recorded.
   *
   * @throws {RangeError} On setting anything but a whole number from 1 to
   * 1 000 000.
   */
  windowSize: number;
  /**
   * The percentiles of recorded stats and their labels, by default 50 as
   * `median`, `95th`, `99th` and `100th`. The label `mean` is always there.
   * Taken when a stat is first recorded.
   *
   * @throws {TypeError} On setting anything but pairs of number and string.
   * @throws {RangeError} If a percentile is not from 0 to 100, or a label is
   * there twice or is `mean`.
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
   * How many series with labels one name may have in this thread, 2 000 by
   * default. The rest counts in one series with the label `overflow="true"`.
   *
   * @throws {RangeError} On setting anything but a whole number from 0.
   */
  maxSeries: number;
  /**
   * What this program is called where processes are listed: by default the
   * name of its main script's file. Taken when the recorder starts.
   *
   * @throws {TypeError} On setting anything but a string.
   */
  processName: string;
}

function check(
  ok: boolean,
  key: keyof Config,
  rule: string,
  value: unknown,
  ErrorType: ErrorConstructor = RangeError,
): void {
  if (!ok) {
    throw new ErrorType(
      `Cannot set ${key}: it must be ${rule}, got ${show(value)}`,
    );
  }
}

function checkInteger(
  key: keyof Config,
  value: number,
  min: number,
  max: number,
): void {
  check(
    Number.isInteger(value) && value >= min && value <= max,
    key,
    `a whole number from ${min} to ${max}`,
    value,
  );
}

function checkPercentiles(value: readonly Percentile[]): void {
  const key = "percentiles";
  check(
    Array.isArray(value) &&
      value.every((pair) =>
        Array.isArray(pair) && pair.length === 2 &&
        typeof pair[0] === "number" && typeof pair[1] === "string"
      ),
    key,
    "a list of pairs of percentile and label",
    value,
    TypeError,
  );
  const labels = new Set(["mean"]);
  for (const [percentile, label] of value) {
    check(
      percentile >= 0 && percentile <= 100,
      key,
      "percentiles from 0 to 100",
      percentile,
    );
    check(
      !labels.has(label),
      key,
      'labels that differ from each other and from "mean"',
      label,
    );
    labels.add(label);
  }
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
    check(
      Number.isInteger(value) && value <= 0o1777 && (value & 0o700) === 0o700 &&
        ((value & 0o022) === 0 || (value & 0o1000) !== 0),
      "pipeDirMode",
      "a mode from 0o700 to 0o1777 by which its owner may do everything, with the sticky bit if others may write",
      typeof value === "number" ? `0o${value.toString(8)}` : value,
    );
    this.#pipeDirMode = value;
  }

  get pipeMode(): number {
    return this.#pipeMode;
  }
  set pipeMode(value: number) {
    check(
      Number.isInteger(value) && value <= 0o777 && (value & 0o600) === 0o600,
      "pipeMode",
      "a mode from 0o600 to 0o777 by which its owner may read and write",
      typeof value === "number" ? `0o${value.toString(8)}` : value,
    );
    this.#pipeMode = value;
  }

  get annotations(): boolean {
    return this.#annotations;
  }
  set annotations(value: boolean) {
    check(
      typeof value === "boolean",
      "annotations",
      "true or false",
      value,
      TypeError,
    );
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
    check(
      typeof value === "string",
      "processName",
      "a string",
      value,
      TypeError,
    );
    this.#processName = value;
  }
}

/**
 * The settings of this thread.
 *
 * @example Keep more values of each recorded stat
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
