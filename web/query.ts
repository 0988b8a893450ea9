/**
 * The parameters of a request for stats, checked.
 *
 * Pure: no clock, no I/O.
 *
 * @module
 */

import type { HostStats } from "../collect/host_stats.ts";
import type { MergeInput } from "../collect/merge.ts";
import type { PartedBy } from "../collect/parts.ts";
import { parsePipeName } from "../directory/file_names.ts";
import { compileGlob, GlobError } from "../model/glob.ts";
import { splitLabels } from "../model/labels.ts";
import { parseNumber } from "../model/numbers.ts";
import { show } from "../model/show.ts";

/** The format of an answer with stats. */
export type AnswerFormat = "json" | "prettyjson" | "text";

/** The parameters of a request. */
export interface Query {
  readonly format: AnswerFormat;
  /** Whether each process is shown by itself. */
  readonly byProcess: boolean;
  /** The only process that is shown, if there is one. */
  readonly pid: string | undefined;
  /** How the stats of processes merge, in place of what their descriptions say. */
  readonly aggregate: MergeInput["aggregate"];
  /** Which stats are shown; `undefined` for all. */
  readonly keep: Keep | undefined;
}

/** Whether a stat is shown. Its family is its name without labels. */
export type Keep = (name: string, family: string, value: number) => boolean;

/** Thrown for an invalid parameter. */
export class QueryError extends RangeError {
  /** `"QueryError"`. */
  override name = "QueryError";
}

const COMPARISONS: { [operator: string]: (a: number, b: number) => boolean } = {
  ">": (a, b) => a > b,
  ">=": (a, b) => a >= b,
  "<": (a, b) => a < b,
  "<=": (a, b) => a <= b,
  "=": (a, b) => a === b,
  "==": (a, b) => a === b,
  "!=": (a, b) => a !== b,
};

const COMPARISON = /^(.*[^\s<>=!])\s*(>=|<=|==|!=|>|<|=)\s*([^\s<>=!]+)$/;

function choose<T extends string>(
  parameters: URLSearchParams,
  key: string,
  choices: readonly T[],
): T | undefined {
  const value = parameters.get(key);
  if (value === null) return undefined;
  const choice = choices.find((choice) => choice === value);
  if (choice === undefined) throw refuse(key, listOf(choices), value);
  return choice;
}

function listOf(choices: readonly string[], word = "or"): string {
  const last = choices[choices.length - 1];
  return choices.length === 1
    ? last
    : `${choices.slice(0, -1).join(", ")} ${word} ${last}`;
}

function refuse(key: string, rule: string, value: string): QueryError {
  return invalid(`${key} must be ${rule}, got ${show(value)}`);
}

function invalid(why: string): QueryError {
  return new QueryError(`Cannot read the parameters: ${why}`);
}

/** Whether a query names a stat: by its name, its family or the last parts of it. */
function isMeant(name: string, family: string, wanted: string): boolean {
  return name === wanted || family === wanted ||
    family.endsWith(`.${wanted}`);
}

function parseComparison(text: string): Keep {
  const wanted = text.trim();
  const match = COMPARISON.exec(wanted);
  const number = match && parseNumber(match[3]);
  if (match !== null && number) {
    const [, key, operator] = match;
    const compare = COMPARISONS[operator];
    return (name, family, value) =>
      isMeant(name, family, key) && compare(value, number.value);
  }
  if (wanted === "" || /[<>=!]/.test(splitLabels(wanted).family)) {
    throw refuse(
      "query",
      'a name, or a name, one of > >= < <= = == != and a number, as in "requests > 100"',
      text,
    );
  }
  return (name, family) => isMeant(name, family, wanted);
}

/** The longest pattern or comparison, so that no request takes long. */
const MAX_LENGTH = 256;

/** How many comparisons a pattern may take: they last a fifth of a second. */
const MAX_STEPS = 2e7;

const KEYS = ["format", "match", "query", "aggr", "by", "pid"];

/**
 * Reads the parameters of a request for stats.
 *
 * @throws {QueryError} For an unknown or repeated parameter, or an invalid value.
 */
