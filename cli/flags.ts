/**
 * The flags of `statvent serve`, and how a table of flags makes the parser, the
 * help and the table in the documentation.
 *
 * Pure: no clock, no I/O.
 *
 * @module
 */

import { parseArgs } from "@std/cli/parse-args";
import { DEFAULT_PIPE_DIR } from "../directory/pipe_dir.ts";
import { DEFAULT_INTERVAL } from "../push/schedule.ts";

/** One flag. */
export interface Flag {
  readonly name: string;
  /** Its name in one letter. */
  readonly short?: string;
  /** What the help calls its value. A flag without one is a switch. */
  readonly value?: string;
  /** Its value where it is not given. */
  readonly default?: string;
  /** What stands in its place where that is not a constant, for people to read. */
  readonly otherwise?: string;
  /** What it does, without a period at the end. */
  readonly help: string;
  /** Whether it says what to push or where to. These are parsed in their order. */
  readonly push?: true;
}

/** Thrown for arguments that make no sense. */
export class UsageError extends Error {
  /** `"UsageError"`. */
  override name = "UsageError";
}

/** The ports that targets of the pushes usually listen on. */
export const PORTS = { graphite: 2003, "graphite-pickle": 2004, statsd: 8125 };

/** Where the pipes are, for every command. */
export const PIPE_DIR = {
  name: "pipe-dir",
  short: "d",
  value: "DIR",
  otherwise: `STATVENT_PIPE_DIR, or ${DEFAULT_PIPE_DIR}`,
  help: "directory of the pipes",
} as const satisfies Flag;

/** The switch that asks for the help, for every command. */
export const HELP = {
  name: "help",
  short: "h",
  help: "prints this help and exits",
} as const satisfies Flag;

/** All flags of `statvent serve`, in the order of the help. */
export const FLAGS = [
  {
    name: "port",
    short: "p",
    value: "PORT",
    default: "7828",
    help: "port to listen on",
  },
  {
    name: "ip",
    short: "i",
    value: "IP",
    default: "127.0.0.1",
    help: "address to listen on; 0.0.0.0 stands for every address",
  },
  {
    name: "path",
    short: "l",
    value: "PATH",
    default: "/stats",
    help: "path of the stats",
  },
  PIPE_DIR,
  {
    name: "state",
    short: "s",
    value: "FILE",
    help: "keeps the totals of killed programs across restarts of this service",
  },
  {
    name: "graphite",
    value: "HOST[:PORT]",
    otherwise: `port ${PORTS.graphite}`,
    help: "pushes to Graphite, as lines of text",
    push: true,
  },
  {
    name: "graphite-pickle",
    value: "HOST[:PORT]",
    otherwise: `port ${PORTS["graphite-pickle"]}`,
    help: "pushes to Graphite, as pickles",
    push: true,
  },
  {
    name: "statsd",
    value: "HOST[:PORT]",
    otherwise: `port ${PORTS.statsd}`,
    help: "pushes to StatsD",
    push: true,
  },
  {
    name: "otlp",
    value: "URL",
    help: "pushes to an OpenTelemetry collector",
    push: true,
  },
  {
    name: "interval",
    value: "SECONDS",
    otherwise: `${DEFAULT_INTERVAL}`,
    help: "time from one push to the next",
    push: true,
  },
  {
    name: "prefix",
    value: "PREFIX",
    otherwise: "{host}, and none for OTLP",
    help: "prefix of every pushed name",
    push: true,
  },
  {
    name: "allow",
    value: "GLOB",
    help:
      "pushes only stats that match; the last --allow or --forbid that matches decides",
    push: true,
  },
  {
    name: "forbid",
    value: "GLOB",
    help: "does not push stats that match",
    push: true,
  },
  {
    name: "prune",
    value: "GLOB",
    help: "pushes nothing that matches, nor anything below it",
    push: true,
  },
  {
    name: "token-file",
    value: "FILE",
    help:
      'answers only clients that send the token in FILE, as "Authorization: Bearer TOKEN"',
  },
  {
    name: "cert",
    value: "FILE",
    help: "serves https with this certificate, in PEM",
  },
  {
    name: "key",
    value: "FILE",
    help: "the certificate's private key, in PEM",
  },
  HELP,
  { name: "version", help: "prints the version and exits" },
] as const satisfies readonly Flag[];

type Entry = typeof FLAGS[number];

/** The flags that {@linkcode parseFlags} leaves to the parser of the pushes. */
export type PushFlag = Extract<Entry, { push: true }>["name"];

