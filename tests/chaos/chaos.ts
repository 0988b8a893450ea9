/**
 * Starts, stops and kills programs on all runtimes and in other languages,
 * while two services read them, and checks every answer against what is true.
 *
 * `deno task chaos --help` says how.
 *
 * @module
 */

import { parseArgs } from "@std/cli/parse-args";
import { fromJson, fromText, isWhole, VALUES, Violation } from "./answer.ts";
import { Book, MOST } from "./book.ts";
import { type Kind, KINDS, prepare, Program } from "./programs.ts";
import { Random } from "./random.ts";
import { type Answer, Service, type Usage, usage } from "./service.ts";

const HELP = `Checks what services answer while programs come and go.

Usage: deno task chaos [flags]

      --seconds N      how long programs come and go (60)
      --seed N         what happens, in which order (from the clock)
      --runtimes LIST  of ${KINDS.join(",")} (all)
      --programs N     how many run at a time, and one of each (8)
      --fuzz N         how many snapshots are read by the parser and by a slow
                       one before that (0)
      --keep           leaves the directories if it fails
  -h, --help           print this and exit

The last line is "chaos: … ok", or the exit code is 1.`;

/** How long an answer may take, in milliseconds: the deadline, and 50 more. */
const LATEST_MS = 300;
/** An answer that was faster than this has waited for nobody. */
const QUICK_MS = 245;
/** How long everything has to come to its end, in milliseconds. */
const END_MS = 30_000;

/** What may be held more after than before, of what a process keeps for itself. */
const MARGIN: Usage = { files: 4, threads: 6, megabytes: 64 };

/** Reads so many random snapshots in two ways. */
async function fuzz(count: string): Promise<void> {
  console.log(`chaos: reading ${count} snapshots in two ways`);
  const { success } = await new Deno.Command(Deno.execPath(), {
    args: [
      ...["test", "--quiet", "--allow-env", "--filter", "/slow reader/"],
      new URL("../format/snapshot_parser_test.ts", import.meta.url).pathname,
    ],
    env: { STATVENT_FUZZ: count },
    stdin: "null",
    stdout: "inherit",
    stderr: "inherit",
  }).output();
  if (!success) {
    console.log("chaos: the parser and a slow one differ; see the test above");
    Deno.exit(1);
  }
}

const flags = parseArgs(Deno.args, {
  string: ["seconds", "seed", "runtimes", "programs", "fuzz"],
  boolean: ["help", "keep"],
  "--": true,
  alias: { h: "help" },
  default: {
    seconds: "60",
    seed: `${Date.now() % 1e9}`,
    runtimes: KINDS.join(","),
    programs: "8",
    fuzz: "0",
  },
  unknown: (arg) => {
    console.error(`chaos: unknown argument ${arg}; see --help`);
    Deno.exit(2);
  },
});
if (flags.help) {
  console.log(HELP);
  Deno.exit(0);
}
const seconds = Number(flags.seconds);
const seed = Number(flags.seed);
const most = Number(flags.programs);
const names = flags.runtimes.split(",");
for (const name of names) {
  if (!KINDS.includes(name)) {
    console.error(`chaos: unknown runtime ${name}; see --help`);
    Deno.exit(2);
  }
}
if (!(seconds > 0 && Number.isInteger(seed) && most > 0)) {
  console.error("chaos: --seconds, --seed and --programs must be numbers");
  Deno.exit(2);
}

if (Number(flags.fuzz) > 0) await fuzz(flags.fuzz);
console.log(`chaos: seed ${seed}, ${seconds} seconds`);
const random = new Random(seed);
// When is not what: pauses may differ from run to run, and take nothing from
// what decides.
const pauses = new Random(seed ^ 0x5bd1e995);
const place = await Deno.makeTempDir({ prefix: "statvent-chaos-" });
const pipeDir = `${place}/pipes`;
const stateDir = `${place}/state`;
await Deno.mkdir(pipeDir);
await Deno.mkdir(stateDir);
const epoch = performance.now();

const events: string[] = [];
function note(event: string): void {
  const time = ((performance.now() - epoch) / 1000).toFixed(3);
  events.push(`${time} ${event}`);
}

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

const counts = {
  answers: 0,
  processes: 0,
  kills: 0,
  ends: 0,
  execs: 0,
  stops: 0,
  restarts: 0,
  readers: 0,
  shared: 0,
};

let violation: Error | undefined;
function fail(error: unknown): void {
  violation ??= error as Error;
}
/** Runs something whose failure is a violation. */
function guard(action: Promise<unknown>): void {
  background.add(action);
  action.catch(fail).finally(() => background.delete(action));
}
const background = new Set<Promise<unknown>>();