export function parseQuery(parameters: URLSearchParams): Query {
  checkKeys(parameters, KEYS);
  const format = choose(parameters, "format", ["json", "prettyjson", "text"]) ??
    "json";
  const byProcess = choose(parameters, "by", ["process"]) !== undefined;
  if (byProcess && format === "text") {
    throw refuse("format", "json or prettyjson with by=process", format);
  }
  const pid = parameters.get("pid");
  const aggregate = choose(parameters, "aggr", ["sum", "min", "max", "mean"]);
  if (aggregate !== undefined && (byProcess || pid !== null)) {
    throw invalid("aggr cannot be combined with by=process or pid");
  }
  if (pid !== null && parsePipeName(`${pid}.stats`) === undefined) {
    throw refuse("pid", "a process id or the name of a pipe", pid);
  }
  return {
    format,
    byProcess,
    pid: pid ?? undefined,
    aggregate,
    keep: parseKeep(parameters),
  };
}

/** The parameters of a request for metrics. */
export interface MetricsQuery {
  /** What has series of its own, if not only the host. */
  readonly by: PartedBy | undefined;
  /** Which stats are shown; `undefined` for all. */
  readonly keep: Keep | undefined;
}

/**
 * Reads the parameters of a request for metrics.
 *
 * @throws {QueryError} For an unknown or repeated parameter, or an invalid value.
 */
export function parseMetricsQuery(parameters: URLSearchParams): MetricsQuery {
  checkKeys(parameters, ["by", "match", "query"]);
  return {
    by: choose(parameters, "by", ["name", "process"]),
    keep: parseKeep(parameters),
  };
}

/** Which stats `match` and `query` choose; `undefined` for all. */
function parseKeep(parameters: URLSearchParams): Keep | undefined {
  const match = parameters.get("match");
  if (match === "") throw refuse("match", 'a pattern such as "http.*"', match);
  const query = parameters.get("query");
  for (const [key, text] of [["match", match], ["query", query]] as const) {
    if (text === null || text.length <= MAX_LENGTH) continue;
    throw refuse(key, `of at most ${MAX_LENGTH} characters`, text);
  }
  const matches = match === null ? undefined : compileMatch(match);
  const isWanted = query === null ? undefined : parseComparison(query);
  return matches === undefined
    ? isWanted
    : (name, family, value) =>
      matches(name, family) &&
      (isWanted === undefined || isWanted(name, family, value));
}

/**
 * Compiles a pattern for names, with or without their labels.
 *
 * @returns The test, which throws a {@linkcode QueryError} if it takes too long.
 */
function compileMatch(
  match: string,
): (name: string, family: string) => boolean {
  const matches = compileGlob(match, MAX_STEPS);
  return (name, family) => {
    try {
      return matches(name) || (family !== name && matches(family));
    } catch (error) {
      if (!(error instanceof GlobError)) throw error;
      throw invalid(
        "match must take less time with these names; use a shorter one",
      );
    }
  };
}

/**
 * Checks that a request has only these parameters, each of them once.
 *
 * @throws {QueryError} For any other parameter, or a repeated one.
 */
export function checkKeys(
  parameters: URLSearchParams,
  keys: readonly string[],
): void {
  for (const key of parameters.keys()) {
    if (!keys.includes(key)) {
      const known = keys.length === 0
        ? "there are none here"
        : `the known ones are ${listOf(keys, "and")}`;
      throw invalid(`unknown parameter ${show(key)}, ${known}`);
    }
    if (parameters.getAll(key).length > 1) {
      throw invalid(`${key} must not be repeated`);
    }
  }
}

/** Keeps some stats of a host, and the distributions that show in them. */
export function filter(
  host: HostStats,
  keep: Keep,
): HostStats {
  const { table, ids, values, fractional, kinds } = host;
  const places: number[] = [];
  const kept = new Set<string>();
  for (let i = 0; i < ids.length; i++) {
    const name = table.names[ids[i]];
    if (!keep(name, table.labelled(ids[i]).family, values[i])) continue;
    places.push(i);
    kept.add(name);
  }
  return {
    ...host,
    ids: Int32Array.from(places, (i) => ids[i]),
    values: Float64Array.from(places, (i) => values[i]),
    fractional: Uint8Array.from(places, (i) => fractional[i]),
    kinds: Uint8Array.from(places, (i) => kinds[i]),
    recorded: host.recorded.filter(({ name, percentiles, mean }) =>
      percentiles.some(([, name]) => kept.has(name)) ||
      (mean !== undefined && kept.has(mean)) ||
      // Without living processes it shows in no stat.
      keep(name, table.labelled(table.idOf(name)).family, NaN)
    ),
  };
}
