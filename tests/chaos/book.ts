/**
 * The ledger of chaos: what each program was told to count and has said that it
 * has, and whether what a service answers can be true.
 *
 * Every program has a slot, a number in the names of its stats. A slot is used
 * again when all services have settled what its last program has counted.
 *
 * Pure: no clock, no I/O.
 *
 * @module
 */

import {
  type Amounts,
  COUNTED,
  nothing,
  PLACES,
  type Said,
  Violation,
} from "./answer.ts";

/** What is counted by one command at most. */
export const MOST = 100;

/** How long a service may take a dead process for a silent one, in milliseconds. */
const FOUND_MS = 1_200;

/** That of a simple writer, which is dead when nobody has written for two seconds. */
const SIMPLE_MS = 4_000;

/** How a program has ended: it has done all that it was told, or at least all that it said, or it was killed. */
export type End = "exact" | "orderly" | "killed";

/** What is known of one program, from one `exec` to the next. */
export class Entry {
  readonly slot: number;
  readonly isShell: boolean;
  /** What it was told to count. */
  readonly told: Amounts = nothing();
  /** What it has said that it has counted. */
  readonly done: Amounts = nothing();
  /** What its gauge may ever have been. */
  readonly gauges: number[] = [];
  /** Whether its pipe is there. */
  ready = false;
  /** Whether it was told to go, by whatever means. */
  doomed = false;
  end: End | undefined;
  /** When it had ended. */
  endedAt = 0;
  /** The services that have found out that it has ended, and told all others what they know. */
  readonly booked: Set<Account> = new Set();
  /** Whether another one has taken its place, of which its pipe may not have told yet. */
  isReplaced = false;
  /** The services that have settled it. */
  readonly settled: Set<Account> = new Set();
  readonly name: string;

  constructor(slot: number, isShell: boolean, name: string) {
    this.slot = slot;
    this.isShell = isShell;
    this.name = name;
  }
}

/** What is known before a question is asked. */
export interface Before {
  readonly time: number;
  /** The programs that were ready, and what they had said. */
  readonly done: Map<Entry, Amounts>;
  /** The programs that had ended. */
  readonly ended: Set<Entry>;
  /** Those of which no service can know more than all others. */
  readonly booked: Set<Entry>;
}

/** What one service has said. */
export class Account {
  readonly name: string;
  /** By slot: what is settled. */
  readonly base: Map<number, Amounts> = new Map();
  /** By slot: what was said last. */
  readonly last: Map<number, Amounts> = new Map();
  lastAll: Amounts = nothing();
  /** What was counted under one name and not yet under the other when programs were killed, at most. */
  slack = 0;
  /** What programs had counted when it was sure that all of it was read. */
  readonly exact: Map<Entry, Amounts> = new Map();

  constructor(name: string) {
    this.name = name;
  }
}

export class Book {
  readonly accounts: Account[] = [];
  readonly #entries: Map<number, Entry> = new Map();
  readonly #shells: Map<number, Entry> = new Map();
  readonly slots: number;
  readonly shellSlots: number;

  constructor(slots: number, shellSlots: number) {
    this.slots = slots;
    this.shellSlots = shellSlots;
  }

  /** A program in a free slot; `undefined` if there is none. */
  enter(isShell: boolean, name: string): Entry | undefined {
    const map = isShell ? this.#shells : this.#entries;
    const count = isShell ? this.shellSlots : this.slots;
    for (let slot = 0; slot < count; slot++) {
      if (map.has(slot)) continue;
      const entry = new Entry(slot, isShell, `${name} in slot ${slot}`);
      map.set(slot, entry);
      return entry;
    }
  }

