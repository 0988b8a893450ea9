/**
 * What may happen to the programs and services of a run of chaos.
 *
 * Touches processes and pipes.
 *
 * @module
 */

import { fromText, isWhole, VALUES, Violation } from "./answer.ts";
import { MOST } from "./book.ts";
import type { Program } from "./programs.ts";
import type { Service } from "./service.ts";
import { label, sleep, type World } from "./world.ts";

/** Reads a pipe as anybody would. */
async function readPlainly(
  world: World,
  program: Program,
  pause: number,
): Promise<void> {
  const { entry, pid } = program;
  const before = world.book.before(performance.now()).done.get(entry);
  const { stdout } = await new Deno.Command("timeout", {
    args: [
      ...["3", "sh", "-c", 'exec <"$0"; sleep "$1"; cat'],
      ...[`${world.pipeDir}/${pid}.stats`, `${pause}`],
    ],
    stdin: "null",
    stderr: "null",
  }).output();
  world.counts.readers++;
  const text = new TextDecoder().decode(stdout);
  // It may have shared the snapshot with another reader, or waited in vain.
  if (!isWhole(text)) return void world.counts.shared++;
  for (const [slot, amounts] of fromText(text).own) {
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

async function stopFor(
  world: World,
  program: Program,
  ms: number,
): Promise<void> {
  program.isStopped = true;
  program.troubledUntil = Infinity;
  program.signal("SIGSTOP");
  world.counts.stops++;
  world.note(`${label(program)} is stopped for ${ms} ms`);
  await sleep(ms);
  program.isStopped = false;
  program.signal("SIGCONT");
  world.note(`${label(program)} goes on`);
  if (program.entry.ready && !program.isEnding && !program.isSignalled) {
    program.troubledUntil = performance.now() + 50;
  }
}

/** Sends a program a signal that may end it. */
export function kill(
  world: World,
  program: Program,
  signal: "SIGTERM" | "SIGKILL",
): void {
  world.note(`${label(program)} gets ${signal}`);
  program.isSignalled = true;
  program.troubledUntil = Infinity;
  if (
    signal === "SIGKILL" || !program.handlesTerm || !program.entry.ready ||
    program.next !== undefined
  ) {
    program.entry.doomed = true;
    if (program.next !== undefined) program.next.entry.doomed = true;
  }
  world.counts.kills++;
  program.signal(signal);
}

/** Tells a program to end in an orderly way. */
export function tellToEnd(world: World, program: Program): void {
  const how = program.kind.isScript
    ? world.random.pick(["exit", "return", "throw", "stop"])
    : "now";
  world.note(`${label(program)} is told to end: ${how}`);
  world.counts.ends++;
  // Without a pipe its last values count, until it has ended: Deno takes the
  // pipe away when nobody has caught an error, and ends later.
  if (how === "stop" || (how === "throw" && program.kind.name === "deno")) {
    program.entry.doomed = true;
  }
  program.tellToEnd(how);
}

async function restart(world: World, service: Service): Promise<void> {
  const signal = world.random.pick(["SIGTERM", "SIGKILL"] as const);
  world.note(`${service.name} gets ${signal}`);
  const pause = world.random.whole(0, 1500);
  await service.stop(signal);
  await sleep(pause);
  await service.start();
  world.counts.restarts++;
  world.note(`${service.name} is back`);
}

function restartB(world: World): void {
  const [, b] = world.services;
  if (!b.isUp || world.isRestarting) return;
  world.isRestarting = true;
  world.guard(restart(world, b).finally(() => world.isRestarting = false));
}

/** Tells a program to end, and soon stops or kills it. */
function cut(world: World, program: Program): void {
  tellToEnd(world, program);
  const { random } = world;
  const ms = random.whole(0, 30);
  const isStop = random.next() < 0.3;
  world.guard(
    sleep(ms).then(async () => {
      if (!world.programs.has(program)) return;
      if (isStop) await stopFor(world, program, random.whole(10, 1000));
      else kill(world, program, "SIGKILL");
    }),
  );
}

/** Has a program replaced by another one with the same process id. */
function exec(world: World, program: Program): void {
  const { kind } = program;
  if (!kind.canExec || program.pending > 0) return;
  const next = world.book.enter(kind.isShell, kind.name);
  if (next === undefined) return;
  world.counts.execs++;
  const isLeft = world.random.next() < 0.5;
  world.note(`${label(program)} is told to exec, ${isLeft ? "left" : "lost"}`);
  program.exec(next, isLeft);
}

/** Does something to a program, or to a service. */
type Act = (world: World, program: Program) => void;

/** Residents are spared what ends or stops a program. */
const toMortals = (act: Act): Act => (world, program) => {
  if (!world.residents.has(program)) act(world, program);
};

/** A program that has not done what it was told gets little more to do. */
const toIdle = (act: Act): Act => (world, program) => {
  if (program.pending < 3) act(world, program);
};

/** Shells only count. */
const toOthers = (act: Act): Act => (world, program) => {
  if (!program.kind.isShell) act(world, program);
};

/** The acts, each with its weight. The order decides what a seed does. */
const ACTS = {
  count: [
    40,
    toIdle(({ random }, program) => {
      const inThread = program.kind.isScript && random.next() < 0.1;
      program.count(random.whole(1, MOST), inThread);
    }),
  ],
  record: [
    30,
    toIdle(toOthers(({ random }, program) => {
      const times = random.whole(1, MOST / 2);
      program.record(times, random.whole(0, VALUES.length - 1));
    })),
  ],
  set: [
    8,
    toIdle(
      toOthers(({ random }, program) => program.set(random.whole(0, 1000))),
    ),
  ],
  hang: [
    1,
    toIdle(({ random }, program) => program.hang(random.whole(1, 300))),
  ],
  stop: [
    1.5,
    toMortals((world, program) => {
      if (program.isStopped) return;
      world.guard(stopFor(world, program, world.random.whole(10, 1000)));
    }),
  ],
  term: [2, toMortals((world, program) => kill(world, program, "SIGTERM"))],
  kill: [2, toMortals((world, program) => kill(world, program, "SIGKILL"))],
  end: [4, toMortals(tellToEnd)],
  cut: [2, toMortals(cut)],
  exec: [4, toMortals(exec)],
  cat: [
    4,
    toOthers((world, program) => world.guard(readPlainly(world, program, 0))),
  ],
  slow: [
    2,
    (world, program) => {
      const pause = world.random.next();
      if (program.kind.isShell) return;
      world.guard(readPlainly(world, program, pause));
    },
  ],
  restart: [0.15, restartB],
} satisfies Record<string, [weight: number, act: Act]>;

const WEIGHTS = Object.fromEntries(
  Object.entries(ACTS).map(([name, [weight]]) => [name, weight]),
) as Record<keyof typeof ACTS, number>;

/** Starts a program. Some do not come far. */
function startOne(world: World): void {
  const { random } = world;
  const program = world.start(random.pick(world.kinds));
  if (program === undefined || random.next() >= 0.15) return;
  const ms = random.whole(0, 400);
  world.guard(
    sleep(ms).then(() => {
      if (world.programs.has(program)) kill(world, program, "SIGKILL");
    }),
  );
}

/** Does one thing. At most `most` programs run besides the residents. */
export function act(world: World, most: number): void {
  const { random, programs, residents } = world;
  if (programs.size < residents.size + most && random.next() < 0.3) {
    return startOne(world);
  }
  const free = [...programs].filter(({ entry, isEnding, isSignalled, next }) =>
    entry.ready && !isEnding && !isSignalled && next === undefined
  );
  if (free.length === 0) return;
  const program = random.pick(free);
  const [, doTo] = ACTS[random.weighted(WEIGHTS)];
  doTo(world, program);
}