const book = new Book(48, 6);
const services = ["service A", "service B"].map((name) =>
  Service.web(name, pipeDir, `${stateDir}/${name.at(-1)}.json`)
);
book.accounts.push(...services.map(({ account }) => account));
const control = new Service("the control", [
  new URL("echo.ts", import.meta.url).pathname,
]);

/** All that run. */
const programs = new Set<Program>();
/** When programs died lately. */
let deaths: number[] = [];

function start(kind: Kind): Program | undefined {
  const entry = book.enter(kind.isShell, kind.name);
  if (entry === undefined) return undefined;
  const handlesTerm = random.next() < 0.5;
  const program = new Program(kind, entry, handlesTerm, pipeDir, onReady);
  programs.add(program);
  counts.processes++;
  note(`${label(program)} starts`);
  guard(program.status.then((status) => onEnd(program, status)));
  return program;
}

function label({ pid, entry: { name } }: Program): string {
  return `${name} (${pid})`;
}

function onReady(program: Program): void {
  if (program.next !== undefined) {
    program.becomeNext();
    note(`${label(program)} has taken the place of another one`);
  } else note(`${label(program)} is ready`);
  program.entry.ready = true;
  // A signal that it was sent meanwhile may end it at any time.
  program.entry.doomed = program.isSignalled;
  if (!program.isStopped && !program.isSignalled) {
    program.troubledUntil = performance.now();
  }
}

function onEnd(program: Program, status: Deno.CommandStatus): void {
  programs.delete(program);
  deaths = [...deaths, performance.now()].slice(-50);
  note(`${label(program)} has ended: ${status.signal ?? status.code}`);
  const { entry, isEnding, isSignalled } = program;
  if (program.next !== undefined) {
    // Nobody knows which of the two it was.
    program.next.entry.end = "killed";
    entry.end = "killed";
  } else if (status.signal !== null) entry.end = "killed";
  else if (isEnding && [0, 1].includes(status.code)) entry.end = "exact";
  else if (isSignalled && status.code === 0) entry.end = "orderly";
  else entry.end = "killed";
  const expected = status.signal !== null
    ? isSignalled
    : isEnding || isSignalled;
  if (!expected) {
    throw new Violation(
      `${label(program)} has ended by itself with ${
        status.signal ?? status.code
      }: ${program.stderr.trim()}`,
    );
  }
}

/** How many processes may give no answer that came at one time. */
function troubled(asked: number): number {
  return [...programs].filter(({ troubledUntil }) => troubledUntil >= asked)
    .length + deaths.filter((time) => time >= asked).length;
}

const overdue: Answer[] = [];
const controls: Answer[] = [];
let unexplainedSilence = 0;
let isOver = false;

async function askControl(): Promise<void> {
  while (!isOver) {
    controls.push((await control.ask(""))!);
    if (overdue.length === 0 && controls.length > 1000) controls.splice(0, 500);
    await sleep(10);
  }
}

async function poll(service: Service): Promise<void> {
  while (!isOver && violation === undefined) {
    await sleep(pauses.whole(0, 40));
    if (service.isUp && !paused) await askOnce(service);
  }
}
let paused = false;

async function askOnce(service: Service, only?: "text"): Promise<void> {
  const what = only ?? pauses.weighted({ text: 5, json: 4, processes: 1 });
  const before = book.before();
  const answer = await service.ask(
    what === "processes"
      ? "processes"
      : `stats?format=${what === "text" ? "text" : "json"}`,
  );
  if (answer === undefined) return;
  counts.answers++;
  const took = answer.came - answer.asked;
  if (took > LATEST_MS) overdue.push(answer);
  try {
    if (what === "processes") return checkProcesses(answer);
    if (what === "text") {
      const silent = took < QUICK_MS ? 0 : Infinity;
      book.check(service.account, fromText(answer.text), before, silent);
      return;
    }
    const { stats, processes } = JSON.parse(answer.text);
    const silent = processes.timeout;
    if (processes.invalid > 0) {
      throw new Violation("a process says something that is no snapshot");
    }
    if (silent > 0 && took < QUICK_MS) {
      throw new Violation(`${silent} processes were given up after ${took} ms`);
    }
    unexplainedSilence += Math.max(0, silent - troubled(answer.asked));
    book.check(service.account, fromJson(stats), before, silent);
  } catch (error) {
    note(`${service.name} has answered after ${took.toFixed()} ms`);
    if (error instanceof Violation) {
      Deno.writeTextFileSync(`${place}/answer`, answer.text);
      error.message += ` (${service.name}, ${what})`;
    }
    throw error;
  }
}

