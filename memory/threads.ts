/**
 * The meeting of all slabs of this process: of all its threads, and of all copies
 * of statvent in a thread.
 *
 * Opens a broadcast channel with the first slab. The channel does not keep the
 * program alive.
 *
 * @module
 */

import { runtime } from "../runtime/runtime.ts";
import { LAYOUT, type Slab } from "../slab/layout.ts";

// Copies of this module in one thread share the symbol of this name, threads the
// channel of this name.
const MEETING = `statvent.slabs.${LAYOUT}`;

type Message = { slabs: readonly Slab[]; ask: boolean };

/** The state that all copies of statvent in one thread share. */
class Threads {
  /** The slabs of the process that this thread knows, by their ids. */
  readonly slabs: Map<string, Slab> = new Map();
  #post = runtime.joinChannel(MEETING, (message) => this.#receive(message));

  constructor() {
    this.#tell({ slabs: [], ask: true });
  }

  #tell(message: Message): void {
    this.#post(message);
  }

  #receive(message: unknown): void {
    const { slabs, ask } = message as Message;
    for (const slab of slabs) this.slabs.set(slab.id, slab);
    if (ask) this.#tell({ slabs: [...this.slabs.values()], ask: false });
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
