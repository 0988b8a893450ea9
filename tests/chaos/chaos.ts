/**
 * Starts, stops and kills programs on all runtimes and in other languages,
 * in namespaces and out of them, while services read them, and checks every
 * answer against what is true.
 *
 * `deno task chaos --help` says how.
 *
 * @module
 */

import { act, kill, tellToEnd } from "./acts.ts";
import { Violation } from "./answer.ts";
import { Ends } from "./ends.ts";
import { type Flags, parseFlags } from "./flags.ts";
import { Polls } from "./polls.ts";
import { type Usage, usage } from "./service.ts";
import { label, leftIn, namesIn, sleep, World } from "./world.ts";

/**
 * What may be held more after than before, of what a process keeps for itself.
 * On a busy machine, V8 lets a heap grow by 64 MB before it collects; what stays
 * is checked by the endurance test.
 */
const MARGIN: Usage = { files: 4, threads: 6, megabytes: 128 };

/** Reads so many random snapshots in two ways. */
async function fuzz(count: number): Promise<void> {
  console.log(`chaos: reading ${count} snapshots in two ways`);
  const { success } = await new Deno.Command(Deno.execPath(), {
    args: [
      ...["test", "--quiet", "--allow-env", "--filter", "/slow reader/"],
      ...["--config", new URL("../deno.json", import.meta.url).pathname],
      new URL("../format/snapshot_parser_test.ts", import.meta.url).pathname,
    ],
    env: { STATVENT_FUZZ: `${count}` },
    stdin: "null",
    stdout: "inherit",
    stderr: "inherit",
  }).output();
  if (!success) {
    console.log("chaos: the parser and a slow one differ; see the test above");
    Deno.exit(1);
  }
}

/** Starts a program of each kind that lives until the run is over. */
async function startResidents(world: World): Promise<void> {
  for (const kind of world.kinds) world.residents.add(world.start(kind)!);
  await world.until(() =>
    [...world.residents].every(({ entry }) => entry.ready)
      ? undefined
      : "a program does not start"
  );
}

/** Measures what service A and the residents use, while nobody asks for anything. */
async function measure(world: World): Promise<Map<string, Usage>> {
  const lasting = new Map([["service A", world.services[0].pid]]);
  for (const { kind, entry, pid } of world.residents) {
    if (!kind.isShell) lasting.set(entry.name, pid);
  }
  world.isPaused = true;
  await sleep(600);
  const all = await Promise.all(
    [...lasting].map(async ([name, pid]) => [name, await usage(pid)] as const),
  );
  world.isPaused = false;
  return new Map(all);
}

/** Lets things happen, for some seconds, which must not make processes grow. */
async function run(
  world: World,
  { seconds, programs }: Flags,
): Promise<void> {
  const began = performance.now();
  const end = began + 1000 * seconds;
  const warm = began + 1000 * Math.min(60, Math.max(8, seconds / 4));
  let earlier: Map<string, Usage> | undefined;
  while (performance.now() < end && world.violation === undefined) {
    act(world, programs);
    await sleep(world.pauses.whole(1, 12));
    if (earlier === undefined && performance.now() > warm) {
      earlier = await measure(world);
    }
  }
  if (world.violation !== undefined) throw world.violation;
  const later = await measure(world);
  checkGrowth(earlier ?? later, later);
}

function checkGrowth(
  earlier: Map<string, Usage>,
  later: Map<string, Usage>,
): void {
  const growth: string[] = [];
  for (const [name, now] of later) {
    const before = earlier.get(name)!;
    for (const what of ["files", "threads", "megabytes"] as const) {
      const [a, b] = [before[what], now[what]];
      growth.push(`${name}: ${what} ${a.toFixed()} → ${b.toFixed()}`);
      if (b > a + MARGIN[what]) {
        throw new Violation(
          `${name} has ${b.toFixed()} ${what}, and had ${a.toFixed()}`,
        );
      }
    }
  }
  if (Deno.env.has("CHAOS_VERBOSE")) console.log(growth.join("\n"));
}