/** The ids of programs that ever ran. */
const pids = new Set<number>();

function checkProcesses({ text }: Answer): void {
  for (const { pid, state, error } of JSON.parse(text).processes) {
    if (!pids.has(pid)) {
      throw new Violation(`nobody has started process ${pid}`);
    }
    if (state === "invalid") {
      throw new Violation(`process ${pid} says something else: ${error}`);
    }
  }
}

/** Reads a pipe as anybody would. */
async function readPlainly(program: Program, pause: number): Promise<void> {
  const { entry, pid } = program;
  const before = book.before().done.get(entry);
  const { stdout } = await new Deno.Command("timeout", {
    args: [
      ...["3", "sh", "-c", 'exec <"$0"; sleep "$1"; cat'],
      ...[`${pipeDir}/${pid}.stats`, `${pause}`],
    ],
    stdin: "null",
    stderr: "null",
  }).output();
  counts.readers++;
  const text = new TextDecoder().decode(stdout);
  // It may have shared the snapshot with another reader, or waited in vain.
  if (!isWhole(text)) return void counts.shared++;
  const said = fromText(text);
  for (const [slot, amounts] of said.own) {
    if (slot !== entry.slot) continue;
    for (const [i, n] of amounts.entries()) {
      if (n > entry.told[i] || n < (before?.[i] ?? 0)) {
        throw new Violation(
          `${label(program)} says ${n}, and the truth is from ${
            before?.[i]
          } to ${entry.told[i]}`,
        );
      }
    }
  }
}

async function stopFor(program: Program, ms: number): Promise<void> {
  program.isStopped = true;
  program.troubledUntil = Infinity;
  program.signal("SIGSTOP");
  counts.stops++;
  note(`${label(program)} is stopped for ${ms} ms`);
  await sleep(ms);
  program.isStopped = false;
  program.signal("SIGCONT");
  note(`${label(program)} goes on`);
  if (program.entry.ready && !program.isEnding && !program.isSignalled) {
    program.troubledUntil = performance.now() + 50;
  }
}

function kill(program: Program, signal: "SIGTERM" | "SIGKILL"): void {
  note(`${label(program)} gets ${signal}`);
  program.isSignalled = true;
  program.troubledUntil = Infinity;
  if (
    signal === "SIGKILL" || !program.handlesTerm || !program.entry.ready ||
    program.next !== undefined
  ) {
    program.entry.doomed = true;
    if (program.next !== undefined) program.next.entry.doomed = true;
  }
  counts.kills++;
  program.signal(signal);
}

function tellToEnd(program: Program): void {
  const how = program.kind.isScript
    ? random.pick(["exit", "return", "throw", "stop"])
    : "now";
  note(`${label(program)} is told to end: ${how}`);
  counts.ends++;
  // Without a pipe its last values count, until it has ended: Deno takes the
  // pipe away when nobody has caught an error, and ends later.
  if (how === "stop" || (how === "throw" && program.kind.name === "deno")) {
    program.entry.doomed = true;
  }
  program.tellToEnd(how);
}

async function restart(service: Service): Promise<void> {
  const signal = random.pick(["SIGTERM", "SIGKILL"] as const);
  note(`${service.name} gets ${signal}`);
  const pause = random.whole(0, 1500);
  await service.stop(signal);
  await sleep(pause);
  await service.start();
  counts.restarts++;
  note(`${service.name} is back`);
}