  get entries(): Entry[] {
    return [...this.#entries.values(), ...this.#shells.values()];
  }

  /** Whether every program has ended and is settled. */
  get isSettled(): boolean {
    return this.#entries.size === 0 && this.#shells.size === 0;
  }

  /** @param time The time, in milliseconds. */
  before(time: number): Before {
    const done = new Map<Entry, Amounts>();
    const ended = new Set<Entry>();
    const booked = new Set<Entry>();
    for (const entry of this.entries) {
      if (entry.end !== undefined) ended.add(entry);
      else if (entry.ready) done.set(entry, [...entry.done]);
      if (this.accounts.every((account) => entry.booked.has(account))) {
        booked.add(entry);
      }
    }
    return { time, done, ended, booked };
  }

  /**
   * Checks an answer.
   *
   * @param before What was known before the question.
   * @param silent How many processes may have given no answer.
   */
  check(account: Account, said: Said, before: Before, silent: number): void {
    for (const slot of said.own.keys()) {
      if (!account.base.has(slot) && !this.#entries.has(slot)) {
        throw new Violation(`there is a stat of slot ${slot}, which is unused`);
      }
    }
    const late: string[] = [];
    let slack = account.slack;
    const sum = nothing();
    for (let slot = 0; slot < this.slots; slot++) {
      const now = said.own.get(slot) ?? nothing();
      for (const [i, n] of now.entries()) sum[i] += n;
      const late_ = this.#checkSlot(account, slot, now, said.complete, before);
      if (late_ !== undefined) late.push(late_);
      const entry = this.#unsettled(account, slot);
      if (entry !== undefined) {
        const isExact = this.#isExact(
          account,
          entry,
          now,
          before,
          said.complete,
        );
        // What is old may have been read while it was counting.
        if (isExact && silent === 0) {
          if (said.complete) account.exact.set(entry, [...entry.told]);
        } else slack += MOST;
      }
    }
    if (late.length > silent) {
      throw new Violation(
        `${late.length} processes have said more than is answered, although ${silent} gave no answer: ${
          late[0]
        }`,
      );
    }
    this.#checkAll(account, said, sum, slack);
    this.#checkGauges(said, before, silent);
    this.#checkShells(said, before, silent);
    for (const entry of before.ended) {
      if (isFound(entry, before)) entry.booked.add(account);
    }
    if (said.complete) this.#settle(account, said, before, silent);
  }

