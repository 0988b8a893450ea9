/**
 * Decides whose values count: those of processes that live, those that ended
 * ones have left in a ledger, and the last that were read of killed ones. Each
 * process counts once, so that totals neither fall nor grow by themselves.
 *
 * Pure: no clock, no I/O.
 *
 * @module
 */

import type { ProcessStatus } from "./host_stats.ts";
import type { PipeReading, Problem } from "./pipe_reader.ts";
import type { Ended, Ledger } from "../ended/ledger_reader.ts";
import { ownKey, processKey, withoutOwner } from "../model/process_key.ts";
import { Totals } from "../ended/totals.ts";
import type { Snapshot } from "../format/snapshot.ts";
import { COUNTER } from "../model/kinds.ts";

/** How many killed processes of a user are remembered one by one, in case one lives after all. */
const MAX_GONE = 64;

/** How many bytes of theirs. */
const MAX_GONE_BYTES = 2 ** 24;

/** The last values of a process, whatever has become of it. */
export type LastValues = Pick<Known, "owner" | "snapshot" | "bytes">;

/** What a process last said. */
export interface Known {
  readonly pid: number;
  /** The id of the user whose pipe it is. */
  readonly owner: number;
  /** When the process started, as the system says it. */
  readonly systemStart: string | undefined;
  readonly snapshot: Snapshot;
  /** The bytes of the snapshot. */
  readonly bytes: Uint8Array;
  /** When it was read, in milliseconds. */
  readonly time: number;
}

/** What came of reading one pipe. */
export interface Reading {
  readonly pid: number;
  /** When the process started, as the system says it. */
  readonly systemStart: () => string | undefined;
  readonly result: PipeReading | Problem;
}

/** All that was read at one time. */
export interface HostReading {
  readonly readings: readonly Reading[];
  readonly ended: readonly Ended[];
  readonly ledgers: readonly Ledger[];
  /** The users whose ledger is an earlier one: those who are not in it may be in theirs. */
  readonly late?: ReadonlySet<number>;
  /** The keys of all processes that have left a file, also where that was not read. */
  readonly there?: ReadonlySet<string>;
  /** The time, in milliseconds. */
  readonly now: number;
  /** Whether a process still is the one that started then; `undefined` if nobody can tell. */
  readonly lives: (pid: number, systemStart: string | undefined) =>
    | boolean
    | undefined;
}

/** Whose values count now. */
export interface Accounted {
  /** One snapshot of each process that lives, by its id. */
  readonly live: ReadonlyMap<number, Snapshot>;
  /** What is left of others. */
  readonly ended: readonly Snapshot[];
  /** The same of still others, by their owners. */
  readonly totals: readonly Totals[];
  readonly processes: readonly ProcessStatus[];
}

/** Whether a counter is lower than it was, so that it must be another one. */
function hasFallen(before: Snapshot, now: Snapshot): boolean {
  const values = new Map<number, number>();
  for (const [i, id] of now.ids.entries()) values.set(id, now.values[i]);
  return before.ids.some((id, i) =>
    before.kinds[i] === COUNTER && !((values.get(id) ?? 0) >= before.values[i])
  );
}

/** The books of one host. */
export class Accounts {
  /** The processes that live, as far as is known, by their keys. */
  readonly known: Map<string, Known> = new Map();
  /** Those that were killed lately, oldest first. */
  readonly gone: Map<string, LastValues> = new Map();
  /** What ended ones have left, and no ledger has taken in. */
  readonly left: Map<string, LastValues> = new Map();
  /**
   * What those that were killed before have counted, and ledgers that were
   * lost, by their owners: none takes the room of another.
   */
  readonly totals: Map<number, Totals> = new Map();
  /** The ledgers, by their owners, as they were last read. */
  readonly ledgers: Map<number, Ledger> = new Map();
  /** The key of each process that has a pipe. */
  #keys: Map<number, string> = new Map();

