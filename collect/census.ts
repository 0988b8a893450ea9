/**
 * Decides whose values count, so that each process of a host counts once and
 * totals neither fall nor grow by themselves.
 *
 * The life of a process, and the field of {@linkcode Census} that holds its
 * values in each state:
 *
 * ```text
 *   alive ◄──► silent     `alive`    its pipe answers, or is missing for a while
 *     │
 *     ├──────────┐        `left`     it wrote `.ended.*` and removed its pipe
 *     ▼          ▼
 *   left ◄───── gone      `gone`     it was killed: its pipe does not answer, and
 *     │          │                   it has left nothing
 *     ▼          ▼
 *   ledger ──► totals     `ledgers`  a ledger lists it, or has listed it
 *                         `totals`   only its share of a sum is left
 * ```
 *
 * A process counts in the last of the states that it is found in: its file
 * outdoes its pipe, a ledger that lists it outdoes its file. Shortcuts: a ledger
 * may list a process that was alive or gone a moment ago; a process in `gone`
 * whose pipe answers after all is alive again; one in `left` whose file somebody
 * removes before a ledger lists it ends in the totals.
 *
 * Pure: no clock, no I/O.
 *
 * @module
 */

import type { ProcessState, ProcessStatus } from "./host_stats.ts";
import { hasFallen, hasMore, isNewer, withGauges } from "./newest_values.ts";
import type { PipeReading, Problem } from "./pipe_reader.ts";
import type { Ended } from "../ended/ended_reader.ts";
import type { Ledger } from "../ended/ledger_reader.ts";
import { idOfListed } from "../ended/ledger_writer.ts";
import { isProcessId } from "../model/identity.ts";
import { ownKey, processKey, withoutOwner } from "../model/process_key.ts";
import { Totals } from "../ended/totals.ts";
import { hasTotals, type Snapshot } from "../format/snapshot.ts";

/**
 * How many processes of a user are kept one by one in each of `gone` and
 * `left`. A process in `gone` may turn out to be alive, and one in `left` may
 * turn up in a ledger; the sums in `totals` can no longer be corrected.
 */
const MAX_KEPT = 64;

/** How many bytes the snapshots of these processes may have. */
const MAX_KEPT_BYTES = 2 ** 24;

/** The last snapshot of a process. */
export interface LastValues {
  /** The id of the user whose pipe or file it was read from. */
  readonly owner: number;
  readonly snapshot: Snapshot;
  /** The bytes of the snapshot. */
  readonly bytes: Uint8Array;
  /** Who may read the pipe; `undefined` if that is not known. */
  readonly mode?: number;
  /** Whether it was taken for dead because it was silent, and nothing else says so. */
  readonly mayReturn?: boolean;
}

/** A process that has left a file. */
export interface LeftValues extends LastValues {
  /** Whether nothing of it is missing: it was not killed. */
  readonly final: boolean;
}

/** A process that is taken to be alive, as it was last read. */
export interface AliveProcess extends LastValues {
  /** The name of its pipe without `.stats`. */
  readonly base: string;
  /** Its process id; `undefined` if its pipe is not named after that. */
  readonly pid: number | undefined;
  /** When the process started, according to the system. */
  readonly systemStart: string | undefined;
  /** Whether it has shown a sign of life, which alone tells whether it lives. */
  readonly hasSign?: boolean;
  /** When it was read, in milliseconds; `-Infinity` if by an earlier collector. */
  readonly time: number;
}

/** The result of reading one pipe. */
export interface Reading {
  /** The name of the pipe without `.stats`. */
  readonly base: string;
  /** The process id in the name, if there is one. */
  readonly pid: number | undefined;
  /** What stands behind the process id in the name, or in its place. */
  readonly instance: string | undefined;
  /** The identity of the process, if only its sign of life says it. */
  readonly id?: string;
  /** Whether the process has shown a sign of life. */
  readonly hasSign?: boolean;
  /** When the process started, according to the system. */
  readonly systemStart: () => string | undefined;
  readonly result: PipeReading | Problem;
  /** When it was read, in milliseconds. */
  readonly time: number;
}

