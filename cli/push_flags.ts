/**
 * The flags of the web service that say what to push, and where to.
 *
 * Pure: no clock, no I/O.
 *
 * @module
 */

import { show } from "../model/show.ts";
import type { PushOptions, PushTarget } from "../push/push.ts";
import type { Rule } from "../push/rules.ts";

/** What the flags say, for `startPush`. */
export type PushFlags = Pick<PushOptions, "interval" | "prefix"> & {
  readonly targets: readonly PushTarget[];
  readonly rules: readonly Rule[];
};

/** The ports of their own that the protocols have. */
const PORTS = { graphite: 2003, "graphite-pickle": 2004, statsd: 8125 };

const FLAG =
  /^--(graphite|graphite-pickle|statsd|otlp|interval|prefix|allow|forbid|prune)(?:=(.*))?$/s;

const ADDRESS =
  /^(?:\[([\da-fA-F:.]*:[\w:.%]*)\]|([^\s:/@[\]]+))(?::([^:/]*))?$/;

function parseAddress(
  protocol: keyof typeof PORTS,
  value: string,
): PushTarget {
  const match = ADDRESS.exec(value);
  if (match === null) {
    throw new RangeError(
      `--${protocol} must be HOST or HOST:PORT, with an IPv6 address in brackets, got ${
        show(value)
      }`,
    );
  }
  const [, ipv6, name, digits = `${PORTS[protocol]}`] = match;
  const port = Number(digits);
  if (!/^\d+$/.test(digits) || port < 1 || port > 65_535) {
    throw new RangeError(
      `the port of --${protocol} must be a number from 1 to 65535, got ${
        show(digits)
      }`,
    );
  }
  return { protocol, host: ipv6 ?? name, port };
}

function parseUrl(value: string): PushTarget {
  const url = URL.canParse(value) ? new URL(value) : undefined;
  if (
    url === undefined || !/^https?:$/.test(url.protocol) ||
    url.username !== "" || url.password !== "" || url.hash !== ""
  ) {
    throw new RangeError(
      `--otlp must be a URL that begins with http:// or https://, without a user and a fragment, got ${
        show(value)
      }`,
    );
  }
  if (url.pathname === "/") url.pathname = "/v1/metrics";
  return { protocol: "otlp", url: url.href };
}

function parseInterval(value: string): number {
  const interval = Number(value);
  if (!/^\d+(\.\d+)?$/.test(value) || interval < 1 || interval > 86_400) {
    throw new RangeError(
      `--interval must be a number of seconds from 1 to 86400, got ${
        show(value)
      }`,
    );
  }
  return interval;
}

/**
 * Takes the flags of the push out of a program's arguments. They cannot be left
 * to `parseArgs`, which loses the order of `--allow` and `--forbid`.
 *
 * @param args The arguments. Left as they are.
 * @returns What the flags say, or `undefined` if there are none, and the
 * arguments without them.
 * @throws {RangeError} With a sentence on what a flag must be.
 */
export function parsePushFlags(
  args: readonly string[],
): { push: PushFlags | undefined; rest: string[] } {
  const rest: string[] = [];
  const targets: PushTarget[] = [];
  const rules: Rule[] = [];
  let interval: number | undefined;
  let prefix: string | undefined;
  let first: string | undefined;
  for (let i = 0; i < args.length; i++) {
    if (args[i] === "--") {
      rest.push(...args.slice(i));
      break;
    }
    const match = FLAG.exec(args[i]);
    if (match === null) {
      rest.push(args[i]);
      continue;
    }
    const [, flag, inline] = match;
    first ??= flag;
    const value = inline ?? args[i + 1] ?? "";
    // A prefix may be empty, if that is said with "=".
    if (
      (value === "" && !(flag === "prefix" && inline === "")) ||
      (inline === undefined && value.startsWith("-"))
    ) throw new RangeError(`--${flag} needs a value`);
    if (inline === undefined) i++;
    switch (flag) {
      case "graphite":
      case "graphite-pickle":
      case "statsd":
        targets.push(parseAddress(flag, value));
        break;
      case "otlp":
        targets.push(parseUrl(value));
        break;
      case "interval":
        interval = parseInterval(value);
        break;
      case "prefix":
        prefix = value;
        break;
      default:
        rules.push({ action: flag as Rule["action"], glob: value });
    }
  }
  if (first === undefined) return { push: undefined, rest };
  if (targets.length === 0) {
    throw new RangeError(
      `--${first} needs --graphite, --graphite-pickle, --statsd or --otlp`,
    );
  }
  return { push: { targets, rules, interval, prefix }, rest };
}
