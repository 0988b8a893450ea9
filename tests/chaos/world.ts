/**
 * All that runs in a run of chaos, and what has happened to it.
 *
 * Touches processes, the file system and `/proc`.
 *
 * @module
 */

import { Violation } from "./answer.ts";
import { Book } from "./book.ts";
import { type Kind, prepare, Program } from "./programs.ts";
import { Random } from "./random.ts";
import { Service } from "./service.ts";

/** How long everything has to come to its end, in milliseconds. */
const END_MS = 30_000;

/** Lets some time pass. */
export const sleep = (ms: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, ms));

/** A program as events name it. */
export function label({ pid, entry: { name } }: Program): string {
  return `${name} (${pid})`;
}

/** The names in a directory, sorted. */
export function namesIn(dir: string): string[] {
  return [...Deno.readDirSync(dir)].map(({ name }) => name).sort();
}

/**
 * The names in a pipe directory that must not be there when all processes are
 * dead. Ledgers may, and the last values of killed processes, which stay for an
 * hour. So may what those left that were killed before they showed a sign of
 * life, which others cannot tell from what is about to be used, and what simple
 * writers keep for themselves.
 */
export function leftIn(dir: string): string[] {
  const names = namesIn(dir);
  const own = /^\.[^.]+\.([0-9a-f]{32})\.(\w+)/;
  const shown = new Set(
    names.flatMap((name) => {
      const [, id, rest] = own.exec(name) ?? [];
      return rest === "alive" ? [id] : [];
    }),
  );
  return names.filter((name) => {
    if (/^\.ledger\.\d+\.\d+$/.test(name)) return false;
    if (/^\.\d+\.(starting|next|values|values\.new)$/.test(name)) return false;
    // A pipe that a service was about to remove when it was killed.
    if (/^\.\d+\.[0-9a-f-]{36}$/.test(name)) return false;
    if (/^\.ended\.[0-9a-f]{32}\.\d+$/.test(name)) {
      try {
        return Deno.readTextFileSync(`${dir}/${name}`).includes('"final":true');
      } catch {
        // It has just been taken in.
        return false;
      }
    }
    const [, id, rest] = own.exec(name) ?? [];
    if (id !== undefined && rest !== "alive") return shown.has(id);
    return !name.endsWith(".new");
  });
}