/** A process that has a sign of life, and whose pipe has not answered. */
export interface SignReading {
  /** The name of its pipe without `.stats`. */
  readonly base: string;
  readonly pid: number;
  /** The identity of the process. */
  readonly id: string;
  /** The id of the user whose process it is. */
  readonly owner: number;
  /** Who may read its files. */
  readonly mode: number;
  readonly lives: boolean;
  /** What it has kept for the case that it is killed. */
  readonly checkpoint:
    | {
      readonly snapshot: Snapshot;
      readonly bytes: Uint8Array;
      /** When it was written, by the clock of {@linkcode HostReading.now}. */
      readonly time: number;
    }
    | undefined;
  /** Whether there is a checkpoint that could not be read. */
  readonly isLost?: boolean;
}

/** Everything that was read from a host at one time. */
export interface HostReading {
  readonly readings: readonly Reading[];
  /** The processes with a sign of life whose pipes have not answered. */
  readonly signs?: readonly SignReading[];
  readonly ended: readonly Ended[];
  readonly ledgers: readonly Ledger[];
  /**
   * Users whose ledger could not be read in time; the last one read stands in
   * for it and may miss recent ends.
   */
  readonly late?: ReadonlySet<number>;
  /** The identities of all processes that have left a file, even if it was not read. */
  readonly there?: ReadonlySet<string>;
  /** The keys of processes that no ledger has taken in, and whose files are all damaged. */
  readonly damaged?: ReadonlySet<string>;
  /** The time, in milliseconds. */
  readonly now: number;
  /**
   * Whether a process lives, which has no pipe now, and is still the one that
   * started then; `undefined` if the system does not tell.
   */
  readonly lives: (
    process: Pick<AliveProcess, "base" | "pid" | "systemStart">,
  ) => boolean | undefined;
}

/** The last values of a process that are to be booked. */
export interface Unbooked extends LastValues {
  /** The key of the process in the census. */
  readonly key: string;
  /** The identity of the process. */
  readonly id: string;
  /** The number that its last values get. */
  readonly seq: number;
}

/** A process that is alive, but has no pipe. */
export type Silent = Pick<AliveProcess, "base" | "snapshot">;

/** Whose values count now. */
export interface Counted {
  /**
   * One snapshot of each process that has a pipe, or has taken it away for a
   * moment, by the name of the pipe without `.stats`.
   */
  readonly live: ReadonlyMap<string, Snapshot>;
  /** Snapshots of ended processes, of silent ones that have a sign of life, and of ledgers. */
  readonly ended: readonly Snapshot[];
  /** The silent processes among these: alive, but without a pipe. */
  readonly silent: readonly Silent[];
  /** Sums of processes that are no longer kept one by one, per owner. */
  readonly totals: readonly Totals[];
  readonly processes: readonly ProcessStatus[];
  /** Killed processes whose last values no other reader may know. */
  readonly unbooked: readonly Unbooked[];
  /** Killed processes of which nothing is known, and that no file stands for. */
  readonly unknown: readonly SignReading[];
}

/** What is known of the processes with a sign of life that have not answered, by key. */
interface Signs {
  readonly living: Set<string>;
  /** Their last values, if any are known. */
  readonly dead: Map<string, LastValues | undefined>;
}

/** The processes of one host, each in one state of its life. */
export class Census {
  /** Processes that are taken to be alive, by key. */
  readonly alive: Map<string, AliveProcess> = new Map();
  /** Processes that were killed, by key, oldest first. */
  readonly gone: Map<string, LastValues> = new Map();
  /** Processes whose file was read and that no ledger lists, by key. */
  readonly left: Map<string, LeftValues> = new Map();
  /** The ledgers as last read, by owner. */
  readonly ledgers: Map<number, Ledger> = new Map();
  /**
   * The sums of what was dropped from `gone` and `left` and of ledgers that
   * were removed. By owner, since the number of names in a sum is limited and
   * one user must not use up the names of another.
   */
  readonly totals: Map<number, Totals> = new Map();
  /** The keys of the processes that had a pipe at the last update, by base. */
  #keys: Map<string, string> = new Map();
  /** Processes in `left` of which more is known here than stands in their files, if these are whole. */
  #raised: Map<string, LastValues> = new Map();
  #summedKilled = 0;
  #unknown = 0;
  #late = 0;

  /** How many processes were killed, as far as that is known. */
  get killed(): number {
    let count = this.#summedKilled + this.#unknown + this.#goneForGood;
    for (const { info } of this.ledgers.values()) count += info.killed;
    for (const { final } of this.left.values()) if (!final) count++;
    return count;
  }