  /** The program of a slot, as long as the service has not settled it. */
  #unsettled(account: Account, slot: number): Entry | undefined {
    const entry = this.#entries.get(slot);
    return entry?.settled.has(account) ? undefined : entry;
  }

  /** Returns what is missing, if something is. */
  #checkSlot(
    account: Account,
    slot: number,
    now: Amounts,
    complete: boolean,
    before: Before,
  ): string | undefined {
    const base = account.base.get(slot) ?? nothing();
    const last = account.last.get(slot) ?? nothing();
    const entry = this.#unsettled(account, slot);
    const who = entry?.name ?? `slot ${slot}, whose program has gone`;
    const done = entry && before.done.get(entry);
    let late: string | undefined;
    for (const i of places(complete)) {
      if (now[i] < last[i]) {
        throw new Violation(
          `the ${PLACES[i]} of ${who} has fallen from ${last[i]} to ${now[i]}`,
        );
      }
      const most = base[i] + (entry?.told[i] ?? 0);
      if (now[i] > most) {
        throw new Violation(
          `the ${PLACES[i]} of ${who} is ${
            now[i]
          }, and the truth is ${most} at most`,
        );
      }
      if (entry === undefined) continue;
      const isEnded = before.ended.has(entry);
      if (isEnded && entry.end !== "killed") {
        const least = base[i] +
          (entry.end === "exact" ? entry.told[i] : entry.done[i]);
        if (now[i] < least) {
          throw new Violation(
            `the ${PLACES[i]} of ${who} is ${
              now[i]
            }, and it ended in an orderly way with ${least}`,
          );
        }
      } else if (done !== undefined && !entry.doomed) {
        if (now[i] < base[i] + done[i]) {
          late = `the ${PLACES[i]} of ${who} is ${now[i]}, and it had said ${
            base[i] + done[i]
          } before`;
        }
      }
    }
    const newLast = [...last];
    for (const i of places(complete)) newLast[i] = now[i];
    account.last.set(slot, newLast);
    return late;
  }

  #checkAll(
    account: Account,
    said: Said,
    sum: Amounts,
    slack: number,
  ): void {
    for (const i of places(said.complete)) {
      const now = said.all[i];
      if (now < account.lastAll[i]) {
        throw new Violation(
          `the ${PLACES[i]} of all has fallen from ${
            account.lastAll[i]
          } to ${now}`,
        );
      }
      account.lastAll[i] = now;
      const bound = i === 1 ? 512 * slack : slack;
      if (Math.abs(now - sum[i]) > bound) {
        throw new Violation(
          `the ${PLACES[i]} of all is ${now}, and the sum of its parts ${
            sum[i]
          } (within ${bound})`,
        );
      }
    }
  }

  #checkGauges(said: Said, before: Before, silent: number): void {
    for (const [slot, value] of said.gauges) {
      const entry = this.#entries.get(slot);
      if (hasGone(entry, before, silent)) {
        throw new Violation(
          `there is a gauge of slot ${slot}, whose program has gone`,
        );
      }
      if (!entry!.gauges.includes(value)) {
        throw new Violation(
          `the gauge of ${entry!.name} is ${value}, which it never was`,
        );
      }
    }
  }

  #checkShells(said: Said, before: Before, silent: number): void {
    for (const [slot, value] of said.shell) {
      const entry = this.#shells.get(slot);
      if (
        entry === undefined ||
        (hasGone(entry, before, silent) && isFound(entry, before))
      ) {
        throw new Violation(
          `there is a stat of shell ${slot}, whose program has gone`,
        );
      }
      const most = entry.told[COUNTED];
      if (value > most) {
        throw new Violation(
          `the counter of ${entry.name} is ${value}, and the truth is ${most} at most`,
        );
      }
    }
  }

  /** Whether it is sure that all that a program was told to count was read. */
  #isExact(
    account: Account,
    entry: Entry,
    now: Amounts,
    before: Before,
    complete: boolean,
  ): boolean {
    const base = account.base.get(entry.slot) ?? nothing();
    const done = before.done.get(entry);
    return places(complete).every((i) =>
      before.ended.has(entry)
        ? entry.end === "exact"
        : done !== undefined && done[i] === entry.told[i] &&
          now[i] - base[i] === done[i]
    );
  }

  #settle(
    account: Account,
    said: Said,
    before: Before,
    silent: number,
  ): void {
    for (const entry of before.ended) {
      // Until then another service may still raise the values of a killed one.
      if (entry.settled.has(account) || !before.booked.has(entry)) continue;
      if (entry.isReplaced && silent > 0) continue;
      entry.settled.add(account);
      if (!entry.isShell) {
        const now = said.own.get(entry.slot) ?? nothing();
        const exact = account.exact.get(entry);
        const isExact = entry.end === "exact" ||
          exact?.every((n, i) => n === entry.told[i]);
        if (!isExact) account.slack += MOST;
        account.exact.delete(entry);
        account.base.set(entry.slot, now);
      }
      if (this.accounts.every((account) => entry.settled.has(account))) {
        (entry.isShell ? this.#shells : this.#entries).delete(entry.slot);
      }
    }
  }
}

/** Whether every service knows by now that a program has ended. */
function isFound({ isShell, endedAt }: Entry, { time }: Before): boolean {
  return time > endedAt + (isShell ? SIMPLE_MS : FOUND_MS);
}

/** Whether nothing that ends with a program may be said of it any more. */
function hasGone(
  entry: Entry | undefined,
  before: Before,
  silent: number,
): boolean {
  if (entry === undefined) return true;
  // Its last values count until the one in its place has answered.
  return before.ended.has(entry) && !(entry.isReplaced && silent > 0);
}

function places(complete: boolean): number[] {
  return complete ? PLACES.map((_, i) => i) : [COUNTED];
}
