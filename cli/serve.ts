/**
 * The web service as a program: its flags, its messages and its end.
 *
 * Everything that it does to the outside it does through the runtime's program.
 *
 * @module
 */

import { parseArgs } from "@std/cli/parse-args";
import { resolve } from "@std/path";
import { parsePushFlags, type PushFlags } from "./push_flags.ts";
import { Collector } from "../collect/collector.ts";
import { lockState } from "../collect/state_file.ts";
import { VERSION } from "../model/version.ts";
import type { OwnMetric } from "../prometheus/exposition.ts";
import { type Push, type PushStats, startPush } from "../push/push.ts";
import type { Address, Program } from "../runtime/program.ts";
import { runtime } from "../runtime/runtime.ts";
import { DEFAULT_PIPE_DIR, pipeDir } from "../directory/pipe_dir.ts";
import { guard, isLoopback } from "../web/guard.ts";
import { ALWAYS } from "../web/respond.ts";
import {
  createHandler,
  type HandlerOptions,
  normalizePath,
} from "../web/handler.ts";

const help = (command: string) =>
  `Serves the stats of all programs on this host, merged: as JSON, as text, and
for Prometheus.

Usage: ${command} [flags]

  -p, --port PORT      port to listen on (7828)
  -i, --ip IP          address to listen on (127.0.0.1; 0.0.0.0 is everywhere)
  -l, --path PATH      path of the stats (/stats)
  -d, --pipe-dir DIR   directory of the pipes (STATVENT_PIPE_DIR, or
                       ${DEFAULT_PIPE_DIR})
  -s, --state FILE     keeps the totals of killed programs in FILE, over
                       restarts of this service
      --graphite HOST[:PORT]
                       pushes to Graphite (port 2003)
      --graphite-pickle HOST[:PORT]
                       the same, as pickles (2004)
      --statsd HOST[:PORT]
                       pushes to StatsD (8125)
      --otlp URL       pushes to an OpenTelemetry collector
      --interval SECONDS
                       how often to push (10)
      --prefix PREFIX  what stands before every name that is pushed ({host})
      --allow GLOB     pushes what matches; of these two the last one decides
      --forbid GLOB    does not push what matches
      --prune GLOB     pushes nothing that matches or is below it
      --token-file FILE
                       answers only those who send what FILE holds, as
                       "Authorization: Bearer TOKEN"
      --cert FILE      serves https with this certificate, in PEM
      --key FILE       the key of the certificate, in PEM
  -h, --help           print this and exit
      --version        print the version and exit

Examples:
  ${command}
  ${command} --port 8080 --path /
  ${command} --state /var/lib/statvent.json
  ${command} --graphite 10.0.0.1 --forbid '*' --allow 'http.*'
  curl 'http://127.0.0.1:7828/stats?format=prettyjson'
  curl http://127.0.0.1:7828/processes
  curl http://127.0.0.1:7828/metrics`;

/** Thrown for flags that make no sense. */
class UsageError extends Error {}

/** The flags that name a file to read. */
const FILES = ["token-file", "cert", "key"] as const;

interface Flags extends HandlerOptions {
  readonly token: string | undefined;
  readonly push: PushFlags | undefined;
  readonly tls: Address["tls"];
  readonly port: number;
  readonly ip: string;
  readonly help: boolean;
  readonly version: boolean;
}