  /** How many processes in `gone` cannot come back. */
  get #goneForGood(): number {
    let count = 0;
    for (const { mayReturn } of this.gone.values()) if (!mayReturn) count++;
    return count;
  }

  /** Of how many killed processes more was known here than a ledger had taken in. */
  get late(): number {
    return this.#late;
  }

  /**
   * The number of processes of which nobody else may know as much: those that
   * were killed, and those that have fallen silent and may come back.
   */
  get unbooked(): number {
    return this.gone.size + this.#raised.size;
  }

  /** Moves every process on to the state that it was found in. */
  update(host: HostReading): Counted {
    const signs = this.#noteSigns(host);
    const keys = this.#noteAnswers(host, signs);
    const overtaken = this.#noteLedgers(host.ledgers);
    const listed = this.#listed();
    this.#noteFiles(host, keys, signs, listed, overtaken);
    const counted = new Set([...listed.keys(), ...this.left.keys()]);
    const silent = this.#noteDeaths(host, keys, signs, counted, overtaken);
    this.#noteReturns(counted);
    const isBookable = (key: string) => signs.dead.has(key);
    this.#sumUp(this.gone, host.late, isBookable);
    this.#keys = keys;
    const unknown = unknownIn(host, signs, counted);
    this.#unknown = unknown.length;

    const live = new Map<string, Snapshot>();
    for (const [base, key] of keys) {
      const process = this.alive.get(key);
      if (process !== undefined) live.set(base, process.snapshot);
    }
    // A simple writer has no pipe between two answers.
    for (const { base, hasSign, snapshot } of silent) {
      if (!hasSign) live.set(base, snapshot);
    }
    const hidden = silent.filter(({ hasSign }) => hasSign);
    return {
      live,
      ended: [
        ...hidden.map(({ snapshot }) => snapshot),
        ...[...this.gone.values()].map(({ snapshot }) => snapshot),
        ...[...this.left.values()].map(({ snapshot }) => snapshot),
        ...[...this.ledgers.values()].map(({ snapshot }) => snapshot),
      ],
      silent: hidden,
      totals: [...this.totals.values()],
      processes: host.readings.map((reading) =>
        this.#statusOf(reading, keys.get(reading.base), host.now)
      ),
      unbooked: this.#unbooked(host.late),
      unknown,
    };
  }

  /** The bases of processes that are taken to be alive, and whose pipes are named after no process id. */
  namelessBases(): string[] {
    return [...this.alive.values()]
      .flatMap(({ base, pid }) => pid === undefined ? [base] : []);
  }

  /** The totals of one user. */
  totalsOf(owner: number): Totals {
    let totals = this.totals.get(owner);
    if (totals === undefined) this.totals.set(owner, totals = new Totals());
    return totals;
  }

  /** Gone -> left: processes that were booked. */
  noteBooked(keys: ReadonlySet<string>): void {
    for (const key of keys) {
      const values = this.gone.get(key);
      if (values !== undefined) this.left.set(key, { ...values, final: false });
      this.gone.delete(key);
      this.#raised.delete(key);
    }
  }

  /**
   * What signs of life say, with the newest values of their processes. A living
   * one that was never read is known by its checkpoint.
   */
  #noteSigns({ signs = [] }: HostReading): Signs {
    const living = new Set<string>();
    const dead = new Map<string, LastValues | undefined>();
    for (const { base, pid, id, owner, mode, lives, checkpoint } of signs) {
      const key = ownKey(owner, id);
      const known = this.alive.get(key);
      const last = known ?? this.gone.get(key);
      const values = newestOf({ owner, mode }, last, checkpoint);
      if (!lives) {
        // Without annotations, no value is known to be one of a counter.
        dead.set(key, values?.snapshot.annotated ? values : undefined);
        continue;
      }
      living.add(key);
      if (values === undefined) continue;
      const isOld = values === last;
      const time = isOld ? known?.time : checkpoint?.time;
      const { systemStart } = known ?? { systemStart: undefined };
      this.alive.set(key, {
        ...values,
        base,
        pid,
        systemStart,
        hasSign: true,
        time: time ?? -Infinity,
      });
    }
    return { living, dead };
  }

  /**
   * New, silent or gone -> alive: processes whose pipe has answered.
   *
   * @returns The key of the process behind each pipe, by base, except where the
   * process is dead or was never read.
   */
  #noteAnswers(host: HostReading, signs: Signs): Map<string, string> {
    const keys = new Map<string, string>();
    const bases = new Map<string, string>();
    for (const reading of host.readings) {
      const { base, pid, systemStart, result, time } = reading;
      if (!("snapshot" in result)) {
        const key = result.failure === "dead"
          ? undefined
          : this.#keyOfSilent(base, host, signs);
        if (key !== undefined && !bases.has(key)) keys.set(base, key);
        continue;
      }
      const { snapshot, bytes, owner, mode } = result;
      const key = this.#identify(reading, owner, snapshot);
      // A process that has just got another name may answer by both.
      const other = bases.get(key);
      if (other !== undefined) {
        const last = this.alive.get(key)!.snapshot;
        if ((last.seq ?? 0) > (snapshot.seq ?? 0)) continue;
        keys.delete(other);
      }
      const before = this.alive.get(key);
      this.alive.set(key, {
        base,
        pid,
        owner,
        mode,
        systemStart: before?.systemStart ?? systemStart(),
        hasSign: (before?.hasSign ?? false) || (reading.hasSign ?? false),
        snapshot,
        bytes,
        time,
      });
      bases.set(key, base);
      keys.set(base, key);
    }
    return keys;
  }

  /** The key of the process behind a pipe that has not answered. */
  #keyOfSilent(
    base: string,
    { signs = [] }: HostReading,
    { dead }: Signs,
  ): string | undefined {
    const last = this.#keyOf(base);
    const living = signs.filter((sign) => sign.base === base && sign.lives)
      .map(({ owner, id }) => ownKey(owner, id));
    if (last !== undefined && !dead.has(last)) {
      if (living.length === 0 || living.includes(last)) return last;
    }
    return living[0];
  }

  /**
   * Ledger -> totals: a ledger that somebody has removed and another one
   * replaces.
   *
   * @returns The users whose ledger has taken in more processes since it was
   * last read than it lists, so that some ends cannot be recognized.
   */
  #noteLedgers(ledgers: readonly Ledger[]): Set<number> {
    const overtaken = new Set<number>();
    for (const ledger of ledgers) {
      const { owner, info } = ledger;
      const last = this.ledgers.get(owner);
      const isSame = last?.info.id === info.id;
      if (last !== undefined && !isSame) {
        this.totalsOf(owner).add(last.snapshot);
      }
      const count = isSame ? last!.info.count : 0;
      if (info.count - count > info.ended.length) overtaken.add(owner);
      this.ledgers.set(owner, ledger);
    }
    return overtaken;
  }

  /** The keys of all processes that ledgers list, each with the number of the snapshot of a killed one. */
  #listed(): Map<string, number | undefined> {
    const listed = new Map<string, number | undefined>();
    for (const { owner, info } of this.ledgers.values()) {
      for (const text of info.ended) {
        const id = idOfListed(text);
        const seq = id === text ? undefined : Number(text.slice(id.length + 1));
        listed.set(ownKey(owner, id), seq);
      }
    }
    return listed;
  }

  /**
   * Any state -> left: processes that have a file. Left -> ledger: processes
   * whose file is no longer read because a ledger has them. Left -> totals: the
   * oldest of too many whose files were removed by somebody.
   */
  #noteFiles(
    { ended, there = new Set(), damaged = new Set(), late }: HostReading,
    keys: ReadonlyMap<string, string>,
    { living }: Signs,
    listed: ReadonlyMap<string, number | undefined>,
    overtaken: ReadonlySet<number>,
  ): void {
    const isRead = new Set<string>();
    const alive = new Set([...keys.values(), ...living]);
    for (const { id, owner, mode, snapshot, bytes, final, last } of ended) {
      const key = ownKey(owner, id);
      // It has survived the error or the signal at which it wrote the file.
      if (!final && alive.has(key)) continue;
      isRead.add(key);
      const known = this.left.get(key) ?? this.gone.get(key) ??
        this.alive.get(key);
      const isRaised = !final && known !== undefined &&
        (known.snapshot.seq ?? 0) > (snapshot.seq ?? 0) &&
        hasMore(known.snapshot, snapshot);
      const values = isRaised ? known : { owner, mode, snapshot, bytes };
      this.left.set(key, { ...values, final: final || (last && !isRaised) });
      if (isRaised) this.#raised.set(key, values);
      else this.#raised.delete(key);
    }
    // A damaged file is written again with the values that were read from it.
    for (const key of damaged) {
      const values = this.left.get(key);
      if (values !== undefined && !values.final) this.#raised.set(key, values);
    }
    this.#noteLate(listed);
    for (const [key, { owner }] of this.left) {
      const isTaken = listed.has(key) || overtaken.has(owner);
      const hasReturned = alive.has(key);
      if ((isTaken || hasReturned) && !isRead.has(key)) this.left.delete(key);
    }
    for (const key of this.#raised.keys()) {
      if (!this.left.has(key)) this.#raised.delete(key);
    }
    const isThere = (own: string) =>
      isRead.has(own) || there.has(withoutOwner(own));
    this.#sumUp(this.left, late, isThere);
  }

  /** Notes of which killed processes a ledger has taken in less than is known here. */
  #noteLate(listed: ReadonlyMap<string, number | undefined>): void {
    for (const [key, seq] of listed) {
      if (seq === undefined) continue;
      const known = this.left.get(key) ?? this.gone.get(key) ??
        this.alive.get(key);
      if (known !== undefined && (known.snapshot.seq ?? 0) > seq) this.#late++;
    }
  }

  /**
   * Alive -> left or ledger: processes in `counted`. Alive -> gone: processes
   * that are dead and have left nothing.
   *
   * @param keys The processes that have a pipe.
   * @param counted The keys of processes that a ledger or a file has.
   * @returns The silent processes.
   */
  #noteDeaths(
    { readings, lives }: HostReading,
    keys: ReadonlyMap<string, string>,
    signs: Signs,
    counted: ReadonlySet<string>,
    overtaken: ReadonlySet<number>,
  ): AliveProcess[] {
    const killed = new Set(
      readings.filter(({ result }) =>
        "failure" in result && result.failure === "dead"
      ).map(({ base }) => base),
    );
    const silent: AliveProcess[] = [];
    for (const [key, process] of this.alive) {
      if (counted.has(key)) {
        this.alive.delete(key);
        continue;
      }
      if (signs.dead.has(key)) continue;
      const { base, owner, hasSign } = process;
      if (keys.get(base) === key) continue;
      // Whoever has found a process dead removes its sign. The process id may
      // be that of another one here.
      const isSilent = signs.living.has(key) ||
        (!hasSign && !keys.has(base) && lives(process) === true);
      if (isSilent) {
        silent.push(process);
        continue;
      }
      this.alive.delete(key);
      // A process that removed its pipe itself is in the ledger already, even
      // if the ledger no longer lists it.
      if (overtaken.has(owner) && !killed.has(base)) continue;
      const mayReturn = process.pid === undefined;
      this.#noteDeath(key, { ...process, mayReturn }, false);
    }
    for (const [key, values] of signs.dead) {
      this.alive.delete(key);
      if (values !== undefined && !counted.has(key)) {
        // A process counts as killed even if it had counted nothing yet.
        this.#noteDeath(key, values, true);
      }
    }
    return silent;
  }

  #noteDeath(key: string, values: LastValues, hasSign: boolean): void {
    const { owner, snapshot, bytes, mode, mayReturn } = values;
    // A relay sums other processes, whose values will be read again.
    if (snapshot.process?.relay) return;
    if (!hasSign && !hasTotals(snapshot)) return;
    this.gone.set(key, { owner, snapshot, bytes, mode, mayReturn });
  }

  /** What must be booked, so that every reader counts as much of the killed processes. */
  #unbooked(late: ReadonlySet<number> = new Set()): Unbooked[] {
    return [...this.gone, ...this.#raised].flatMap(([key, values]) => {
      const id = withoutOwner(key);
      const isBookable = isProcessId(id) && !late.has(values.owner) &&
        !values.mayReturn;
      const seq = values.snapshot.seq ?? 1;
      return isBookable ? [{ ...values, key, id, seq }] : [];
    });
  }

  /** Gone -> alive, left or ledger: processes that were taken for killed too early. */
  #noteReturns(counted: ReadonlySet<string>): void {
    for (const key of this.gone.keys()) {
      if (counted.has(key) || this.alive.has(key)) this.gone.delete(key);
    }
  }

  /**
   * Gone or left -> totals: the oldest processes of each user, beyond the
   * limits. Processes of users in `late` stay, since a ledger that was not read
   * may have them, and they would count twice.
   */
  #sumUp(
    processes: Map<string, LastValues>,
    late: ReadonlySet<number> = new Set(),
    isKept: (key: string) => boolean = () => false,
  ): void {
    const rooms = new Map<number, { count: number; bytes: number }>();
    for (const [key, { owner, snapshot, bytes }] of [...processes].reverse()) {
      if (late.has(owner) || isKept(key)) continue;
      let room = rooms.get(owner);
      if (room === undefined) {
        room = { count: MAX_KEPT, bytes: MAX_KEPT_BYTES };
        rooms.set(owner, room);
      }
      room.count--;
      room.bytes -= bytes.length;
      if (room.count >= 0 && room.bytes >= 0) continue;
      this.totalsOf(owner).add(snapshot);
      if (processes === this.gone) this.#summedKilled++;
      processes.delete(key);
    }
  }

  #keyOf(base: string): string | undefined {
    const key = this.#keys.get(base);
    if (key !== undefined) return key;
    // The process was silent, or was read by an earlier collector.
    for (const [key, process] of this.alive) {
      if (process.base === base) return key;
    }
  }

  /** The key of a process that has answered. */
  #identify(
    { base, id, systemStart }: Reading,
    owner: number,
    snapshot: Snapshot,
  ): string {
    const own = snapshot.process?.id ?? id;
    if (own !== undefined) return ownKey(owner, own);
    if (snapshot.process !== undefined) {
      return ownKey(owner, processKey(base, snapshot.process.start));
    }
    // Without `# process`, the start time of the system identifies the process;
    // where the system does not tell it, a counter that falls shows a new one.
    const start = systemStart();
    const key = processKey(base, `system ${start ?? "unknown"}`);
    const first = ownKey(owner, key);
    // The system does not know the start of a process that ended meanwhile.
    const like = start === undefined ? processKey(base, "system ") : first;
    const lastKey = this.#keyOf(base) ??
      [...this.gone.keys()].findLast((key) => key.startsWith(like));
    if (lastKey === undefined || !lastKey.startsWith(like)) return first;
    const last = this.alive.get(lastKey) ?? this.gone.get(lastKey);
    if (last !== undefined && last.owner !== owner) return first;
    return last !== undefined && hasFallen(last.snapshot, snapshot)
      ? `${lastKey}+`
      : lastKey;
  }

  #statusOf(
    { pid, instance, result }: Reading,
    key: string | undefined,
    now: number,
  ): ProcessStatus {
    const last = key === undefined ? undefined : this.alive.get(key);
    const process = last?.snapshot.process;
    const isOk = "snapshot" in result;
    const id = key === undefined ? undefined : withoutOwner(key);
    return {
      pid,
      instance,
      id: id !== undefined && isProcessId(id) ? id : process?.id,
      name: process?.name ?? (pid === undefined ? instance : undefined),
      runtime: process?.runtime,
      start: process?.start,
      state: isOk ? stateOf(process?.stalled) : result.failure,
      age: last !== undefined && Number.isFinite(last.time)
        ? (now - last.time) / 1000
        : undefined,
      stalled: isOk ? process?.stalled : undefined,
      error: isOk ? undefined : result.why,
      badLines: last?.snapshot.bad?.count,
    };
  }
}

