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

import type { ProcessStatus } from "./host_stats.ts";
import type { PipeReading, Problem } from "./pipe_reader.ts";
import type { Ended } from "../ended/ended_reader.ts";
import type { Ledger } from "../ended/ledger_reader.ts";
import { ownKey, processKey, withoutOwner } from "../model/process_key.ts";
import { idOfListed } from "../ended/ledger_writer.ts";
import { Totals } from "../ended/totals.ts";
import type { Snapshot } from "../format/snapshot.ts";
import { COUNTER } from "../model/kinds.ts";

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
}

/** A process that is taken to be alive, as it was last read. */
export interface AliveProcess extends LastValues {
  readonly pid: number;
  /** When the process started, according to the system. */
  readonly systemStart: string | undefined;
  /** When it was read, in milliseconds; `-Infinity` if by an earlier collector. */
  readonly time: number;
}

/** The result of reading one pipe. */
export interface Reading {
  readonly pid: number;
  /** When the process started, according to the system. */
  readonly systemStart: () => string | undefined;
  readonly result: PipeReading | Problem;
}

/** Everything that was read from a host at one time. */
export interface HostReading {
  readonly readings: readonly Reading[];
  readonly ended: readonly Ended[];
  readonly ledgers: readonly Ledger[];
  /**
   * Users whose ledger could not be read in time; the last one read stands in
   * for it and may miss recent ends.
   */
  readonly late?: ReadonlySet<number>;
  /** The keys of all processes that have left a file, even if it was not read. */
  readonly there?: ReadonlySet<string>;
  /** The time, in milliseconds. */
  readonly now: number;
  /**
   * Whether `pid` is alive and still the process that started then;
   * `undefined` if the system does not tell.
   */
  readonly lives: (pid: number, systemStart: string | undefined) =>
    | boolean
    | undefined;
}

/** Whose values count now. */
export interface Counted {
  /** One snapshot of each process that has a pipe, by process id. */
  readonly live: ReadonlyMap<number, Snapshot>;
  /** Snapshots of silent and ended processes, and of ledgers. */
  readonly ended: readonly Snapshot[];
  /** Sums of processes that are no longer kept one by one, per owner. */
  readonly totals: readonly Totals[];
  readonly processes: readonly ProcessStatus[];
}

/** The processes of one host, each in one state of its life. */
export class Census {
  /** Processes that are taken to be alive, by key. */
  readonly alive: Map<string, AliveProcess> = new Map();
  /** Processes that were killed, by key, oldest first. */
  readonly gone: Map<string, LastValues> = new Map();
  /** Processes whose file was read and that no ledger lists, by key. */
  readonly left: Map<string, LastValues> = new Map();
  /** The ledgers as last read, by owner. */
  readonly ledgers: Map<number, Ledger> = new Map();
  /**
   * The sums of what was dropped from `gone` and `left` and of ledgers that
   * were removed. By owner, since the number of names in a sum is limited and
   * one user must not use up the names of another.
   */
  readonly totals: Map<number, Totals> = new Map();
  /** The keys of the processes that had a pipe at the last update, by process id. */
  #keys: Map<number, string> = new Map();

  /** Moves every process on to the state that it was found in. */
  update(host: HostReading): Counted {
    const keys = this.#noteAnswers(host);
    const overtaken = this.#noteLedgers(host.ledgers);
    const counted = this.#listedKeys();
    this.#noteFiles(host, counted, overtaken);
    for (const key of this.left.keys()) counted.add(key);
    const silent = this.#noteDeaths(host, keys, counted, overtaken);
    this.#noteReturns(counted);
    this.#sumUp(this.gone, host.late);
    this.#keys = keys;

    const live = new Map<number, Snapshot>();
    for (const [pid, key] of keys) {
      const process = this.alive.get(key);
      if (process !== undefined) live.set(pid, process.snapshot);
    }
    return {
      live,
      ended: [
        ...silent,
        ...[...this.gone.values()].map(({ snapshot }) => snapshot),
        ...[...this.left.values()].map(({ snapshot }) => snapshot),
        ...[...this.ledgers.values()].map(({ snapshot }) => snapshot),
      ],
      totals: [...this.totals.values()],
      processes: host.readings.map((reading) =>
        this.#statusOf(reading, keys.get(reading.pid), host.now)
      ),
    };
  }

  /** The totals of one user. */
  totalsOf(owner: number): Totals {
    let totals = this.totals.get(owner);
    if (totals === undefined) this.totals.set(owner, totals = new Totals());
    return totals;
  }

  /**
   * New, silent or gone -> alive: processes whose pipe has answered.
   *
   * @returns The key of the process behind each pipe, by process id, except
   * where the process is dead or was never read.
   */
  #noteAnswers({ readings, now }: HostReading): Map<number, string> {
    const keys = new Map<number, string>();
    for (const { pid, systemStart, result } of readings) {
      const lastKey = this.#keyOf(pid);
      let key = lastKey;
      if ("snapshot" in result) {
        const { snapshot, bytes, owner } = result;
        key = this.#identify(pid, owner, systemStart, snapshot, lastKey);
        const before = this.alive.get(key);
        this.alive.set(key, {
          pid,
          owner,
          systemStart: before === undefined
            ? systemStart()
            : before.systemStart,
          snapshot,
          bytes,
          time: now,
        });
      } else if (result.failure === "dead") continue;
      if (key !== undefined) keys.set(pid, key);
    }
    return keys;
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

