/**
 * The format of the answer to a scrape, by the header `Accept`.
 *
 * Pure: no clock, no I/O. Imports nothing.
 *
 * @module
 */

/** A format in which Prometheus reads metrics. */
export type ExpositionFormat = "text" | "openmetrics" | "protobuf";

/** How names are escaped that Prometheus did not allow before version 3. */
export type Escaping = "allow-utf-8" | "underscores" | "dots" | "values";

/** The format that was agreed on. */
export interface Negotiated {
  /** The format. */
  readonly format: ExpositionFormat;
  /** The escaping of names. */
  readonly escaping: Escaping;
  /** The header `Content-Type`, which states both. */
  readonly contentType: string;
}

interface MediaRange {
  /** In lower case, such as `text/plain`. */
  readonly type: string;
  readonly params: ReadonlyMap<string, string>;
  /** The weight, from 0 to 1. */
  readonly q: number;
}

const PROTO = "io.prometheus.client.MetricFamily";

/** Splits a text at separators, but not inside quotes. */
function split(text: string, separator: "," | ";"): string[] {
  const part = new RegExp(`(?:[^"${separator}]|"(?:\\\\.|[^"\\\\])*"?)+`, "g");
  return text.match(part) ?? [];
}

function parseRange(text: string): MediaRange {
  const [type = "", ...rest] = split(text, ";");
  const params = new Map<string, string>();
  for (const param of rest) {
    const at = param.indexOf("=");
    if (at === -1) continue;
    const value = param.slice(at + 1).trim().replace(/^"(.*)"$/s, "$1");
    params.set(param.slice(0, at).trim().toLowerCase(), value);
  }
  const q = Number(params.get("q") ?? 1);
  return { type: type.trim().toLowerCase(), params, q: q >= 0 ? q : 1 };
}

/** The format of a range and its content type, if the range has one. */
function match(
  { type, params }: MediaRange,
): [format: ExpositionFormat, contentType: string] | undefined {
  const version = params.get("version");
  const is = (...versions: string[]) =>
    version === undefined || versions.includes(version);
  if (type === "application/openmetrics-text" && is("1.0.0", "0.0.1")) {
    return ["openmetrics", `${type}; version=${version ?? "1.0.0"}`];
  }
  if (type === "text/plain" && is("0.0.4", "1.0.0")) {
    return ["text", `${type}; version=${version ?? "0.0.4"}`];
  }
  if (type === "text/*" || type === "*/*") {
    return ["text", "text/plain; version=0.0.4"];
  }
  const protobuf = type === "application/vnd.google.protobuf" &&
    params.get("proto") === PROTO && params.get("encoding") === "delimited";
  if (protobuf) {
    return ["protobuf", `${type}; proto=${PROTO}; encoding=delimited`];
  }
}

function escapingOf({ params }: MediaRange): Escaping {
  const escaping = params.get("escaping");
  return escaping === "allow-utf-8" || escaping === "dots" ||
      escaping === "values"
    ? escaping
    : "underscores";
}

/**
 * Picks the format with the highest weight. Among equal weights, a named format
 * comes before a wildcard, and otherwise the first one. If nothing matches, the
 * text format 0.0.4 is picked.
 *
 * @param accept The header, or `null` without one.
 * @returns The format, the escaping and the content type.
 */
export function negotiate(accept: string | null): Negotiated {
  const ranges = split(accept ?? "", ",").map(parseRange)
    .filter(({ q }) => q > 0)
    .sort((a, b) =>
      b.q - a.q || Number(a.type.endsWith("*")) - Number(b.type.endsWith("*"))
    );
  for (const range of [...ranges, parseRange("*/*")]) {
    const matched = match(range);
    if (matched === undefined) continue;
    const [format, type] = matched;
    const escaping = escapingOf(range);
    const charset = format === "protobuf" ? "" : "; charset=utf-8";
    const contentType = `${type}${charset}; escaping=${escaping}`;
    return { format, escaping, contentType };
  }
  throw new Error("Cannot negotiate: there is always the text format");
}
