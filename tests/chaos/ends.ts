/**
 * Ends programs in every way that there is, in namespaces where their process
 * ids are equal, while services come and go, and checks every answer against the
 * logs of the programs.
 *
 * Touches processes, `/proc`, sockets and the pipe directory.
 *
 * @module
 */

import { Violation } from "./answer.ts";
import { type Kind, prepare } from "./programs.ts";
import { Random } from "./random.ts";
import { Service } from "./service.ts";
import {
  type Fate,
  isRunning,
  NAMESPACE,
  type Place,
  type Start,
  Teller,
} from "./tellers.ts";
import { leftIn, sleep } from "./world.ts";

/** What may be missing of a killed process, in milliseconds before its death: a second, and time to write. */
const LOST_MS = 1_500;

/** How long a service may take a dead process for a silent one, in milliseconds. */
const FOUND_MS = 1_200;

/** How long a service is stopped: longer than anybody has ever waited for a lock. */
const STOP_MS = 11_000;

/** How long anything may take, in milliseconds. */
const PATIENCE_MS = 40_000;

/** How many programs run at a time. */
const MOST = 9;

const SIGNALS = ["SIGTERM", "SIGINT", "SIGHUP"] as const;

/** What one answer says. */
interface Said {
  readonly asked: number;
  readonly came: number;
  readonly own: ReadonlyMap<number, number>;
  readonly all: number;
}

/** What is there when a round begins. */
type Plan = "all" | "none" | "late" | "stopped" | "delayed" | "short";

