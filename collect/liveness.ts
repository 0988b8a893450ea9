/**
 * Finds out which processes live: by their signs of life, and for simple writers
 * without one by their pipes and by what the system says.
 *
 * Touches the pipe directory and the clock.
 *
 * @module
 */

import {
  alivePath,
  type OwnName,
  parseOwnName,
} from "../directory/file_names.ts";
import { isAlive } from "../directory/sign_of_life.ts";
import { attempt } from "../runtime/attempt.ts";
import { runtime } from "../runtime/runtime.ts";

/** How often the sign of life of a dead process is asked at most, in milliseconds. */
const ASK_EVERY_MS = 1_000;

/** For how long a simple writer must be silent before it can be dead, in milliseconds. */
const SILENT_MS = 2_000;

/**
 * For how long a writer must be silent before it can be dead that has no process
 * id, of which the system could say that it lives, in milliseconds.
 */
const NAMELESS_SILENT_MS = 5_000;

/** In how many readings a simple writer must be looked for before it can be dead. */
const SILENT_LOOKS = 3;

/** The sign of life of a process. */
export interface Sign {
  /** The name of the process's pipe without `.stats`. */
  readonly base: string;
  /** The process id, where the process runs. */
  readonly pid: number;
  /** The identity of the process. */
  readonly id: string;
  readonly path: string;
  /** The id of the user whose process it is. */
  readonly owner: number;
  readonly mode: number;
}

/** What was found when a sign was last asked. */
interface Answer {
  readonly time: number;
  readonly lives: boolean;
  readonly sign: Sign;
}

/** What is known of a writer that has no sign of life. */
interface SimpleWriter {
  /** When the process started, if it has answered while the system knew it. */
  seen: { readonly start: string | undefined } | undefined;
  /** When it was first found silent since it last answered. */
  silentSince: number | undefined;
  /** In how many readings it was silent since. */
  looks: number;
  /** When the last one of them has begun. */
  lookedIn: number;
}

const writerOf = (seen?: SimpleWriter["seen"]): SimpleWriter => ({
  seen,
  silentSince: undefined,
  looks: 0,
  lookedIn: -Infinity,
});

/** Knows which processes of a directory live. */
export class Liveness {
  #dir = "";
  /** When the current reading has begun. */
  #since = 0;
  /** Names of signs of life by the base that they stand for. */
  #named: Map<string, OwnName[]> = new Map();
  #answers: Map<string, Answer> = new Map();
  #writers: Map<string, SimpleWriter> = new Map();

  /**
   * Notes what is in the directory.
   *
   * @param names The names of all files.
   */
  update(dir: string, names: readonly string[]): void {
    const named = new Map<string, OwnName[]>();
    const paths = new Set<string>();
    for (const name of names) {
      const own = parseOwnName(name);
      if (own?.rest !== "alive") continue;
      paths.add(`${dir}/${name}`);
      const others = named.get(own.base);
      if (others === undefined) named.set(own.base, [own]);
      else others.push(own);
    }
    this.#dir = dir;
    this.#named = named;
    for (const path of this.#answers.keys()) {
      if (!paths.has(path)) this.#answers.delete(path);
    }
  }

  /** Whether a process has a sign of life, whatever that says. */
  hasSign(base: string, id: string): boolean {
    return this.#named.get(base)?.some((own) => own.id === id) ?? false;
  }

  /**
   * Begins a new reading, in which every living process is asked again, though
   * once at most.
   *
   * @param bases The bases that have a pipe, or whose values count.
   */
  begin(bases: Iterable<string>): void {
    this.#since = performance.now();
    // Forgets simple writers that have ended.
    const there = new Set(bases);
    for (const base of this.#writers.keys()) {
      if (!there.has(base)) this.#writers.delete(base);
    }
  }