  /** The keys of all processes that ledgers list. */
  #listedKeys(): Set<string> {
    return new Set(
      [...this.ledgers.values()].flatMap(({ owner, info }) =>
        info.ended.map((listed) => ownKey(owner, idOfListed(listed)))
      ),
    );
  }

  /**
   * Any state -> left: processes that have a file. Left -> ledger: processes
   * whose file is no longer read because a ledger has them. Left -> totals: the
   * oldest of too many whose files were removed by somebody.
   */
  #noteFiles(
    { ended, there = new Set(), late }: HostReading,
    listed: ReadonlySet<string>,
    overtaken: ReadonlySet<number>,
  ): void {
    const isRead = new Set<string>();
    for (const { id, ...values } of ended) {
      const own = ownKey(values.owner, id);
      isRead.add(own);
      this.left.set(own, values);
    }
    for (const [key, { owner }] of this.left) {
      const isTaken = listed.has(key) || overtaken.has(owner);
      if (isTaken && !isRead.has(key)) this.left.delete(key);
    }
    const isThere = (own: string) =>
      isRead.has(own) || there.has(withoutOwner(own));
    this.#sumUp(this.left, late, isThere);
  }

  /**
   * Alive -> left or ledger: processes in `counted`. Alive -> gone: processes
   * that are dead and have left nothing.
   *
   * @param keys The processes that have a pipe.
   * @param counted The keys of processes that a ledger or a file has.
   * @returns The snapshots of silent processes.
   */
  #noteDeaths(
    { readings, lives }: HostReading,
    keys: ReadonlyMap<number, string>,
    counted: ReadonlySet<string>,
    overtaken: ReadonlySet<number>,
  ): Snapshot[] {
    const killed = new Set(
      readings.filter(({ result }) =>
        "failure" in result && result.failure === "dead"
      ).map(({ pid }) => pid),
    );
    const silent: Snapshot[] = [];
    for (const [key, process] of this.alive) {
      if (counted.has(key)) {
        this.alive.delete(key);
        continue;
      }
      const { pid, owner, systemStart, snapshot } = process;
      if (keys.get(pid) === key) continue;
      if (!keys.has(pid) && lives(pid, systemStart) === true) {
        silent.push(snapshot);
        continue;
      }
      this.alive.delete(key);
      // A relay sums other processes, whose values will be read again.
      if (snapshot.process?.relay) continue;
      // A process that removed its pipe itself is in the ledger already, even
      // if the ledger no longer lists it.
      if (overtaken.has(owner) && !killed.has(pid)) continue;
      this.gone.set(key, process);
    }
    return silent;
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
      processes.delete(key);
    }
  }

  #keyOf(pid: number): string | undefined {
    const key = this.#keys.get(pid);
    if (key !== undefined) return key;
    // The process was silent, or was read by an earlier collector.
    for (const [key, process] of this.alive) {
      if (process.pid === pid) return key;
    }
  }

  /** The key of a process that has answered. */
  #identify(
    pid: number,
    owner: number,
    systemStart: () => string | undefined,
    snapshot: Snapshot,
    lastKey: string | undefined,
  ): string {
    if (snapshot.process !== undefined) {
      const { id, start } = snapshot.process;
      return ownKey(owner, id ?? processKey(pid, start));
    }
    // Without `# process`, the start time of the system identifies the process;
    // where the system does not tell it, a counter that falls shows a new one.
    const start = systemStart();
    const key = processKey(pid, `system ${start ?? "unknown"}`);
    const base = ownKey(owner, key);
    // The system does not know the start of a process that ended meanwhile.
    const like = start === undefined ? processKey(pid, "system ") : base;
    if (lastKey === undefined || !lastKey.startsWith(like)) return base;
    const last = this.alive.get(lastKey);
    return last !== undefined && hasFallen(last.snapshot, snapshot)
      ? `${lastKey}+`
      : lastKey;
  }

  #statusOf(
    { pid, result }: Reading,
    key: string | undefined,
    now: number,
  ): ProcessStatus {
    const last = key === undefined ? undefined : this.alive.get(key);
    const process = last?.snapshot.process;
    const isOk = "snapshot" in result;
    return {
      pid,
      name: process?.name,
      runtime: process?.runtime,
      start: process?.start,
      state: isOk ? "ok" : result.failure,
      age: last !== undefined && Number.isFinite(last.time)
        ? (now - last.time) / 1000
        : undefined,
      stalled: isOk ? process?.stalled : undefined,
      error: isOk ? undefined : result.why,
    };
  }
}

/** Whether a counter is lower than before, so that another process counts it. */
function hasFallen(before: Snapshot, now: Snapshot): boolean {
  const values = new Map<number, number>();
  for (const [i, id] of now.ids.entries()) values.set(id, now.values[i]);
  return before.ids.some((id, i) =>
    before.kinds[i] === COUNTER && !((values.get(id) ?? 0) >= before.values[i])
  );
}