async function has(program: string, ...args: string[]): Promise<boolean> {
  try {
    const { success } = await new Deno.Command(program, {
      args,
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).output();
    return success;
  } catch {
    return false;
  }
}

/** Programs that end, and services that read them. */
export class Ends {
  readonly random: Random;
  readonly dirs: { pipes: string; logs: string };
  readonly tellers: Teller[] = [];
  readonly events: string[] = [];
  readonly counts = {
    answers: 0,
    programs: 0,
    ends: 0,
    kills: 0,
    signals: 0,
    forks: 0,
    services: 0,
    reused: 0,
    cats: 0,
    rounds: 0,
  };
  violation: Error | undefined;
  readonly #place: string;
  readonly #epoch = Date.now();
  readonly #services: Map<Service, Map<number, number>> = new Map();
  /** Services that are stopped or delayed. */
  readonly #slow: Set<Service> = new Set();
  readonly #busy: Set<Promise<unknown>> = new Set();
  /** Processes that have the process id of a dead one. */
  readonly #reusers: Set<Deno.ChildProcess> = new Set();
  #kinds: Kind[] = [];
  #hasNamespaces = false;
  #hasStrace = false;
  #isOver = false;
  /** Whether there is a service whose renames and links are delayed. */
  #isDelayed = false;
  #names = 0;
  /** By how much timers were late lately, in milliseconds. */
  #lag: { time: number; ms: number }[] = [];

  constructor(place: string, seed: number) {
    this.#place = place;
    this.dirs = { pipes: `${place}/end-pipes`, logs: `${place}/end-logs` };
    this.random = new Random(seed);
  }

  note(event: string): void {
    const time = ((Date.now() - this.#epoch) / 1000).toFixed(3);
    this.events.push(`${time} ${event}`);
  }

  /** Prepares what can be had here. */
  async begin(runtimes: readonly string[]): Promise<void> {
    await Deno.mkdir(this.dirs.pipes);
    await Deno.mkdir(this.dirs.logs);
    const prepared = `${this.#place}/end-kinds`;
    await Deno.mkdir(prepared);
    const wanted = runtimes.filter((name) => name !== "c" && name !== "shell");
    this.#kinds = await prepare(
      prepared,
      wanted,
      (what, why) => console.log(`skipped: ${what}, because ${why}`),
    );
    const [unshare, ...args] = NAMESPACE;
    this.#hasNamespaces = await has(unshare, ...args, "true");
    if (!this.#hasNamespaces) {
      console.log("skipped: namespaces, because unshare is refused here");
    }
    this.#hasStrace = this.#hasNamespaces &&
      await has("strace", "-qq", "-o", "/dev/null", "true");
    if (!this.#hasStrace) {
      console.log("skipped: delayed links, because strace is not to be had");
    }
  }

  /** Runs rounds for some seconds. */
  async run(seconds: number): Promise<void> {
    if (this.#kinds.length === 0) return;
    this.#watchLag();
    const end = Date.now() + 1000 * seconds;
    const plans = this.#plans();
    const lasting = this.#service("lasting", `${this.#place}/lasting.json`);
    for (let round = 0; round === 0 || Date.now() < end; round++) {
      // All of them first, then at random.
      const plan = plans[round] ?? this.random.pick(plans);
      await this.#round(plan, lasting);
      this.counts.rounds++;
    }
  }

  #plans(): Plan[] {
    const plans: Plan[] = ["all", "none", "short", "stopped", "late"];
    if (this.#hasStrace) plans.push("delayed");
    return plans;
  }

  /** Ends all that runs. */
  async end(): Promise<void> {
    this.#isOver = true;
    for (const teller of this.tellers) teller.close();
    for (const child of this.#reusers) tryKill(child);
    for (const service of this.#services.keys()) {
      await service.stop("SIGKILL").catch(() => {});
    }
  }

  #watchLag(): void {
    let last = Date.now();
    const timer = setInterval(() => {
      const now = Date.now();
      const ms = now - last - 50;
      last = now;
      this.#lag = this.#lag.filter(({ time }) => time > now - 10_000);
      if (ms > 20) this.#lag.push({ time: now, ms });
      if (this.#isOver) clearInterval(timer);
    }, 50);
  }

  /** What the machine may have taken from a process lately, in milliseconds. */
  get #late(): number {
    return this.#lag.reduce((sum, { ms }) => sum + ms, 0);
  }

  #guard(action: Promise<unknown>): void {
    this.#busy.add(action);
    action.catch((error) => this.violation ??= error as Error)
      .finally(() => this.#busy.delete(action));
  }

  #service(
    name: string,
    state?: string,
    within?: readonly string[],
  ): Service {
    const service = Service.web(
      `service ${++this.#names} (${name})`,
      this.dirs.pipes,
      state,
      within,
    );
    this.#services.set(service, new Map());
    return service;
  }

  async #startService(service: Service): Promise<void> {
    await service.start();
    this.counts.services++;
    this.note(`${service.name} is up`);
  }

  async #stopService(
    service: Service,
    signal: "SIGTERM" | "SIGKILL",
  ): Promise<void> {
    this.note(`${service.name} gets ${signal}`);
    await service.stop(signal);
  }

  /** Programs run and end, and then everybody must say the same. */
  async #round(plan: Plan, lasting: Service): Promise<void> {
    const { random } = this;
    this.note(`round ${this.counts.rounds}: ${plan}`);
    const inside = this.#hasNamespaces ? NAMESPACE : [];
    const services = [
      lasting,
      this.#service("without a state"),
      this.#service("in a namespace", undefined, inside),
    ];
    this.#isDelayed = plan === "delayed";
    const began = Date.now();
    const length = plan === "stopped" || plan === "delayed"
      ? STOP_MS + 4_000
      : random.whole(6_000, 10_000);
    const from = began + (plan === "late" ? length / 2 : 0);
    let isOver = false;
    const come = async () => {
      while (Date.now() < from) await sleep(20);
      for (const service of services) {
        if (!service.isUp) await this.#startService(service);
      }
      const polls = services.map((service) =>
        this.#poll(service, plan, () => isOver)
      );
      if (plan === "stopped") polls.push(this.#stop(services, () => isOver));
      if (plan === "delayed") polls.push(this.#delay(() => isOver));
      await Promise.all(polls);
    };
    if ((plan === "none" || plan === "late") && lasting.isUp) {
      await this.#stopService(lasting, random.pick(["SIGTERM", "SIGKILL"]));
    }
    const served = plan === "none" ? Promise.resolve() : come();
    this.#guard(served);
    while (Date.now() < began + length && this.violation === undefined) {
      this.#look();
      this.#act();
      await sleep(random.whole(20, 160));
    }
    isOver = true;
    await served.catch(() => {});
    await this.#endTellers();
    if (this.violation !== undefined) throw this.violation;
    await this.#settle(services);
  }

  async #poll(
    service: Service,
    plan: Plan,
    isOver: () => boolean,
  ): Promise<void> {
    const { random } = this;
    const isLasting = service.name.includes("lasting");
    // Restarts are no matter of what happens to programs.
    let life = Date.now() + random.whole(1_500, 4_000);
    while (!isOver() && this.violation === undefined) {
      await sleep(random.whole(0, 100));
      if (plan === "short" && Date.now() > life) {
        const signal = isLasting ? "SIGTERM" : "SIGKILL";
        await this.#stopService(service, signal);
        await sleep(random.whole(0, 1_000));
        if (!isLasting) this.#services.set(service, new Map());
        await this.#startService(service);
        life = Date.now() + random.whole(1_500, 4_000);
      }
      await this.#ask(service);
    }
  }

  /** Stops one of the services in the middle of whatever it does. */
  async #stop(services: Service[], isOver: () => boolean): Promise<void> {
    const [service] = services.slice(1);
    await sleep(this.random.whole(500, 2_000));
    this.note(`${service.name} is stopped`);
    this.#slow.add(service);
    Deno.kill(service.pid, "SIGSTOP");
    const end = Date.now() + STOP_MS;
    while (Date.now() < end && !isOver()) await sleep(50);
    Deno.kill(service.pid, "SIGCONT");
    this.note(`${service.name} goes on`);
    await sleep(2_000);
    this.#slow.delete(service);
  }

  /** Runs a service whose links and renames take longer than anybody waits. */
  async #delay(isOver: () => boolean): Promise<void> {
    const calls = "link,linkat,rename,renameat,renameat2";
    // Its namespace ends with strace, which alone would leave it behind.
    const service = this.#service("delayed", undefined, [
      ...NAMESPACE,
      ...["strace", "-f", "-qq", "-o", "/dev/null", "--seccomp-bpf"],
      ...["-e", `trace=${calls}`],
      ...["-e", `inject=${calls}:delay_enter=${STOP_MS * 1000}`],
    ]);
    this.#slow.add(service);
    await this.#startService(service);
    while (!isOver() && this.violation === undefined) {
      await this.#ask(service);
      await sleep(200);
    }
    await this.#stopService(service, "SIGKILL");
  }

  /** Reads all logs, and notes who is dead. */
  #look(): void {
    for (const teller of this.tellers) {
      if (teller.deadAt !== undefined) continue;
      teller.readLog();
      teller.look();
      // It may have been forked after it was sent the signal.
      const { fate } = teller;
      if (fate?.how === "killed" && Date.now() > fate.time + 1_000) {
        teller.kill("SIGKILL");
      }
      if (teller.deadAt === undefined) continue;
      this.note(`${teller.name} is dead`);
      this.#checkEnd(teller);
    }
  }

  #checkEnd(teller: Teller): void {
    const { fate, signalled, status, name } = teller;
    if (fate === undefined) {
      throw new Violation(`${name} has ended by itself: ${teller.stderr}`);
    }
    // It was killed by its signal, or its parent has not told yet.
    const isKilled = status === undefined || signalled === undefined ||
      fate.how !== "handed";
    if (!isKilled && status.signal !== signalled) {
      throw new Violation(
        `${name} has ended with ${
          status.signal ?? status.code
        }, and was sent ${signalled}`,
      );
    }
  }

  get #up(): Teller[] {
    return this.tellers.filter(({ isUp }) => isUp);
  }

  #act(): void {
    const { random } = this;
    const running = this.tellers.filter(({ deadAt }) => deadAt === undefined);
    if (running.length < MOST && random.next() < 0.4) return this.#startOne();
    const up = this.#up;
    if (up.length === 0) return;
    const teller = random.pick(up);
    const act = random.weighted({
      signal: 3,
      kill: 3,
      end: 2,
      hang: 3,
      hung: 1,
      stop: 2,
      fork: 2,
      cat: 6,
      reuse: 2,
    });
    if (teller.isStopped) return;
    switch (act) {
      case "signal":
        return this.#signal(teller);
      case "kill":
        return this.#kill(teller);
      case "end":
        return this.#tellToEnd(teller);
      case "hang":
        return teller.say(`hang ${random.whole(100, 2_500)}`);
      case "hung":
        teller.say(`hang ${random.whole(1_500, 2_500)}`);
        this.#guard(
          sleep(random.whole(100, 1_000)).then(() => {
            if (teller.isUp) this.#signal(teller);
          }),
        );
        return;
      case "stop":
        return this.#guard(this.#stopTeller(teller));
      case "fork":
        return this.#fork(teller);
      case "cat":
        return this.#guard(this.#cat(teller));
      case "reuse":
        return this.#guard(this.#reuse(teller));
    }
  }

  #startOne(): void {
    const { random } = this;
    const kind = random.pick(this.#kinds);
    const place = this.#hasNamespaces
      ? random.pick<Place>(["here", "here", "first", "second", "second"])
      : "here";
    const isNative = kind.isScript;
    const start: Start = {
      kind,
      place,
      hasListeners: random.next() < 0.3,
      signals: isNative && random.next() < 0.5,
      isPreloaded: isNative && random.next() < 0.3,
      isFrozen: isNative && random.next() < 0.5,
    };
    const teller = new Teller(this.tellers.length, start, this.dirs);
    this.tellers.push(teller);
    this.counts.programs++;
    this.note(`${teller.name} starts`);
    if (random.next() < 0.15) {
      this.#guard(
        sleep(random.whole(0, 600)).then(() => {
          if (teller.fate === undefined) this.#kill(teller);
        }),
      );
    }
  }

  #fork(teller: Teller): void {
    const { start } = teller;
    if (start.kind.isScript || start.place !== "here") return;
    const child = new Teller(this.tellers.length, start, this.dirs, teller);
    this.tellers.push(child);
    this.counts.programs++;
    this.counts.forks++;
    this.note(`${teller.name} forks ${child.name}`);
  }

  #doom(teller: Teller, how: Fate): void {
    teller.fate ??= { how, time: Date.now() };
  }

  #kill(teller: Teller): void {
    this.note(`${teller.name} gets SIGKILL`);
    this.#doom(teller, "killed");
    this.counts.kills++;
    teller.kill("SIGKILL");
  }

  #signal(teller: Teller): void {
    const { kind, place, hasListeners, signals } = teller.start;
    // The kernel drops it where nobody listens.
    if (place === "first" && !hasListeners) return this.#kill(teller);
    const signal = this.random.pick(SIGNALS);
    this.note(`${teller.name} gets ${signal}`);
    this.counts.signals++;
    const hands = kind.name === "deno" || (kind.isScript && signals);
    if (hasListeners) this.#doom(teller, "orderly");
    else if (hands) {
      this.#doom(teller, "handed");
      if (place === "here") teller.signalled = signal;
    } else this.#doom(teller, "killed");
    teller.kill(signal);
  }

  #tellToEnd(teller: Teller): void {
    // A forked child listens to nobody.
    if (teller.name.includes("forked")) return this.#kill(teller);
    const { kind, hasListeners } = teller.start;
    // Deno's listeners keep it.
    const how = kind.isScript && !hasListeners
      ? this.random.pick(["exit", "return"])
      : "exit";
    this.note(`${teller.name} is told to end: ${how}`);
    this.#doom(teller, "orderly");
    this.counts.ends++;
    teller.say(`end ${how}`);
  }

  async #stopTeller(teller: Teller): Promise<void> {
    teller.isStopped = true;
    teller.stoppedAt = Date.now();
    this.note(`${teller.name} is stopped`);
    teller.kill("SIGSTOP");
    await sleep(this.random.whole(50, 3_000));
    if (this.random.next() < 0.3 && teller.fate === undefined) {
      this.#kill(teller);
      return;
    }
    teller.kill("SIGCONT");
    // What it was about to write down may take as long as before.
    teller.isStopped = false;
    this.note(`${teller.name} goes on`);
  }

  /** Kills a program, and gives its process id to another one. */
  async #reuse(teller: Teller): Promise<void> {
    const { pid } = teller;
    if (teller.start.place !== "here" || pid === undefined) return;
    this.#kill(teller);
    const last = "/proc/sys/kernel/ns_last_pid";
    for (let i = 0; i < 100 && teller.deadAt === undefined; i++) {
      await sleep(10);
    }
    for (let i = 0; i < 5; i++) {
      let child: Deno.ChildProcess;
      try {
        Deno.writeTextFileSync(last, `${pid - 1}`);
        child = new Deno.Command("sleep", { args: ["8"], stdin: "null" })
          .spawn();
      } catch {
        return;
      }
      if (child.pid !== pid) {
        tryKill(child);
        continue;
      }
      this.note(`${teller.name}'s process id is used again`);
      this.counts.reused++;
      this.#reusers.add(child);
      await child.status;
      this.#reusers.delete(child);
      return;
    }
  }

  /** Reads a pipe as anybody would: it must be there. */
  async #cat(teller: Teller): Promise<void> {
    const { path } = teller.truth.ready!;
    const isHere = () => {
      try {
        return Deno.lstatSync(path).isFifo;
      } catch {
        return false;
      }
    };
    // Whoever removes the pipe of a dead process may take away one that has got
    // its name meanwhile, until it puts that back or is killed. A recorder makes
    // another one.
    for (let i = 0; i < 25 && this.#isDelayed && !isHere(); i++) {
      if (!teller.start.kind.isScript) return;
      await sleep(100);
    }
    if (!isHere()) {
      if (!teller.isUp || !isRunning(teller.pid!)) return;
      throw new Violation(`the pipe of ${teller.name}, which lives, is gone`);
    }
    for (let tries = 0;; tries++) {
      const { stdout } = await new Deno.Command("timeout", {
        args: ["4", "cat", path],
        stdin: "null",
        stderr: "null",
      }).output();
      this.counts.cats++;
      const text = new TextDecoder().decode(stdout);
      if (!teller.isUp || teller.isStopped) return;
      if (text.includes("# EOF") || teller.stoppedAt! > Date.now() - 6_000) {
        return;
      }
      if (this.#isDelayed && !teller.start.kind.isScript) return;
      if (tries === 3) {
        throw new Violation(`the pipe of ${teller.name}, which lives, is mute`);
      }
    }
  }

  /** What must be in an answer that was asked for then. */
  #least(teller: Teller, asked: number): number {
    const { truth, fate, deadAt, stoppedAt = Infinity } = teller;
    const now = Math.min(asked, deadAt ?? Infinity);
    // Checkpoints that take long are made less often.
    const lost = LOST_MS + Math.min(6_000, 20 * this.#late);
    const isDead = deadAt !== undefined && deadAt < asked;
    if (isDead && fate!.how === "orderly") return truth.least(Infinity);
    if (isDead && fate!.how === "handed") return truth.least(fate!.time);
    const time = Math.min(now, fate?.time ?? Infinity);
    // While it was stopped it wrote nothing.
    const since = time - lost;
    const wasStopped = stoppedAt < time && stoppedAt > since - 3_000 - lost;
    return truth.least(wasStopped ? stoppedAt - lost : since);
  }

  /** Asks a service, and checks what it says. */
  async #ask(service: Service): Promise<Said | undefined> {
    this.#look();
    const floors = this.tellers.map(({ floor }) => floor);
    const asked = Date.now();
    const answer = await service.ask("stats?format=json", PATIENCE_MS)
      .catch((error) => {
        // What it does may take longer than a connection lasts.
        if (!this.#slow.has(service)) throw error;
      });
    if (answer === undefined) return undefined;
    const came = Date.now();
    this.#look();
    this.counts.answers++;
    const stats: Record<string, number> = JSON.parse(answer.text).stats;
    const own = new Map<number, number>();
    for (const [name, value] of Object.entries(stats)) {
      const slot = /^chaos\.own\.(\d+)$/.exec(name)?.[1];
      if (slot !== undefined) own.set(Number(slot), value);
    }
    const said = { asked, came, own, all: stats["chaos.all"] ?? 0 };
    try {
      this.#check(service, said, floors);
    } catch (error) {
      (error as Error).message += ` (${service.name})`;
      Deno.writeTextFileSync(`${this.#place}/answer`, answer.text);
      throw error;
    }
    return said;
  }

  #check(
    service: Service,
    { asked, own }: Said,
    floors: readonly number[],
  ): void {
    const before = this.#services.get(service)!;
    for (const slot of own.keys()) {
      if (this.tellers[slot] === undefined) {
        throw new Violation(`there is slot ${slot}, which nobody has`);
      }
    }
    for (const [slot, floor] of floors.entries()) {
      const teller = this.tellers[slot];
      const now = own.get(slot) ?? 0;
      const { name, truth, deadAt, fate } = teller;
      const last = before.get(slot) ?? 0;
      if (now > truth.most) {
        throw new Violation(`${name} is ${now}, and has ${truth.most} at most`);
      }
      if (now < last) {
        throw new Violation(`${name} has fallen from ${last} to ${now}`);
      }
      if (now < floor) {
        throw new Violation(
          `${name} is ${now}, and another service has said ${floor} before`,
        );
      }
      const least = this.#least(teller, asked);
      if (now < least && !this.#isNew(teller, asked)) {
        throw new Violation(
          `${name} is ${now}, and must be ${least} at least; its end: ${
            fate?.how ?? "none"
          }`,
        );
      }
      before.set(slot, now);
      if (deadAt !== undefined && deadAt + FOUND_MS < asked) {
        teller.floor = Math.max(floor, now);
      }
    }
  }

  /** Whether a program, which may have no checkpoint yet, cannot be expected to be known. */
  #isNew({ truth, deadAt }: Teller, asked: number): boolean {
    if (truth.ready === undefined) return true;
    return deadAt === undefined && truth.least(asked - 3_000) === 0;
  }

  /** Ends all programs, each in some way. */
  async #endTellers(): Promise<void> {
    for (const teller of this.tellers) {
      if (teller.deadAt !== undefined || teller.fate !== undefined) continue;
      const how = this.random.pick(["kill", "end", "signal"]);
      if (!teller.isUp || how === "kill") this.#kill(teller);
      else if (how === "end") this.#tellToEnd(teller);
      else this.#signal(teller);
    }
    await this.#until(() => {
      const left = this.tellers.find(({ deadAt }) => deadAt === undefined);
      return left && `${left.name} does not end; its end: ${left.fate?.how}`;
    });
    for (const teller of this.tellers) teller.close();
    await this.#until(() =>
      this.#busy.size > 0 ? "something waits" : undefined
    );
  }

  async #until(missing: () => string | undefined): Promise<void> {
    for (const end = Date.now() + PATIENCE_MS;;) {
      this.#look();
      const what = missing();
      if (what === undefined || this.violation !== undefined) return;
      if (Date.now() > end) throw new Violation(what);
      await sleep(20);
    }
  }

  /** All services must say the same, and nothing of the dead may be left. */
  async #settle(services: Service[]): Promise<void> {
    for (const service of services) {
      if (!service.isUp) await this.#startService(service);
    }
    await sleep(FOUND_MS);
    for (let i = 0; i < 2; i++) {
      for (const service of services) await this.#ask(service);
    }
    const [lasting, ...others] = services;
    const fresh = this.#service("fresh");
    await this.#startService(fresh);
    const reference = await this.#ask(lasting);
    for (const service of [...others, fresh]) {
      const said = await this.#ask(service);
      this.#compare(lasting, reference!, service, said!);
      await this.#checkFigures(service);
    }
    const { pipes } = this.dirs;
    for (const end = Date.now() + PATIENCE_MS;;) {
      const left = leftIn(pipes);
      if (left.length === 0) break;
      if (Date.now() > end) {
        throw new Violation(`there is left: ${left.join(" ")}`);
      }
      await sleep(200);
      await this.#ask(lasting);
    }
    for (const service of [...others, fresh]) {
      await this.#stopService(service, "SIGKILL");
      this.#services.delete(service);
    }
  }

  #compare(a: Service, first: Said, b: Service, second: Said): void {
    for (const { slot, name } of this.tellers) {
      const [x, y] = [first, second].map(({ own }) => own.get(slot) ?? 0);
      if (x !== y) {
        throw new Violation(
          `${name} is ${x} to ${a.name} and ${y} to ${b.name}`,
        );
      }
    }
    if (first.all !== second.all) {
      throw new Violation(
        `all is ${first.all} to ${a.name} and ${second.all} to ${b.name}`,
      );
    }
  }

  async #checkFigures(service: Service): Promise<void> {
    const { text } = (await service.ask("metrics"))!;
    for (const name of ["unbooked_processes", "missed_processes_total"]) {
      const value = new RegExp(`^statvent_${name}(?:{.*})? (\\S+)`, "m")
        .exec(text)?.[1];
      if (value === undefined || Number(value) !== 0) {
        throw new Violation(`${service.name} says ${name} ${value}`);
      }
    }
  }

  summary(): string {
    const { programs, answers, rounds, ...rest } = this.counts;
    const others = Object.entries(rest).map(([name, n]) => `${n} ${name}`);
    return `${rounds} rounds, ${programs} programs, ${answers} answers, ${
      others.join(", ")
    }`;
  }
}

function tryKill(child: Deno.ChildProcess): void {
  try {
    child.kill("SIGKILL");
  } catch {
    // It has ended.
  }
}
