/**
 * The meeting of all slabs of this process: of all its threads, and of all copies
 * of statvent in a thread.
 *
 * Opens a broadcast channel with the first slab. The channel does not keep the
 * program alive.
 *
 * The main thread replaces the slabs of threads that have ended by one with their
 * sums. It looks for them when new threads announce themselves, so at most
 * {@linkcode ENDED_AT_MOST} wait for that, or as many as the others if these are
 * more. A slab is marked first and the sum is announced then: each thread goes
 * from the slabs to their sum in the moment in which it hears of it, so that none
 * ever counts a number twice or not at all.
 *
 * @module
 */

import { sumOfEnded } from "./ended_slab.ts";
import { hasEnded, showLife } from "./life.ts";
import type { Identity } from "../model/identity.ts";
import { runtime } from "../runtime/runtime.ts";
import { ENDED_IN, LAYOUT, lifeOf, NEWEST, type Slab } from "../slab/layout.ts";

// Copies of this module in one thread share the symbol of this name, threads the
// channel of this name.
const MEETING = `statvent.slabs.${LAYOUT}`;

/** How many slabs of threads that have ended are kept, unless more threads live. */
export const ENDED_AT_MOST = 32;

// A new sum copies the last one. It waits for so many ended threads that their
// slabs, of this many bytes at least, have been as large together.
const SMALL_SLAB_BYTES = 2_048;

/** What a recorder's thread tells threads that look for it. */
export interface Serving {
  /** The pipe. */
  readonly path: string;
}

interface Message {
  readonly slabs: readonly Slab[];
  readonly ask: boolean;
  readonly identity?: Identity;
  readonly serving?: Serving;
}

/** The state that all copies of statvent in one thread share. */
class Threads {
  /** The slabs of the process that this thread knows, by their ids. */
  readonly #slabs: Map<string, Slab> = new Map();
  /** The slabs of this thread. */
  readonly #own: Set<string> = new Set();
  /** The sum of the threads that have ended, which is among the slabs too. */
  #ended: Slab | undefined;
  /** The identity of the process, once a thread has drawn it. */
  identity: Identity | undefined;
  /** What this thread serves, if it is the recorder's. */
  serving: Serving | undefined;
  #found: ((serving: Serving) => void) | undefined;
  #hasAsked = false;
  #looks = 0;
  #lookAt = ENDED_AT_MOST;
  #channel = runtime.joinChannel(MEETING, (message) => this.#receive(message));

  constructor() {
    // Other threads read no stats, or ask when they do.
    if (runtime.isMainThread) this.ask();
  }

  /** Asks the other threads for their slabs and for what they know of the process. */
  ask(): void {
    this.#hasAsked = true;
    this.#tell({ slabs: [], ask: true });
  }

  #tell(message: Message): void {
    this.#channel.post(message);
  }

  #receive(message: unknown): void {
    const { slabs, ask, identity, serving } = message as Message;
    this.learn(slabs);
    this.identity ??= identity;
    if (serving !== undefined) this.#found?.(serving);
    if (ask) {
      this.#tell({
        slabs: [...this.#slabs.values()],
        ask: false,
        identity: this.identity,
        serving: this.serving,
      });
    }
    if (runtime.isMainThread && this.#slabs.size >= this.#lookAt) {
      this.#sumEnded();
    }
  }

  /** Sets the identity of the process, and tells the other threads. */
  identify(identity: Identity): void {
    this.identity = identity;
    this.#tell({ slabs: [], ask: false, identity });
  }

  /**
   * Looks for the recorder's thread of this process, which always answers.
   *
   * @param patience How long to wait for its answer, in milliseconds.
   */
  async findRecorder(patience: number): Promise<Serving | undefined> {
    let timer;
    try {
      return await new Promise<Serving | undefined>((resolve) => {
        this.#found = resolve;
        timer = setTimeout(() => resolve(undefined), patience);
        this.ask();
      });
    } finally {
      clearTimeout(timer);
      this.#found = undefined;
    }
  }

  /**
   * The slabs that this thread knows. The first call asks the other threads,
   * which answer when their event loops run.
   */
  known(): Slab[] {
    if (!this.#hasAsked) this.ask();
    return [...this.#slabs.values()];
  }

  /** Takes note of the slabs that others have announced while this thread was busy, where the runtime can. */
  catchUp(): void {
    this.#channel.catchUp();
  }

  /** Takes note of slabs, which may be new. */
  learn(slabs: readonly Slab[]): void {
    for (const slab of slabs) {
      const known = slab.isOfEnded ? this.#ended : this.#slabs.get(slab.id);
      if (known !== undefined && known.version >= slab.version) continue;
      this.#slabs.set(slab.id, slab);
      if (slab.isOfEnded) this.#ended = slab;
    }
    const version = this.#ended?.version ?? 0;
    for (const slab of this.#slabs.values()) {
      const endedIn = Atomics.load(lifeOf(slab), ENDED_IN);
      if (endedIn !== 0 && endedIn <= version) this.#slabs.delete(slab.id);
    }
  }

  /** Announces a slab of this thread to all threads, first or with larger buffers. */
  share(slab: Slab): void {
    if (!this.#own.has(slab.id)) {
      this.#own.add(slab.id);
      // The main thread ends last.
      if (!runtime.isMainThread) showLife(slab);
    }
    this.learn([slab]);
    this.#tell({ slabs: [slab], ask: false });
  }

  /** Replaces the slabs of threads that have ended. */
  #sumEnded(): void {
    const look = ++this.#looks;
    const ended = [...this.#slabs.values()].filter((slab) =>
      hasEnded(slab, look) &&
      // The larger buffers of others are still on their way.
      Atomics.load(lifeOf(slab), NEWEST) === slab.version
    );
    if (ended.length > 0) this.#replace(ended);
    const { cells, catalog } = this.#ended ?? { cells: null, catalog: null };
    const bytes = (cells?.byteLength ?? 0) + (catalog?.byteLength ?? 0);
    this.#lookAt = this.#slabs.size +
      Math.max(ENDED_AT_MOST, this.#slabs.size, bytes / SMALL_SLAB_BYTES);
  }

  #replace(ended: Slab[]): void {
    const old = this.#ended;
    if (old !== undefined) ended.unshift(old);
    const version = (old?.version ?? 0) + 1;
    const sum = sumOfEnded(ended, version);
    if (sum === undefined) return;
    for (const slab of ended) Atomics.store(lifeOf(slab), ENDED_IN, version);
    this.learn([sum]);
    this.#tell({ slabs: [sum], ask: false });
  }
}

/** The meeting, which the first call joins. */
export function threads(): Threads {
  const home = globalThis as { [key: symbol]: Threads | undefined };
  return home[Symbol.for(MEETING)] ??= new Threads();
}
