/**
 * The form of a scrape's answer, by the header `Accept`.
 *
 * Pure: no clock, no I/O. Imports nothing.
 *
 * @module
 */

/** A form in which Prometheus reads metrics. */
export type Format = "text" | "openmetrics" | "protobuf";

/** What becomes of names that Prometheus did not take before its version 3. */
export type Escaping = "allow-utf-8" | "underscores" | "dots" | "values";

/** What to answer with. */
export interface Negotiated {
  /** The form. */
  readonly format: Format;
  /** The escaping of names. */
  readonly escaping: Escaping;
  /** The header that says both. */
  readonly contentType: string;
}

interface MediaRange {
  /** In lower case, such as `text/plain`. */
  readonly type: string;
  readonly params: ReadonlyMap<string, string>;
  /** How much it is wanted, from 0 to 1. */
  readonly q: number;
}

const PROTO = "io.prometheus.client.MetricFamily";

/** The parts of a text between separators that are not in quotes. */
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

/** The form that a range asks for, and its content type; `undefined` for none. */
function match(
  { type, params }: MediaRange,
): [format: Format, contentType: string] | undefined {
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
 * Picks the form that is wanted most. Of those that are wanted alike, one that
 * is named comes before a wildcard, and then the first. The text format 0.0.4
 * if there is none.
 *
 * @param accept The header, or `null` without one.
 * @returns The form, and the content type by which the answer says it.
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