type Switch = Exclude<Entry, { value: string }>["name"];
type Valued = Exclude<Entry, { push: true } | { name: Switch }>["name"];

/** The arguments by the names of their flags, each value still a text. */
export type ParsedFlags =
  & { readonly [name in Valued]?: string }
  & { readonly [name in Extract<Entry, { default: string }>["name"]]: string }
  & { readonly [name in Switch]: boolean };

/**
 * Parses all flags but those of the pushes.
 *
 * @param args The arguments, without the flags of the pushes.
 * @returns The values. None of them is empty.
 * @throws {UsageError} For an unknown flag, an argument that belongs to none, or
 * a value that is missing.
 */
export function parseFlags(args: string[]): ParsedFlags {
  const flags: readonly Flag[] = FLAGS.filter((flag) => !("push" in flag));
  const { values, operands } = parseTable(flags, args);
  if (operands.length > 0) {
    throw new UsageError(`unexpected argument ${operands[0]}`);
  }
  // The compiler does not know the names in the table.
  return values as unknown as ParsedFlags;
}

/** The arguments of a program. */
export interface ParsedTable {
  /** The values by the names of their flags. None of them is empty. */
  readonly values: { readonly [name: string]: string | boolean | undefined };
  /** The arguments that belong to no flag. */
  readonly operands: readonly string[];
}

/**
 * Parses arguments by a table of flags.
 *
 * @throws {UsageError} For an unknown flag, or a value that is missing.
 */
export function parseTable(
  flags: readonly Flag[],
  args: string[],
): ParsedTable {
  const operands: string[] = [];
  const valued = flags.filter(({ value }) => value !== undefined);
  const parsed = parseArgs(args, {
    string: valued.map(({ name }) => name),
    boolean: flags.filter((flag) => !valued.includes(flag))
      .map(({ name }) => name),
    alias: pairs(flags, ({ short, name }) => short && [short, name]),
    default: pairs(flags, (flag) => flag.default && [flag.name, flag.default]),
    "--": true,
    unknown: (arg) => {
      if (arg.startsWith("-")) throw new UsageError(`unknown flag ${arg}`);
      operands.push(arg);
      return false;
    },
  });
  const values: ParsedTable["values"] = parsed;
  for (const { name } of valued) {
    if (values[name] === "") throw new UsageError(`--${name} needs a value`);
  }
  return { values, operands: [...operands, ...parsed["--"] ?? []] };
}

/** An object of what `pairOf` finds in some of the flags. */
function pairs(
  flags: readonly Flag[],
  pairOf: (flag: Flag) => [key: string, value: string] | "" | undefined,
): Record<string, string> {
  return Object.fromEntries(flags.flatMap((flag) => {
    const pair = pairOf(flag);
    return pair ? [pair] : [];
  }));
}

/** How wide the help is, and where its second column begins. */
const WIDTH = 80;
const INDENT = 23;

/** A flag in the help: its names in the first column, and what it does. */
export function helpOf(flag: Flag): string {
  const { name, short, value, help, otherwise = flag.default } = flag;
  const names = `  ${short ? `-${short},` : "   "} --${name}${
    value ? ` ${value}` : ""
  }`;
  const text = otherwise === undefined ? help : `${help} (${otherwise})`;
  const lines = [""];
  for (const word of text.split(" ")) {
    const line = lines[lines.length - 1];
    if (line !== "" && INDENT + line.length + 1 + word.length > WIDTH) {
      lines.push(word);
    } else lines[lines.length - 1] = line === "" ? word : `${line} ${word}`;
  }
  const break_ = `\n${" ".repeat(INDENT)}`;
  const gap = names.length + 1 < INDENT
    ? " ".repeat(INDENT - names.length)
    : break_;
  return `${names}${gap}${lines.join(break_)}`;
}

/**
 * The help.
 *
 * @param command How the program was started.
 */
export function help(command: string): string {
  return `Serves the merged stats of all programs on this host, as JSON, as text and for
Prometheus.

Usage: ${command} [flags]

${FLAGS.map(helpOf).join("\n")}

Examples:
  ${command}
  ${command} --port 8080 --path /
  ${command} --state /var/lib/statvent.json
  ${command} --graphite 10.0.0.1 --forbid '*' --allow 'http.*'
  curl 'http://127.0.0.1:7828/stats?format=prettyjson'
  curl http://127.0.0.1:7828/processes
  curl http://127.0.0.1:7828/metrics`;
}