/** Does one thing. */
function act(kinds: readonly Kind[], residents: ReadonlySet<Program>): void {
  if (programs.size < residents.size + most && random.next() < 0.3) {
    const program = start(random.pick(kinds));
    if (program === undefined) return;
    pids.add(program.pid);
    // Some do not come far.
    if (random.next() < 0.15) {
      const ms = random.whole(0, 400);
      guard(
        sleep(ms).then(() => {
          if (programs.has(program)) kill(program, "SIGKILL");
        }),
      );
    }
    return;
  }
  const free = [...programs].filter(({ entry, isEnding, isSignalled, next }) =>
    entry.ready && !isEnding && !isSignalled && next === undefined
  );
  if (free.length === 0) return;
  const program = random.pick(free);
  const { kind } = program;
  const isMortal = !residents.has(program);
  const action = random.weighted({
    count: 40,
    record: 30,
    set: 8,
    hang: 1,
    stop: 1.5,
    term: 2,
    kill: 2,
    end: 4,
    cut: 2,
    exec: 4,
    cat: 4,
    slow: 2,
    restart: 0.15,
  });
  if (action === "restart") {
    const [, b] = services;
    if (b.isUp && !isRestarting) {
      isRestarting = true;
      guard(restart(b).finally(() => isRestarting = false));
    }
  } else if (action === "cat" || action === "slow") {
    const pause = action === "cat" ? 0 : random.next();
    if (!kind.isShell) guard(readPlainly(program, pause));
  } else if (action === "stop") {
    if (isMortal && !program.isStopped) {
      guard(stopFor(program, random.whole(10, 1000)));
    }
  } else if (action === "kill" || action === "term") {
    if (isMortal) kill(program, action === "kill" ? "SIGKILL" : "SIGTERM");
  } else if (action === "end" || action === "cut") {
    if (!isMortal) return;
    tellToEnd(program);
    if (action === "cut") {
      const ms = random.whole(0, 30);
      const isStop = random.next() < 0.3;
      guard(
        sleep(ms).then(async () => {
          if (!programs.has(program)) return;
          if (isStop) await stopFor(program, random.whole(10, 1000));
          else kill(program, "SIGKILL");
        }),
      );
    }
  } else if (action === "exec") {
    if (!isMortal || !kind.canExec || program.pending > 0) return;
    const next = book.enter(kind.isShell, kind.name);
    if (next === undefined) return;
    counts.execs++;
    const isLeft = random.next() < 0.5;
    note(`${label(program)} is told to exec, ${isLeft ? "left" : "lost"}`);
    program.exec(next, isLeft);
  } else if (program.pending < 3) {
    if (action === "count") {
      const inThread = kind.isScript && random.next() < 0.1;
      program.count(random.whole(1, MOST), inThread);
    } else if (action === "record") {
      if (!kind.isShell) {
        program.record(
          random.whole(1, MOST / 2),
          random.whole(0, VALUES.length - 1),
        );
      }
    } else if (action === "set") {
      if (!kind.isShell) program.set(random.whole(0, 1000));
    } else program.hang(random.whole(1, 300));
  }
}
let isRestarting = false;

/** Waits for something that must come. */
async function until(
  what: () => string | undefined,
  more = () => "",
): Promise<void> {
  for (const end = performance.now() + END_MS; violation === undefined;) {
    const missing = what();
    if (missing === undefined) return;
    if (performance.now() > end) throw new Violation(missing + more());
    await sleep(20);
  }
}

/** What has happened to a program, and what its threads are doing. */
function history({ pid }: Program): string {
  const own = events.filter((event) => event.includes(`(${pid})`)).join("; ");
  const { stdout } = new Deno.Command("sh", {
    args: ["-c", 'cd "/proc/$0/task" && head */comm */wchan', `${pid}`],
    stderr: "null",
  }).outputSync();
  const threads = new TextDecoder().decode(stdout).split("\n")
    .filter((line) => line !== "" && !line.startsWith("="));
  return `${own}; its threads: ${threads.join(", ")}`;
}

function namesIn(dir: string): string[] {
  return [...Deno.readDirSync(dir)].map(({ name }) => name).sort();
}

/** The processes that have this run's directory in their environment or arguments. */
function leftovers(): string[] {
  const found = [];
  for (const { name } of Deno.readDirSync("/proc")) {
    if (!/^\d+$/.test(name) || Number(name) === Deno.pid) continue;
    try {
      const read = (file: string) =>
        Deno.readTextFileSync(`/proc/${name}/${file}`);
      const args = read("cmdline");
      if ((args + read("environ")).includes(place)) {
        found.push(`${name} ${args.replaceAll("\0", " ").slice(0, 100)}`);
      }
    } catch {
      // It has ended, or is another user's.
    }
  }
  return found;
}