  /** Takes in what was read. */
  update(host: HostReading): Accounted {
    const keys = new Map<number, string>();
    const silent: Snapshot[] = [];
    for (const reading of host.readings) {
      const key = this.#note(reading, host.now);
      if (key !== undefined) keys.set(reading.pid, key);
    }
    const killed = new Set(
      host.readings.filter(({ result }) =>
        "failure" in result && result.failure === "dead"
      ).map(({ pid }) => pid),
    );
    const missed = this.#noteLedgers(host.ledgers);
    const covered = new Set(
      [...this.ledgers.values()].flatMap(({ owner, info }) =>
        info.ended.map((key) => ownKey(owner, key))
      ),
    );
    this.#noteLeft(host, covered, missed);
    for (const key of this.left.keys()) covered.add(key);
    for (const [key, known] of this.known) {
      const { pid, owner, systemStart } = known;
      if (covered.has(key)) this.known.delete(key);
      else if (keys.get(pid) === key) continue;
      else if (!keys.has(pid) && host.lives(pid, systemStart) === true) {
        // It has no pipe at the moment.
        silent.push(known.snapshot);
      } else {
        this.known.delete(key);
        // A relay's counters are those of others, and come again.
        if (known.snapshot.process?.relay) continue;
        // Who has removed its own pipe has been taken in by a ledger, which has
        // taken in more processes since than it lists.
        if (!missed.has(owner) || killed.has(pid)) this.gone.set(key, known);
      }
    }
    for (const key of this.gone.keys()) {
      if (covered.has(key) || this.known.has(key)) this.gone.delete(key);
    }
    this.#forget(this.gone, host.late);
    this.#keys = keys;

    const live = new Map<number, Snapshot>();
    for (const [pid, key] of keys) {
      const known = this.known.get(key);
      if (known !== undefined) live.set(pid, known.snapshot);
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
   * Notes what ended ones have left. What was there once goes on to count until
   * a ledger has it, whoever has removed it.
   */
  #noteLeft(
    { ended, there = new Set(), late }: HostReading,
    taken: ReadonlySet<string>,
    missed: ReadonlySet<number>,
  ): void {
    const isRead = new Set<string>();
    for (const { key, ...values } of ended) {
      const own = ownKey(values.owner, key);
      isRead.add(own);
      this.left.set(own, values);
    }
    for (const [key, { owner }] of this.left) {
      const isTaken = taken.has(key) || missed.has(owner);
      if (isTaken && !isRead.has(key)) this.left.delete(key);
    }
    const isThere = (own: string) =>
      isRead.has(own) || there.has(withoutOwner(own));
    this.#forget(this.left, late, isThere);
  }

  /**
   * Keeps of those that are too many, or say too much, no more than their sums,
   * unless a ledger that nobody has read may have them: then they would count
   * twice.
   */
  #forget(
    all: Map<string, LastValues>,
    late: ReadonlySet<number> = new Set(),
    isKept: (key: string) => boolean = () => false,
  ): void {
    const room = new Map<number, { count: number; bytes: number }>();
    for (const [key, { owner, snapshot, bytes }] of [...all].reverse()) {
      if (late.has(owner) || isKept(key)) continue;
      let left = room.get(owner);
      if (left === undefined) {
        left = { count: MAX_GONE, bytes: MAX_GONE_BYTES };
        room.set(owner, left);
      }
      left.count--;
      left.bytes -= bytes.length;
      if (left.count >= 0 && left.bytes >= 0) continue;
      this.totalsOf(owner).add(snapshot);
      all.delete(key);
    }
  }

  /** Notes what came of a pipe. Returns the key of the process that it is of, if that is known and lives. */
  #note(
    { pid, systemStart, result }: Reading,
    now: number,
  ): string | undefined {
    const lastKey = this.#keyOf(pid);
    if ("failure" in result) {
      return result.failure === "dead" ? undefined : lastKey;
    }
    const { snapshot, bytes, owner } = result;
    const key = this.#identify(pid, owner, systemStart, snapshot, lastKey);
    const first = this.known.get(key);
    this.known.set(key, {
      pid,
      owner,
      systemStart: first === undefined ? systemStart() : first.systemStart,
      snapshot,
      bytes,
      time: now,
    });
    return key;
  }

  #keyOf(pid: number): string | undefined {
    const key = this.#keys.get(pid);
    if (key !== undefined) return key;
    // It has had no pipe for a while, or was read by an earlier service.
    for (const [key, known] of this.known) if (known.pid === pid) return key;
  }

  #identify(
    pid: number,
    owner: number,
    systemStart: () => string | undefined,
    snapshot: Snapshot,
    lastKey: string | undefined,
  ): string {
    if (snapshot.process !== undefined) {
      return ownKey(owner, processKey(pid, snapshot.process.start));
    }
    // It does not say. So the system does, and a counter that falls.
    const start = systemStart();
    const key = processKey(pid, `system ${start ?? "unknown"}`);
    const base = ownKey(owner, key);
    // If it has ended since it was read, the system knows it no more.
    const like = start === undefined ? processKey(pid, "system ") : base;
    if (lastKey === undefined || !lastKey.startsWith(like)) return base;
    const last = this.known.get(lastKey);
    return last !== undefined && hasFallen(last.snapshot, snapshot)
      ? `${lastKey}+`
      : lastKey;
  }

  /** Notes the ledgers. Returns the users whose ledger has taken in more than can be known. */
  #noteLedgers(ledgers: readonly Ledger[]): Set<number> {
    const missed = new Set<number>();
    for (const ledger of ledgers) {
      const { owner, info } = ledger;
      const last = this.ledgers.get(owner);
      const isSame = last?.info.id === info.id;
      // Somebody has removed the last one.
      if (last !== undefined && !isSame) {
        this.totalsOf(owner).add(last.snapshot);
      }
      const count = isSame ? last!.info.count : 0;
      if (info.count - count > info.ended.length) missed.add(owner);
      this.ledgers.set(owner, ledger);
    }
    return missed;
  }

  #statusOf(
    { pid, result }: Reading,
    key: string | undefined,
    now: number,
  ): ProcessStatus {
    const known = key === undefined ? undefined : this.known.get(key);
    const process = known?.snapshot.process;
    const isOk = "snapshot" in result;
    return {
      pid,
      name: process?.name,
      runtime: process?.runtime,
      start: process?.start,
      state: isOk ? "ok" : result.failure,
      // One that an earlier collector has read has no time here.
      age: known !== undefined && Number.isFinite(known.time)
        ? (now - known.time) / 1000
        : undefined,
      stalled: isOk ? process?.stalled : undefined,
      error: isOk ? undefined : result.why,
    };
  }
}
