/**
 * The slabs of all threads of this process, and of all copies of statvent in
 * them, made known to each other.
 *
 * Talks over a broadcast channel from the first slab on. The channel keeps no
 * program alive.
 *
 * @module
 */

import { runtime } from "../runtime/runtime.ts";
import { LAYOUT, type Slab } from "../slab/layout.ts";

// Copies of the module in one thread meet under this name, and threads on the
// channel of this name.
const MEETING = `statvent.slabs.${LAYOUT}`;

type Message = { slabs: readonly Slab[]; ask: boolean };

/** What the copies of statvent in one thread have in common. */
class Threads {
  /** Every slab of the process that this thread has heard of, by its id. */
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

  /** Makes a slab known to all threads. */
  share(slab: Slab): void {
    this.slabs.set(slab.id, slab);
    this.#tell({ slabs: [slab], ask: false });
  }
}

/**
 * The meeting place of this thread. The first call opens it.
 *
 * Other threads answer when their event loop turns.
 */
export function threads(): Threads {
  const home = globalThis as { [key: symbol]: Threads | undefined };
  return home[Symbol.for(MEETING)] ??= new Threads();
}