function parseFlags(program: Program): Flags {
  const { push, rest } = parsePushFlags(program.args);
  const flags = parseArgs(rest, {
    string: ["port", "ip", "path", "pipe-dir", "state", ...FILES],
    boolean: ["help", "version"],
    alias: {
      p: "port",
      i: "ip",
      l: "path",
      d: "pipe-dir",
      s: "state",
      h: "help",
    },
    default: { port: "7828", ip: "127.0.0.1", path: "/stats" },
    "--": true,
    unknown: (arg) => {
      throw new UsageError(
        `${
          arg.startsWith("-") ? "unknown flag" : "unexpected argument"
        } ${arg}`,
      );
    },
  });
  if (flags["--"].length > 0) {
    throw new UsageError(`unexpected argument ${flags["--"][0]}`);
  }
  for (
    const name of [
      "port",
      "ip",
      "path",
      "pipe-dir",
      "state",
      ...FILES,
    ] as const
  ) {
    if (flags[name] === "") throw new UsageError(`--${name} needs a value`);
  }
  const port = Number(flags.port);
  if (!/^\d+$/.test(flags.port) || port > 65_535) {
    throw new UsageError(
      `--port must be a number from 0 to 65535, got ${flags.port}`,
    );
  }
  const path = normalizePath(flags.path);
  if (path === undefined) {
    throw new UsageError(
      `--path must begin with / and have no ? or #, got ${flags.path}`,
    );
  }
  if (/\/(processes|metrics)$/.test(path)) {
    throw new UsageError(
      `--path must not end in /processes or /metrics, which are beside it, got ${flags.path}`,
    );
  }
  const dir = flags["pipe-dir"];
  if (dir !== undefined && runtime.identifyTarget(dir)?.isDirectory === false) {
    throw new UsageError(`--pipe-dir must be a directory, got the file ${dir}`);
  }
  const [token, cert, key] = FILES.map((name) => {
    const path = flags[name];
    if (path === undefined) return undefined;
    try {
      return program.readText(path);
    } catch (error) {
      throw new UsageError(
        `cannot read --${name}: ${(error as Error).message}`,
      );
    }
  });
  if (token?.trim() === "") {
    throw new UsageError("--token-file must hold a token, got an empty file");
  }
  if (token !== undefined && !/^[\x21-\x7e]+$/.test(token.trim())) {
    throw new UsageError(
      "--token-file must hold one word of ASCII characters, which is what a header can hold",
    );
  }
  if ((cert === undefined) !== (key === undefined)) {
    throw new UsageError("--cert and --key need each other");
  }
  return {
    token: token?.trim(),
    push,
    tls: cert === undefined || key === undefined ? undefined : { cert, key },
    port,
    ip: flags.ip,
    path,
    pipeDir: dir === undefined ? pipeDir() : resolve(dir),
    state: flags.state === undefined ? undefined : resolve(flags.state),
    help: flags.help,
    version: flags.version,
  };
}

/** What is said of a target that is pushed to. */
function pushMetrics(stats: PushStats): OwnMetric[] {
  const { target, sent, dropped, waiting, failed } = stats;
  const metric = (
    name: string,
    type: OwnMetric["type"],
    value: number,
    help: string,
  ) => ({ name, type, value, help, labels: { target } });
  return [
    metric(
      "statvent_push_sent_total",
      "counter",
      sent,
      "Points that were sent.",
    ),
    metric(
      "statvent_push_dropped_total",
      "counter",
      dropped,
      "Points that never will be.",
    ),
    metric("statvent_push_waiting", "gauge", waiting, "Points that wait."),
    metric(
      "statvent_push_failed_total",
      "counter",
      failed,
      "How often the target could not be reached.",
    ),
  ];
}

/** Runs the program. */
export async function serve(
  program: Program,
): Promise<void> {
  let flags;
  try {
    flags = parseFlags(program);
  } catch (error) {
    program.printError(`statvent: ${(error as Error).message}; see --help`);
    return program.exit(2);
  }
  if (flags.help) return program.print(help(program.command));
  if (flags.version) return program.print(`statvent ${VERSION}`);
  const { ip, port, path, token, tls, push } = flags;
  const scheme = tls === undefined ? "http" : "https";
  const loopback = isLoopback(ip);
  const name = ip.includes(":") ? `[${ip}]` : ip;
  // Names of files are anybody's.
  const log = (line: string) =>
    program.printError(
      `statvent: ${
        line.replace(/\p{Cc}/gu, (c) => JSON.stringify(c).slice(1, -1))
      }`,
    );
  let collector: Collector;
  try {
    if (flags.state !== undefined) lockState(flags.state);
    collector = new Collector({ ...flags, log });
  } catch (error) {
    log((error as Error).message);
    return program.exit(1);
  }
  let pushing: Push | undefined;
  const own = () => [
    {
      name: "statvent_state_errors_total",
      help: "How often the state could not be written.",
      type: "counter",
      value: collector.stateErrors,
    } as const,
    ...(pushing?.stats() ?? []).flatMap(pushMetrics),
  ];
  const handler = guard(createHandler({ path, collector, own }), {
    loopback,
    token,
  });
  try {
    await program.listen(handler, { ip, port, tls }, ALWAYS, (port) => {
      program.print(`Serving stats on ${scheme}://${name}:${port}${path}`);
      if (!loopback && token === undefined) {
        log(
          "whoever reaches this address can read the stats; see --token-file",
        );
      } else if (!loopback && tls === undefined) {
        log("the token can be read on its way; see --cert");
      }
      if (push !== undefined) {
        const collect = () => collector.collect();
        pushing = startPush({ ...push, collect, log });
      }
    });
  } catch (error) {
    const { code, message } = error as { code?: string; message: string };
    log(
      code === "EADDRINUSE"
        ? `port ${port} on ${ip} is in use; choose another with --port`
        : `cannot listen on ${name}:${port}: ${message}`,
    );
    return program.exit(1);
  }
  await pushing?.stop();
}
