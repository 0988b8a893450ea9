/**
 * What a protocol makes of each name.
 *
 * Pure: no clock, no I/O.
 *
 * @module
 */

import type { HostStats } from "../collect/host_stats.ts";
import type { LabelledName } from "../model/labels.ts";

/** Keeps what is made of each name until the host numbers its names anew. */
export class NameCache<T> {
  readonly #make: (name: string, labelled: LabelledName) => T;
  #table: HostStats["table"] | undefined;
  #made: T[] = [];

  /** @param make Called once for each name. */
  constructor(make: (name: string, labelled: LabelledName) => T) {
    this.#make = make;
  }

  /** What is made of the name with this id. */
  get(table: HostStats["table"], id: number): T {
    if (table !== this.#table) {
      this.#table = table;
      this.#made = [];
    }
    return this.#made[id] ??= this.#make(table.names[id], table.labelled(id));
  }
}