/** The programs, the services that read them, and the events so far. */
export class World {
  readonly place: string;
  readonly pipeDir: string;
  readonly stateDir: string;
  /** Decides what happens. */
  readonly random: Random;
  /** Decides when: pauses may differ from run to run, and take nothing from what decides what. */
  readonly pauses: Random;
  readonly book = new Book(48, 12);
  readonly services: readonly Service[];
  /** A service that does nothing. */
  readonly control: Service;
  /** The kinds of programs that can be had here. */
  kinds: readonly Kind[] = [];
  /** All programs that run. */
  readonly programs: Set<Program> = new Set();
  /** The programs that live until the run is over. */
  readonly residents: Set<Program> = new Set();
  /** The ids of programs that ever ran. */
  readonly pids: Set<number> = new Set();
  readonly events: string[] = [];
  readonly counts = {
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
  /** Whether the services are asked nothing for now. */
  isPaused = false;
  isOver = false;
  /** Whether service B is being restarted. */
  isRestarting = false;
  /** The first thing that must not have happened. */
  violation: Error | undefined;
  readonly #epoch = performance.now();
  readonly #background: Set<Promise<unknown>> = new Set();
  /** When programs died lately. */
  #deaths: number[] = [];

  constructor(place: string, seed: number) {
    this.place = place;
    this.pipeDir = `${place}/pipes`;
    this.stateDir = `${place}/state`;
    this.random = new Random(seed);
    this.pauses = new Random(seed ^ 0x5bd1e995);
    this.services = ["service A", "service B"].map((name) =>
      Service.web(name, this.pipeDir, `${this.stateDir}/${name.at(-1)}.json`)
    );
    this.book.accounts.push(...this.services.map(({ account }) => account));
    this.control = new Service("the control", [
      new URL("echo.ts", import.meta.url).pathname,
    ]);
  }

  /** Makes a world in a directory of its own. */
  static async make(seed: number): Promise<World> {
    const place = await Deno.makeTempDir({ prefix: "statvent-chaos-" });
    const world = new World(place, seed);
    await Deno.mkdir(world.pipeDir);
    await Deno.mkdir(world.stateDir);
    return world;
  }

  /** Prepares those kinds of programs that can be had, and starts the services. */
  async begin(runtimes: readonly string[]): Promise<void> {
    this.kinds = await prepare(
      this.place,
      runtimes,
      (what, why) => console.log(`skipped: ${what}, because ${why}`),
    );
    if (this.kinds.length === 0) throw new Error("there is nothing to run");
    const services = [...this.services, this.control];
    await Promise.all(services.map((service) => service.start()));
  }

  /** Keeps an event, with its time. */
  note(event: string): void {
    const time = ((performance.now() - this.#epoch) / 1000).toFixed(3);
    this.events.push(`${time} ${event}`);
  }

  /** Runs something whose failure is a violation. */
  guard(action: Promise<unknown>): void {
    this.#background.add(action);
    action
      .catch((error) => this.violation ??= error as Error)
      .finally(() => this.#background.delete(action));
  }

  /** Whether something that `guard` was given still runs. */
  get isBusy(): boolean {
    return this.#background.size > 0;
  }

  /** Starts a program, if there is a slot for it. */
  start(kind: Kind): Program | undefined {
    const entry = this.book.enter(kind.isShell, kind.name);
    if (entry === undefined) return undefined;
    const handlesTerm = this.random.next() < 0.5;
    const program = new Program(
      kind,
      entry,
      handlesTerm,
      this.pipeDir,
      (program) => this.#onReady(program),
    );
    this.programs.add(program);
    this.pids.add(program.pid);
    this.counts.processes++;
    this.note(`${label(program)} starts`);
    this.guard(program.status.then((status) => this.#onEnd(program, status)));
    return program;
  }

  #onReady(program: Program): void {
    if (program.next !== undefined) {
      program.becomeNext();
      this.note(`${label(program)} has taken the place of another one`);
    } else this.note(`${label(program)} is ready`);
    program.entry.ready = true;
    // A signal that it was sent meanwhile may end it at any time.
    program.entry.doomed = program.isSignalled;
    if (!program.isStopped && !program.isSignalled) {
      program.troubledUntil = performance.now();
    }
  }

  #onEnd(program: Program, status: Deno.CommandStatus): void {
    this.programs.delete(program);
    this.#deaths = [...this.#deaths, performance.now()].slice(-50);
    this.note(`${label(program)} has ended: ${status.signal ?? status.code}`);
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
    entry.endedAt = performance.now();
    if (program.next !== undefined) {
      program.next.entry.endedAt = entry.endedAt;
    }
    if (!expected) {
      throw new Violation(
        `${label(program)} has ended by itself with ${
          status.signal ?? status.code
        }: ${program.stderr.trim()}`,
      );
    }
  }

  /** How many processes may not have answered a question that was asked then. */
  troubled(asked: number): number {
    return [...this.programs].filter(({ troubledUntil }) =>
      troubledUntil >= asked
    ).length + this.#deaths.filter((time) => time >= asked).length;
  }

  /** Waits until nothing is missing any more. */
  async until(
    missing: () => string | undefined,
    more = () => "",
  ): Promise<void> {
    for (const end = performance.now() + END_MS; !this.violation;) {
      const what = missing();
      if (what === undefined) return;
      if (performance.now() > end) throw new Violation(what + more());
      await sleep(20);
    }
  }

  /** What has happened to a program, and what its threads are doing. */
  history({ pid }: Program): string {
    const own = this.events.filter((event) => event.includes(`(${pid})`));
    const { stdout } = new Deno.Command("sh", {
      args: ["-c", 'cd "/proc/$0/task" && head */comm */wchan', `${pid}`],
      stderr: "null",
    }).outputSync();
    const threads = new TextDecoder().decode(stdout).split("\n")
      .filter((line) => line !== "" && !line.startsWith("="));
    return `${own.join("; ")}; its threads: ${threads.join(", ")}`;
  }

  /** The processes that have this run's directory in their environment or arguments. */
  leftovers(): string[] {
    const found = [];
    for (const { name } of Deno.readDirSync("/proc")) {
      if (!/^\d+$/.test(name) || Number(name) === Deno.pid) continue;
      try {
        const read = (file: string) =>
          Deno.readTextFileSync(`/proc/${name}/${file}`);
        const args = read("cmdline");
        if ((args + read("environ")).includes(this.place)) {
          found.push(`${name} ${args.replaceAll("\0", " ").slice(0, 100)}`);
        }
      } catch {
        // It has ended, or is another user's.
      }
    }
    return found;
  }

  /** Kills all that runs, and removes the directories. */
  async end(isKept: boolean): Promise<void> {
    this.isOver = true;
    for (const program of this.programs) program.signal("SIGKILL");
    for (const service of [...this.services, this.control]) {
      await service.stop("SIGKILL").catch(() => {});
    }
    await Promise.all([...this.programs].map(({ status }) => status));
    if (isKept) console.log(`chaos: kept ${this.place}`);
    else await Deno.remove(this.place, { recursive: true }).catch(() => {});
  }
}
