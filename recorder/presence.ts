/**
 * The name and the sign of life of this process in the pipe directory.
 *
 * Touches the pipe directory. Keeps the sign of life open.
 *
 * @module
 */

import {
  alivePath,
  baseOf,
  type OwnBase,
  parseOwnName,
  pipePath,
} from "../directory/file_names.ts";
import { hasWriter, isAlive } from "../directory/sign_of_life.ts";
import { attempt } from "../runtime/attempt.ts";
import { nap } from "../runtime/pause.ts";
import { runtime } from "../runtime/runtime.ts";

/**
 * How long a simple writer has to show itself, in milliseconds: it waits until a
 * reader opens its pipe, and must be scheduled then.
 */
const SHOW_MS = 60;

/** What a presence begins with. */
export interface PresenceOptions {
  /** The pipe directory. */
  readonly dir: string;
  /** The identity of this process. */
  readonly id: string;
  /** What the environment wants behind the process id. */
  readonly instance: string | undefined;
}

/** Whether a pipe that belongs to no process with a sign of life has a writer. */
function isWritten(path: string): boolean {
  if (attempt(() => runtime.identify(path)?.isFifo) !== true) return false;
  for (const end = performance.now() + SHOW_MS; performance.now() < end;) {
    if (attempt(() => hasWriter(path))) return true;
    nap(1);
  }
  return false;
}

/** The name and the sign of life of this process. */
export class Presence implements OwnBase {
  /** The identity of this process. */
  readonly id: string;
  /** The name of the pipe without `.stats`. */
  base: string;
  readonly #dir: string;
  #fd: number | undefined;
  #inode: number | undefined;

  constructor({ dir, id, instance }: PresenceOptions) {
    this.#dir = dir;
    this.id = id;
    this.base = baseOf(runtime.pid, instance);
    // An earlier recorder of this process may have shown it already.
    const signs = this.#signs();
    const own = signs.find((sign) => sign.id === id);
    if (own !== undefined) {
      this.base = own.base;
      this.#open(this.path);
    } else if (this.#isTaken(signs)) this.#stepAside();
  }

  /** The path of the sign of life. */
  get path(): string {
    return alivePath(this.#dir, this.base, this.id);
  }

  /** The path of the pipe. */
  get pipe(): string {
    return pipePath(this.#dir, this.base);
  }

  /** Whether the sign of life stands where readers look for it. */
  get isShown(): boolean {
    if (this.#inode === undefined) return false;
    return attempt(() => runtime.identify(this.path)?.inode) === this.#inode;
  }

  /**
   * Shows that this process lives, unless it does already.
   *
   * @param path A new pipe, which becomes the sign of life.
   */
  show(path: string): void {
    this.release();
    this.#open(path);
    runtime.rename(path, this.path);
    // Of two processes that have shown themselves at the same moment, at least
    // the later one sees the other.
    if (this.#isTaken(this.#signs())) {
      const before = this.path;
      this.#stepAside();
      runtime.rename(before, this.path);
    }
  }

  /** Closes the sign of life, which stays where it is. */
  release(): void {
    if (this.#fd !== undefined) runtime.close(this.#fd);
    this.#fd = this.#inode = undefined;
  }

  #open(path: string): void {
    this.#fd = runtime.openBoth(path);
    this.#inode = runtime.identifyOpen(this.#fd).inode;
  }

  #stepAside(): void {
    this.base = baseOf(runtime.pid, this.id.slice(0, 8));
  }

  /** The signs of life of all processes with this process id. */
  #signs(): OwnBase[] {
    const names = attempt(() => runtime.list(this.#dir)) ?? [];
    return names.map(parseOwnName).filter((own) =>
      own?.pid === runtime.pid && own.rest === "alive"
    ) as OwnBase[];
  }

  /** Whether another process has the base. */
  #isTaken(signs: readonly OwnBase[]): boolean {
    const others = signs.filter(({ base, id }) =>
      base === this.base && id !== this.id
    );
    const lives = ({ base, id }: OwnBase) =>
      isAlive(alivePath(this.#dir, base, id)) === true;
    if (others.length > 0) return others.some(lives);
    return signs.every(({ id }) => id !== this.id) && isWritten(this.pipe);
  }
}
