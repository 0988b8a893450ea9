/**
 * The web service as a program: what it starts, says and stops.
 *
 * Listens and prints through the runtime's program.
 *
 * @module
 */

import { help } from "./flags.ts";
import { readSettings, type Settings } from "./settings.ts";
import { Collector } from "../collect/collector.ts";
import { lockState } from "../collect/state_lock.ts";
import { answers, type ProcessStatus } from "../collect/host_stats.ts";
import { printable } from "../model/printable.ts";
import { VERSION } from "../model/version.ts";
import { printing } from "./printing.ts";
import type { OwnMetric } from "../prometheus/exposition.ts";
import { type Push, startPush } from "../push/schedule.ts";
import type { PushStats } from "../push/target.ts";
import { attempt } from "../runtime/attempt.ts";
import type { CommandLine } from "../runtime/command_line.ts";
import { runtime } from "../runtime/runtime.ts";
import { guardAnswers, isLoopback } from "../web/guard.ts";
import { answererOf, warmUp } from "../web/handler.ts";
import { ALWAYS } from "../web/respond.ts";

/** The metrics of one target of the pushes. */
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
      "Points that were given up.",
    ),
    metric(
      "statvent_push_waiting",
      "gauge",
      waiting,
      "Points that wait to be sent.",
    ),
    metric(
      "statvent_push_failed_total",
      "counter",
      failed,
      "Attempts to send that failed.",
    ),
  ];
}

/** What the service's own metrics say besides those of its process. */
function ownMetrics(
  { stateErrors }: Collector,
  push: Push | undefined,
): OwnMetric[] {
  return [
    {
      name: "statvent_state_errors_total",
      help: "Failures to write the state file.",
      type: "counter",
      value: stateErrors,
    },
    ...(push?.stats() ?? []).flatMap(pushMetrics),
  ];
}

/** Why the settings are dangerous, or `undefined` if they are not. */
function warning({ ip, token, tls }: Settings): string | undefined {
  if (isLoopback(ip)) return undefined;
  if (token === undefined) {
    return "anyone who can reach this address can read the stats; see --token-file";
  }
  return tls === undefined
    ? "the token is sent unencrypted; see --cert"
    : undefined;
}

/** What there is to read at the start, for a user who wonders why no stats are served. */
async function whatIsThere(dir: string, collector: Collector): Promise<string> {
  let processes: readonly ProcessStatus[];
  try {
    processes = (await collector.read()).processes ?? [];
  } catch (error) {
    const { message, cause } = error as Error;
    const why = cause instanceof Error ? cause.message : message;
    return `No programs: cannot read ${dir}${ownerOf(dir)}: ${why}`;
  }
  const there = processes.filter(({ state }) => state !== "dead");
  if (there.length > 0) {
    const answering = there.filter(({ state }) => answers(state)).length;
    const programs = `Reading ${
      there.length === 1 ? "1 program" : `${there.length} programs`
    } in ${dir}`;
    if (answering === there.length) return programs;
    const why = there.find(({ error }) => error !== undefined)?.error;
    return `${programs}, of which ${
      answering === 0 ? "none answers" : `${answering} answer`
    }: ${why}`;
  }
  const isThere = attempt(() => runtime.identifyTarget(dir) !== undefined);
  return `No programs yet: ${
    isThere === false
      ? `${dir} does not exist`
      : `there is no pipe in ${dir}${ownerOf(dir)}`
  }`;
}

/** Whose directory it is, if it is another user's. */
function ownerOf(dir: string): string {
  const owner = attempt(() => runtime.identifyTarget(dir)?.owner);
  const self = attempt(() => runtime.processOwner(runtime.pid));
  return owner === undefined || self === undefined || owner === self
    ? ""
    : `, which belongs to user ${owner}, while this is user ${self}`;
}

/** Runs the web service until the user interrupts it. */
export async function serve(given: CommandLine): Promise<void> {
  const program = printing(given);
  let settings;
  try {
    settings = readSettings(program);
  } catch (error) {
    program.printError(`statvent: ${(error as Error).message}; see --help`);
    return program.exit(2);
  }
  if (settings === "help") return program.print(help(program.command));
  if (settings === "version") return program.print(`statvent ${VERSION}`);
  const log = (line: string) => program.printError(`statvent: ${line}`);
  let collector: Collector;
  try {
    if (settings.state !== undefined) await lockState(settings.state);
    collector = new Collector({ ...settings, log });
  } catch (error) {
    log((error as Error).message);
    return program.exit(1);
  }
  await run(program, settings, collector, log);
}

/** Listens and pushes until the user interrupts. */
async function run(
  program: CommandLine,
  settings: Settings,
  collector: Collector,
  log: (line: string) => void,
): Promise<void> {
  const { ip, port, path, token, tls } = settings;
  const name = ip.includes(":") ? `[${ip}]` : ip;
  let push: Push | undefined;
  const own = () => ownMetrics(collector, push);
  const loopback = isLoopback(ip);
  const answerer = answererOf(collector, { path, own });
  const guarded = guardAnswers(answerer, { loopback, token });
  try {
    await program.listen(guarded, { ip, port, tls }, ALWAYS, async (port) => {
      // They share one read.
      const [what] = await Promise.all([
        whatIsThere(settings.pipeDir, collector),
        warmUp(answerer, path),
      ]);
      const scheme = tls === undefined ? "http" : "https";
      program.print(`Serving stats on ${scheme}://${name}:${port}${path}`);
      program.print(printable(what));
      const why = warning(settings);
      if (why !== undefined) log(why);
      if (settings.push !== undefined) {
        const collect = () => collector.collect();
        push = startPush({ ...settings.push, collect, log });
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
  await push?.stop();
}