  /**
   * The signs of life that stand for a base.
   *
   * @param owner The user whose signs count; those of all users by default.
   */
  signsOf(base: string, owner?: number): Answer[] {
    return (this.#named.get(base) ?? []).flatMap((own) => this.#ask(own) ?? [])
      .filter(({ sign }) => owner === undefined || sign.owner === owner);
  }

  /** All signs of life but those of the given processes. */
  othersThan(
    isKnown: (sign: { base: string; id: string }) => boolean,
  ): Answer[] {
    return [...this.#named.values()].flat()
      .filter((own) => !isKnown(own))
      .flatMap((own) => this.#ask(own) ?? []);
  }

  /**
   * Whether a process lives that may write to the pipe of a base; `undefined` if
   * no sign of life says so.
   *
   * @param owner The user who owns the pipe.
   */
  lives(base: string, owner: number): boolean | undefined {
    const signs = this.signsOf(base, owner);
    return signs.length === 0 ? undefined : signs.some(({ lives }) => lives);
  }

  #ask(own: OwnName): Answer | undefined {
    const path = alivePath(this.#dir, own.base, own.id);
    const last = this.#answers.get(path);
    const time = performance.now();
    const isRecent = last !== undefined &&
      (last.lives ? last.time >= this.#since : time - last.time < ASK_EVERY_MS);
    if (isRecent) return last;
    const answer = askNow(this.#dir, own, time);
    if (answer === undefined) this.#answers.delete(path);
    else this.#answers.set(path, answer);
    return answer;
  }

  /**
   * Notes that a simple writer has answered an earlier collector, while the system
   * knew it.
   *
   * @param start When the process started, according to the system.
   */
  noteSeen(base: string, start: string): void {
    this.#writers.set(base, writerOf({ start }));
  }

  /** Notes that a simple writer has answered. */
  noteAnswer(base: string, pid: number | undefined): void {
    const known = this.#writers.get(base);
    if (known?.seen !== undefined) {
      known.silentSince = undefined;
      return;
    }
    const seen = pid !== undefined && runtime.processExists(pid) === true
      ? { start: runtime.processStart(pid) }
      : undefined;
    this.#writers.set(base, writerOf(seen));
  }

  /**
   * Whether a simple writer is dead whose pipe has just been found without a
   * writer, or missing.
   *
   * @param pid Its process id; `undefined` if its pipe is not named after that.
   */
  isDead(base: string, pid: number | undefined): boolean {
    let writer = this.#writers.get(base);
    if (writer === undefined) this.#writers.set(base, writer = writerOf());
    // The system may know other processes than those that use the directory: it
    // is believed about those only that it has known while they answered.
    const { seen } = writer;
    if (pid !== undefined && seen !== undefined) {
      return runtime.processExists(pid) === false ||
        (seen.start !== undefined && runtime.processStart(pid) !== seen.start);
    }
    const now = performance.now();
    writer.silentSince ??= now;
    if (writer.lookedIn !== this.#since) {
      writer.lookedIn = this.#since;
      writer.looks++;
    }
    const silentMs = pid === undefined ? NAMELESS_SILENT_MS : SILENT_MS;
    return now - writer.silentSince >= silentMs &&
      writer.looks >= SILENT_LOOKS &&
      (pid === undefined || runtime.processExists(pid) === false);
  }

  /** Notes that a simple writer is there, although it has not answered. */
  noteWriter(base: string): void {
    const writer = this.#writers.get(base);
    if (writer !== undefined) {
      writer.silentSince = undefined;
      writer.looks = 0;
    }
  }
}

function askNow(
  dir: string,
  { base, pid, id }: OwnName,
  time: number,
): Answer | undefined {
  const path = alivePath(dir, base, id);
  const file = attempt(() => runtime.identify(path));
  if (file?.isFifo !== true) return undefined;
  const lives = isAlive(path);
  // It cannot be asked, or has gone: nothing may be done because of that.
  if (lives === undefined) return undefined;
  const { owner, mode } = file;
  return { time, lives, sign: { base, pid, id, path, owner, mode } };
}
