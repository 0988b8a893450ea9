/**
 * The meeting of all slabs of this process: of all its threads, and of all copies
 * of statvent in a thread.
 *
 * Opens a broadcast channel with the first slab. The channel does not keep the
 * program alive.
 *
 * @module
 */

import type { Identity } from "./identity.ts";
import { runtime } from "../runtime/runtime.ts";
import { LAYOUT, type Slab } from "../slab/layout.ts";

// Copies of this module in one thread share the symbol of this name, threads the
// channel of this name.
const MEETING = `statvent.slabs.${LAYOUT}`;

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
  readonly slabs: Map<string, Slab> = new Map();
  /** The identity of the process, once a thread has drawn it. */
  identity: Identity | undefined;
  /** What this thread serves, if it is the recorder's. */
  serving: Serving | undefined;
  #found: ((serving: Serving) => void) | undefined;
  #post = runtime.joinChannel(MEETING, (message) => this.#receive(message));

  constructor() {
    this.#tell({ slabs: [], ask: true });
  }

  #tell(message: Message): void {
    this.#post(message);
  }

  #receive(message: unknown): void {
    const { slabs, ask, identity, serving } = message as Message;
    for (const slab of slabs) this.slabs.set(slab.id, slab);
    this.identity ??= identity;
    if (serving !== undefined) this.#found?.(serving);
    if (!ask) return;
    this.#tell({
      slabs: [...this.slabs.values()],
      ask: false,
      identity: this.identity,
      serving: this.serving,
    });
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
        this.#tell({ slabs: [], ask: true });
      });
    } finally {
      clearTimeout(timer);
      this.#found = undefined;
    }
  }

  /** Announces a slab to all threads. */
  share(slab: Slab): void {
    this.slabs.set(slab.id, slab);
    this.#tell({ slabs: [slab], ask: false });
  }
}

/**
 * The slabs that this thread knows. The first call opens the channel and asks
 * the other threads, which answer when their event loops run.
 */
export function threads(): Threads {
  const home = globalThis as { [key: symbol]: Threads | undefined };
  return home[Symbol.for(MEETING)] ??= new Threads();
}