/** Ends all programs, which must leave nothing but a ledger. */
async function endPrograms(world: World): Promise<void> {
  const { programs, book, pipeDir } = world;
  world.note("all are told to end");
  await world.until(() =>
    world.isRestarting ? "service B does not restart" : undefined
  );
  for (const program of programs) {
    if (!program.isEnding && !program.isSignalled && program.entry.ready) {
      tellToEnd(world, program);
    } else if (!program.isEnding) kill(world, program, "SIGKILL");
  }
  await world.until(
    () => {
      const [program] = programs;
      return program && `${label(program)} does not end`;
    },
    () => [...programs].map((each) => `: ${world.history(each)}`).join(""),
  );
  await world.until(() =>
    book.isSettled ? undefined : "a service does not answer for all"
  );
  await world.until(() => {
    const left = leftIn(pipeDir);
    return left.length === 0
      ? undefined
      : `there is left in the pipe directory: ${left.join(" ")}`;
  });
}

/** Asks the services for the last time, and ends them, which must leave their states. */
async function endServices(world: World, polls: Polls): Promise<void> {
  world.isOver = true;
  await world.until(() => world.isBusy ? "a reader does not end" : undefined);
  for (const service of world.services) await polls.ask(service, "text");
  for (const service of world.services) await service.stop("SIGTERM");
  await world.control.stop("SIGKILL");
  const states = namesIn(world.stateDir).join(" ");
  if (states !== "A.json A.json.bak B.json B.json.bak") {
    throw new Violation(`there is in the state directory: ${states}`);
  }
  await world.until(() => {
    const [process] = world.leftovers();
    return process && `there is left the process ${process}`;
  });
  if (world.violation !== undefined) throw world.violation;
}

/** Does everything. Returns what has happened. */
async function main(world: World, flags: Flags): Promise<string> {
  await world.begin(flags.runtimes);
  const polls = new Polls(world);
  polls.start();
  await startResidents(world);
  await run(world, flags);
  await endPrograms(world);
  await endServices(world, polls);
  console.log(`chaos: ${polls.summary()}`);
  const { answers, processes, kills, ends, execs, stops, restarts } =
    world.counts;
  return `${answers} answers, ${processes} processes, ${kills} kills, ${ends} orderly ends, ${execs} execs, ${stops} stops, ${restarts} restarts of a service`;
}

/** Commands and their amounts, which two services tell. */
async function runCommands(flags: Flags): Promise<void> {
  const { seed, keep } = flags;
  const world = await World.make(seed);
  let isOk = false;
  try {
    console.log(`chaos: commands: ${await main(world, flags)}`);
    isOk = true;
  } catch (error) {
    const { events, place } = world;
    console.log(events.slice(-20).join("\n"));
    if (keep) Deno.writeTextFileSync(`${place}/events`, events.join("\n"));
    throw error;
  } finally {
    await world.end(!isOk && keep);
  }
}

/** Ends of all kinds, in namespaces, while services come and go. */
async function runEnds(flags: Flags): Promise<void> {
  const { seed, seconds, runtimes, keep } = flags;
  const place = await Deno.makeTempDir({ prefix: "statvent-chaos-" });
  const ends = new Ends(place, seed);
  let isOk = false;
  try {
    await ends.begin(runtimes);
    await ends.run(seconds);
    console.log(`chaos: ends: ${ends.summary()}`);
    isOk = true;
  } catch (error) {
    console.log(ends.events.slice(-20).join("\n"));
    if (keep) {
      Deno.writeTextFileSync(`${place}/events`, ends.events.join("\n"));
    }
    throw error;
  } finally {
    await ends.end();
    if (!isOk && keep) console.log(`chaos: kept ${place}`);
    else await Deno.remove(place, { recursive: true }).catch(() => {});
  }
}

const flags = parseFlags(Deno.args);
const { seed, seconds, fuzz: snapshots, parts } = flags;
if (snapshots > 0) await fuzz(snapshots);
console.log(`chaos: seed ${seed}, ${seconds} seconds`);
let code = 0;
try {
  const part = { ...flags, seconds: seconds / parts.length };
  if (parts.includes("commands")) await runCommands(part);
  if (parts.includes("ends")) await runEnds(part);
  console.log(`chaos: seed ${seed}: ok`);
} catch (error) {
  code = 1;
  const { message, stack } = error as Error;
  if (!(error instanceof Violation)) console.log(stack);
  console.log(`chaos: ${message}, seed ${seed}: FAILED`);
}
Deno.exit(code);