/** From how many seconds on a main thread that does not respond counts as hung. */
const HUNG_SECONDS = 1;

/** The state of a process that answers. */
function stateOf(stalled: number | undefined): ProcessState {
  if (stalled === undefined) return "unknown";
  return stalled >= HUNG_SECONDS ? "hung" : "ok";
}

/** The killed processes of which nothing is known, not even whether they have left something. */
function unknownIn(
  { signs = [], there, late }: HostReading,
  { dead }: Signs,
  counted: ReadonlySet<string>,
): SignReading[] {
  return signs.filter(({ id, owner, isLost }) => {
    const key = ownKey(owner, id);
    const isUnknown = dead.has(key) && dead.get(key) === undefined;
    return isUnknown && !isLost && !counted.has(key) && !late?.has(owner) &&
      !there?.has(id);
  });
}

/** The newest values of a process that has not answered; `undefined` if none are known. */
function newestOf(
  { owner, mode }: { owner: number; mode: number },
  last: LastValues | undefined,
  checkpoint: SignReading["checkpoint"],
): LastValues | undefined {
  if (checkpoint === undefined) return last;
  const { snapshot, bytes } = checkpoint;
  if (last === undefined) return { owner, mode, snapshot, bytes };
  if (!isNewer(snapshot, last.snapshot)) return last;
  return { owner, mode, snapshot: withGauges(snapshot, last.snapshot), bytes };
}