async function main(): Promise<string> {
  const kinds = await prepare(
    place,
    names,
    (what, why) => console.log(`skipped: ${what}, because ${why}`),
  );
  if (kinds.length === 0) throw new Error("there is nothing to run");
  await Promise.all([...services, control].map((service) => service.start()));
  guard(askControl());
  for (const service of services) guard(poll(service));

  const residents = new Set<Program>();
  for (const kind of kinds) {
    const program = start(kind)!;
    pids.add(program.pid);
    residents.add(program);
  }
  await until(() =>
    [...residents].every(({ entry }) => entry.ready)
      ? undefined
      : "a program does not start"
  );
  const lasting = [
    ["service A", services[0].pid] as const,
    ...[...residents].filter(({ kind }) => !kind.isShell)
      .map((program) => [program.entry.name, program.pid] as const),
  ];
  const measure = async () => {
    paused = true;
    await sleep(600);
    const all = await Promise.all(lasting.map(([, pid]) => usage(pid)));
    paused = false;
    return all;
  };
  const began = performance.now();
  const end = began + 1000 * seconds;
  const warm = began + 1000 * Math.min(60, Math.max(8, seconds / 4));
  let earlier: Usage[] | undefined;
  while (performance.now() < end && violation === undefined) {
    act(kinds, residents);
    await sleep(pauses.whole(1, 12));
    if (earlier === undefined && performance.now() > warm) {
      earlier = await measure();
    }
  }
  if (violation !== undefined) throw violation;
  const later = await measure();
  const growth: string[] = [];
  for (const [i, [name]] of lasting.entries()) {
    for (const what of ["files", "threads", "megabytes"] as const) {
      const [a, b] = [earlier ?? later, later].map((all) => all[i][what]);
      growth.push(`${name}: ${what} ${a.toFixed()} → ${b.toFixed()}`);
      if (b > a + MARGIN[what]) {
        throw new Violation(
          `${name} has ${b.toFixed()} ${what}, and had ${a.toFixed()}`,
        );
      }
    }
  }
  if (Deno.env.has("CHAOS_VERBOSE")) console.log(growth.join("\n"));

  note("all are told to end");
  await until(() => isRestarting ? "service B does not restart" : undefined);
  for (const program of programs) {
    if (!program.isEnding && !program.isSignalled && program.entry.ready) {
      tellToEnd(program);
    } else if (!program.isEnding) kill(program, "SIGKILL");
  }
  await until(() => {
    const [program] = programs;
    return program && `${label(program)} does not end`;
  }, () => [...programs].map((program) => `: ${history(program)}`).join(""));
  await until(() =>
    book.isSettled ? undefined : "a service does not answer for all"
  );
  await until(() => {
    const left = namesIn(pipeDir).filter((name) =>
      !/^\.ledger\.\d+$/.test(name)
    );
    return left.length === 0
      ? undefined
      : `there is left in the pipe directory: ${left.join(" ")}`;
  });
  isOver = true;
  await until(() =>
    background.size === 0 ? undefined : "a reader does not end"
  );
  for (const service of services) await askOnce(service, "text");
  for (const service of services) await service.stop("SIGTERM");
  await control.stop("SIGKILL");
  const states = namesIn(stateDir).join(" ");
  if (states !== "A.json B.json") {
    throw new Violation(`there is in the state directory: ${states}`);
  }
  await until(() => {
    const [process] = leftovers();
    return process && `there is left the process ${process}`;
  });
  if (violation !== undefined) throw violation;

  const tookOf = ({ asked, came }: Answer) => came - asked;
  // What the machine has taken: the processor from the service, and time from
  // a service that does nothing.
  const excess = (answer: Answer) =>
    tookOf(answer) - LATEST_MS - answer.waited - Math.max(
      0,
      ...controls.filter(({ asked, came }) =>
        came >= answer.asked && asked <= answer.came
      ).map(tookOf),
    );
  const unexplained = overdue.filter((answer) => excess(answer) > 0);
  if (unexplained.length > counts.answers / 100) {
    throw new Violation(
      `${unexplained.length} of ${counts.answers} answers were late, the worst by ${
        Math.max(...unexplained.map(excess)).toFixed()
      } ms more than the machine explains`,
    );
  }
  const { answers, processes, kills, ends, execs, stops, restarts } = counts;
  console.log(
    `chaos: ${overdue.length} answers were late, ${unexplained.length} of them by more than the machine explains; ` +
      `${unexplainedSilence} processes gave no answer without a reason; ` +
      `${counts.shared} of ${counts.readers} plain readers got no whole text`,
  );
  return `${answers} answers, ${processes} processes, ${kills} kills, ${ends} orderly ends, ${execs} execs, ${stops} stops, ${restarts} restarts of a service`;
}

let code = 0;
try {
  const summary = await main();
  console.log(`chaos: ${summary}, seed ${seed}: ok`);
} catch (error) {
  code = 1;
  const { message, stack } = error as Error;
  console.log(events.slice(-20).join("\n"));
  if (flags.keep) Deno.writeTextFileSync(`${place}/events`, events.join("\n"));
  if (!(error instanceof Violation)) console.log(stack);
  console.log(`chaos: ${message}, seed ${seed}: FAILED`);
} finally {
  isOver = true;
  for (const program of programs) program.signal("SIGKILL");
  for (const service of [...services, control]) {
    await service.stop("SIGKILL").catch(() => {});
  }
  await Promise.all([...programs].map(({ status }) => status));
  if (code !== 0 && flags.keep) console.log(`chaos: kept ${place}`);
  else await Deno.remove(place, { recursive: true }).catch(() => {});
}
Deno.exit(code);
