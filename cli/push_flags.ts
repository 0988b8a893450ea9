/**
 * The settings of the pushes, from the flags that say what to push and where to.
 *
 * Pure: no clock, no I/O.
 *
 * @module
 */

import { FLAGS, PORTS, type PushFlag, UsageError } from "./flags.ts";
import { show } from "../model/show.ts";
import type { Rule } from "../push/rules.ts";
import type { PushOptions } from "../push/schedule.ts";
import type { PushTarget } from "../push/target.ts";

/** The settings that `startPush` takes from the flags. */
export type PushFlags = Pick<PushOptions, "interval" | "prefix"> & {
  readonly targets: readonly PushTarget[];
  readonly rules: readonly Rule[];
};

const ADDRESS =
  /^(?:\[([\da-fA-F:.]*:[\w:.%]*)\]|([^\s:/@[\]]+))(?::([^:/]*))?$/;

function parseAddress(
  protocol: keyof typeof PORTS,
  value: string,
): PushTarget {
  const match = ADDRESS.exec(value);
  if (match === null) {
    throw new UsageError(
      `--${protocol} must be HOST or HOST:PORT, with an IPv6 address in brackets, got ${
        show(value)
      }`,
    );
  }
  const [, ipv6, name, digits = `${PORTS[protocol]}`] = match;
  const port = Number(digits);
  if (!/^\d+$/.test(digits) || port < 1 || port > 65_535) {
    throw new UsageError(
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
    throw new UsageError(
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
    throw new UsageError(
      `--interval must be a number of seconds from 1 to 86400, got ${
        show(value)
      }`,
    );
  }
  return interval;
}

const PUSH_FLAGS: ReadonlySet<string> = new Set(
  FLAGS.filter((flag) => "push" in flag).map(({ name }) => name),
);

/** A flag and its value. */
type Given = readonly [flag: PushFlag, value: string];

/**
 * Takes the flags of the pushes out of the arguments. `parseArgs` would lose the
 * order of `--allow` and `--forbid`.
 */
function takeOut(args: readonly string[]): { given: Given[]; rest: string[] } {
  const given: Given[] = [];
  const rest: string[] = [];
  for (let i = 0; i < args.length; i++) {
    if (args[i] === "--") {
      rest.push(...args.slice(i));
      break;
    }
    const [, flag, inline] = /^--([^=]+)(?:=(.*))?$/s.exec(args[i]) ?? [];
    if (!PUSH_FLAGS.has(flag)) {
      rest.push(args[i]);
      continue;
    }
    const value = inline ?? args[i + 1] ?? "";
    // "--prefix=" asks for no prefix.
    const isEmpty = value === "" && !(flag === "prefix" && inline === "");
    if (isEmpty || (inline === undefined && value.startsWith("-"))) {
      throw new UsageError(`--${flag} needs a value`);
    }
    if (inline === undefined) i++;
    given.push([flag as PushFlag, value]);
  }
  return { given, rest };
}

/**
 * Parses the flags of the pushes.
 *
 * @param args All arguments. Left as they are.
 * @returns The settings, or `undefined` if there are none, and the other
 * arguments.
 * @throws {UsageError} With a sentence on what a flag must be.
 */
export function parsePushFlags(
  args: readonly string[],
): { push: PushFlags | undefined; rest: string[] } {
  const { given, rest } = takeOut(args);
  if (given.length === 0) return { push: undefined, rest };
  const targets: PushTarget[] = [];
  const rules: Rule[] = [];
  let interval: number | undefined;
  let prefix: string | undefined;
  for (const [flag, value] of given) {
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
        rules.push({ action: flag, glob: value });
    }
  }
  if (targets.length === 0) {
    throw new UsageError(
      `--${
        given[0][0]
      } needs --graphite, --graphite-pickle, --statsd or --otlp`,
    );
  }
  return { push: { targets, rules, interval, prefix }, rest };
}
