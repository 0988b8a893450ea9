/**
 * Takes the last values of ended processes into the ledger of their user.
 *
 * A ledger is a chain of generations. Whoever takes in reads the highest
 * generation that is whole, adds files to it, and links the sum to the next
 * number, which fails if somebody else was quicker. The files are removed by a
 * later step, which finds their processes in that generation and in its
 * predecessor: so nothing is lost if a step is delayed for however long, or is
 * never finished, or if one generation is damaged later. Names that a person
 * wants gone are taken out in the same way.
 *
 * Touches the pipe directory.
 *
 * @module
 */

import { setAsideLost } from "./damaged_ledger.ts";
import {
  type Generation,
  generationsOf,
  identifyGeneration,
  readGeneration,
  withInfo,
} from "./generations.ts";
import type { Ledger } from "./ledger_reader.ts";
import {
  byProcess,
  type EndedFile,
  endedFiles,
  GoneError,
  noteMissed,
  type Parsed,
  parseLastValues,
} from "./last_values.ts";
import type { ReadFile } from "./last_values_reader.ts";
import { hasSameSum } from "./seal.ts";
import { bestOf, lostOf, readyOf } from "./settling.ts";
import { type Matches, Totals } from "./totals.ts";
import {
  generationPath,
  isIncomplete,
  newGenerationPath,
  parseOwnName,
} from "../directory/file_names.ts";
import { isAlive } from "../directory/sign_of_life.ts";
import { userOf } from "../directory/trust.ts";
import {
  hasTotals,
  NameTable,
  type Snapshot,
  startOf,
} from "../format/snapshot.ts";
import { SnapshotParser } from "../format/snapshot_parser.ts";
import { SnapshotWriter } from "../format/snapshot_writer.ts";
import { type LedgerInfo, MAX_LISTED } from "../model/identity.ts";
import { attempt, isSystemError, succeeds } from "../runtime/attempt.ts";
import { crc32 } from "../runtime/crc32.ts";
import { runtime } from "../runtime/runtime.ts";

/**
 * How many processes one generation takes in. All must be listed as long as
 * their files are there, so this is less than `MAX_LISTED`.
 */
const BATCH = 1_024;

/** How often in a row others may be quicker before they are left to it. */
const MAX_LOST = 8;

/** How old an incomplete file is, in milliseconds, when its writer must have died. */
const STALE_MS = 60_000;

/**
 * Up to how many files may wait, and how many times their bytes the ledger then
 * has at least: adding one process to 70,000 names takes a third of a second, so
 * programs that start share that.
 */
const WAITING_FILES = 64;
const WAITING_FACTOR = 16;

/** Below how many bytes of a ledger nothing waits. */
const SMALL_BYTES = 2 ** 18;

/** How to take in. */
export interface TakeInOptions {
  /** Whether a few small files may wait for more if the ledger is large. By default `false`. */
  readonly mayWait?: boolean;
  /** Whether to wait until the disk has the ledger. By default `true`. */
  readonly sync?: boolean;
  /** Whether to stop after the current step. By default `false`. */
  readonly isOver?: () => boolean;
  /** The files that the caller has read already. */
  readonly known?: (file: EndedFile) => ReadFile | undefined;
  /** The ledger of the user as the caller has read it. */
  readonly ledger?: Ledger;
  /**
   * Whether a killed process is taken in at once, by its last values: what
   * anybody else knows of it does not count any more.
   */
  readonly isWanted?: (snapshot: Snapshot) => boolean;
}

/** How many digits an identity has. */
const ID_LENGTH = 32;

/** How a step has ended. */
type Outcome = "again" | "done" | "lost" | "foreign";

/**
 * Takes the files of ended processes of one user into the ledger of that user,
 * which may be done by any number of processes at the same time.
 *
 * @param user The id of the user.
 * @param until When to stop, by `performance.now()`. The next call continues.
 * @returns `false` if this process runs as another user, and not as root.
 */
export function takeIn(
  dir: string,
  user: number,
  until = Infinity,
  options: TakeInOptions = {},
): boolean {
  const { isOver = () => false } = options;
  const taker = new Taker(dir, user, until, options);
  let lost = 0;
  try {
    do {
      const outcome = taker.step();
      if (outcome === "foreign") return false;
      if (outcome === "done") return true;
      lost = outcome === "lost" ? lost + 1 : 0;
    } while (lost < MAX_LOST && performance.now() <= until && !isOver());
  } catch (error) {
    // There is no space, or no permission. The files stay, and are read.
    if (!isSystemError(error)) throw error;
  }
  return true;
}

/**
 * Takes names out of the ledger of a user, and out of the generation that stands
 * in for it if it is damaged. What others take in meanwhile is not lost.
 *
 * @param user The user of this process, or any user if this is root.
 * @throws If there is no space, or no permission.
 */
export function forgetIn(dir: string, user: number, matches: Matches): void {
  const taker = new Taker(dir, user, Infinity, {});
  for (let lost = 0; lost < MAX_LOST;) {
    const outcome = taker.forget(matches);
    if (outcome === "done") return;
    lost = outcome === "lost" ? lost + 1 : 0;
  }
}

/** The two highest generations that are whole. */
interface Chain {
  readonly head: Generation | undefined;
  readonly predecessor: Generation | undefined;
  /** The number of the highest generation, which may be damaged, but is not planted; 0 if there is none. */
  readonly highest: number;
}

/** A ledger that is being added to. */
interface OpenLedger {
  readonly info: LedgerInfo;
  readonly totals: Totals;
  readonly mode: number;
}

/** Takes files in, step by step. */
class Taker {
  readonly #dir: string;
  readonly #user: number;
  readonly #until: number;
  readonly #sync: boolean;
  readonly #mayWait: boolean;
  readonly #known: (file: EndedFile) => ReadFile | undefined;
  readonly #ledger: Ledger | undefined;
  readonly #isWanted: ((snapshot: Snapshot) => boolean) | undefined;
  readonly #table: NameTable = new NameTable();
  readonly #parsed: Map<string, ReadFile> = new Map();
  // When the current step has begun.
  #began = performance.now();
  // The user of this process.
  #self: number | undefined;
  // The ledger that this object has linked last, as long as nobody has linked another one.
  #open: OpenLedger | undefined;

  constructor(
    dir: string,
    user: number,
    until: number,
    {
      sync = true,
      mayWait = false,
      known = () => undefined,
      ledger,
      isWanted,
    }: TakeInOptions,
  ) {
    this.#dir = dir;
    this.#user = user;
    this.#until = until;
    this.#sync = sync;
    this.#mayWait = mayWait;
    this.#known = known;
    this.#ledger = ledger;
    this.#isWanted = isWanted;
  }

  /** Links the head without some names, until neither it nor its predecessor has them. */
  forget(matches: Matches): Outcome {
    try {
      this.#self ??= userOf(newGenerationPath(this.#dir, this.#user));
      const names = runtime.list(this.#dir);
      const chain = this.#readChain(names);
      if (chain.head === undefined) return "done";
      const open = this.#openHead(chain.head);
      const isInHead = open.totals.forget(matches).length > 0;
      if (isInHead || this.#has(chain.predecessor, matches)) {
        this.#open = open;
        return this.#append(chain, []);
      }
      this.#removeOld(names, chain);
      return "done";
    } catch (error) {
      if (error instanceof GoneError) return "lost";
      throw error;
    }
  }

  /** Whether a generation has any of the names. */
  #has(generation: Generation | undefined, matches: Matches): boolean {
    if (generation === undefined) return false;
    const totals = new Totals();
    totals.add(new SnapshotParser(this.#table).parse(generation.bytes));
    return totals.forget(matches).length > 0;
  }

  /** Removes what is safe in the ledger, then adds to it once. */
  step(): Outcome {
    try {
      return this.#step();
    } catch (error) {
      if (error instanceof GoneError) return "lost";
      throw error;
    }
  }

  #step(): Outcome {
    this.#began = performance.now();
    const names = runtime.list(this.#dir);
    const files = [...endedFiles(this.#dir, names)]
      .filter(({ owner }) => owner === this.#user);
    if (files.length === 0 || this.#canWait(names, files)) return "done";
    this.#self ??= userOf(newGenerationPath(this.#dir, this.#user));
    if (this.#self !== this.#user && this.#self !== 0) return "foreign";
    this.#removeIncomplete(names);
    const chain = this.#readChain(names);
    if (chain.head === undefined && chain.highest > 0) {
      // A new ledger begins the next time: until then a service that has read
      // this one may put it back.
      setAsideLost(this.#dir, this.#user, generationsOf(names, this.#user));
      return "done";
    }
    this.#removeOld(names, chain);
    const taken = listedIn(chain.head);
    const safe = listedIn(chain.predecessor);
    const left: EndedFile[][] = [];
    let isUnsafe = false;
    for (const process of byProcess(files).values()) {
      if (!taken.has(process[0].id)) left.push(process);
      else if (!safe.has(process[0].id)) isUnsafe = true;
      // A file that stays would count again once its process is not listed any
      // more, so nothing is added where it cannot be removed.
      else for (const { path } of process) runtime.remove(path);
    }
    const ready = this.#select(left, names);
    if (ready.length > 0) return this.#append(chain, ready);
    return isUnsafe ? this.#repeat(chain) : "done";
  }

  /** Whether there is little to add to a large ledger. */
  #canWait(names: readonly string[], files: readonly EndedFile[]): boolean {
    if (!this.#mayWait || files.length > WAITING_FILES) return false;
    const [generation] = generationsOf(names, this.#user);
    if (generation === undefined) return false;
    const { file } = identifyGeneration(this.#dir, this.#user, generation) ??
      {};
    const bytes = files.reduce((sum, { size }) => sum + size, 0);
    return file !== undefined && file.size > SMALL_BYTES &&
      file.size > WAITING_FACTOR * bytes;
  }

  /** @throws {GoneError} If newer generations have replaced those in `names`. */
  #readChain(names: readonly string[]): Chain {
    const whole: Generation[] = [];
    let highest = 0;
    for (const generation of generationsOf(names, this.#user)) {
      const file = identifyGeneration(this.#dir, this.#user, generation);
      if (file !== undefined) highest = Math.max(highest, generation);
      const read = file && readGeneration(file);
      if (read !== undefined) whole.push(read);
      if (whole.length === 2) break;
    }
    const [head, predecessor] = whole;
    return { head, predecessor, highest };
  }

  /** Removes the generations before the predecessor of the head. */
  #removeOld(names: readonly string[], { predecessor }: Chain): void {
    const last = predecessor?.generation ?? 0;
    for (const generation of generationsOf(names, this.#user)) {
      if (generation >= last) continue;
      const said = { user: this.#user, generation };
      attempt(() => runtime.remove(generationPath(this.#dir, said)));
    }
  }

  /** Removes what writers have left that were killed. */
  #removeIncomplete(names: readonly string[]): void {
    for (const name of names.filter(isIncomplete)) {
      const path = `${this.#dir}/${name}`;
      attempt(() => {
        const file = runtime.identify(path);
        const isStale = file?.owner === this.#user &&
          Math.abs(Date.now() - file.modified) > STALE_MS;
        if (isStale) runtime.remove(path);
      });
    }
  }

  /** The processes that are ready, with what counts of each. */
  #select(
    processes: readonly EndedFile[][],
    names: readonly string[],
  ): [ReadFile, Parsed][] {
    const read: ReadFile[][] = [];
    for (const files of processes) {
      // What was read is added, or a backlog that takes long to read would never
      // shrink.
      if (read.length > 0 && performance.now() > this.#until) break;
      const some = files.flatMap((file) => this.#read(file) ?? []);
      if (some.length > 0) read.push(some);
    }
    const now = Date.now();
    for (const files of lostOf(read, now)) {
      if (!succeeds(() => noteMissed(this.#dir, this.#user))) continue;
      for (const { path } of files) runtime.remove(path);
    }
    return readyOf(read, now, this.#isWanted).slice(0, BATCH).flatMap(
      (files) => {
        const best = bestOf(files)!;
        const { id, parsed } = best;
        // Whoever finds a process dead books its checkpoint, which may be newer
        // than what it left before it lived on, and then removes its sign.
        const isOver = parsed!.final ||
          !(parsed!.last ? isShown(id, names) : lives(this.#dir, id, names));
        return isOver ? [[best, parsed!]] : [];
      },
    );
  }

  /** Reads a file once; `undefined` if it cannot be read now. */
  #read(file: EndedFile): ReadFile | undefined {
    const { path, version } = file;
    const seen = this.#parsed.get(path) ?? this.#known(file);
    if (seen?.version === version) return seen;
    return attempt(() => {
      const read = { ...file, parsed: parseLastValues(file, this.#table) };
      this.#parsed.set(path, read);
      return read;
    });
  }

  /** Links the head once more, so that two generations list its processes. */
  #repeat({ head, highest }: Chain): Outcome {
    const info = { ...head!.info, generation: highest + 1 };
    const bytes = withInfo(head!, info);
    const isOpen = this.#isOpen(head);
    const outcome = this.#link(bytes, info.generation, head!.file.mode | 0o600);
    this.#open = outcome === "again" && isOpen
      ? { ...this.#open!, info }
      : undefined;
    return outcome;
  }

  /** Links the next generation: the head with these processes. */
  #append(
    { head, highest }: Chain,
    ready: readonly [ReadFile, Parsed][],
  ): Outcome {
    const { totals, mode, info } = this.#openHead(head);
    this.#open = undefined;
    const ended = [...info.ended];
    let { count, killed, start: first } = info;
    if (totals.isEmpty) first = Infinity;
    let newMode = mode;
    let added = 0;
    // Adding may take as long as reading did.
    const start = performance.now();
    const until = Math.max(this.#until, 2 * start - this.#began);
    for (const [file, { snapshot, final, last }] of ready) {
      if (added > 0 && performance.now() > until) break;
      totals.addProcess(snapshot);
      if (hasTotals(snapshot)) first = earlier(first, startOf(snapshot));
      // No user may read more in the ledger than in the files that it is made of.
      newMode &= file.mode;
      const isKilled = !final && !last;
      ended.push(isKilled ? `${file.id}@${file.seq}` : file.id);
      count++;
      if (isKilled) killed++;
      added++;
    }
    const next = {
      id: info.id,
      generation: highest + 1,
      count,
      killed,
      ...(first !== undefined && first < Infinity && { start: first }),
      ended: ended.slice(-MAX_LISTED),
    };
    const source = totals.source(next);
    const bytes = new SnapshotWriter().write(source, true, { crc32 });
    const outcome = this.#link(bytes, next.generation, newMode | 0o600);
    if (outcome === "again") {
      this.#open = { totals, mode: newMode, info: next };
    }
    return outcome;
  }

  /** Whether the totals of the head are known already. */
  #isOpen(head: Generation | undefined): boolean {
    const info = this.#open?.info;
    return info !== undefined && info.id === head?.info.id &&
      info.generation === head.generation;
  }

  #openHead(head: Generation | undefined): OpenLedger {
    if (this.#isOpen(head)) return this.#open!;
    const totals = new Totals();
    if (head === undefined) {
      const id = crypto.randomUUID();
      const info = { id, generation: 0, count: 0, killed: 0, ended: [] };
      return { totals, mode: 0o777, info };
    }
    const known = this.#ledger;
    const isKnown = known?.info.id === head.info.id &&
      hasSameSum(known.bytes, head.bytes);
    totals.add(
      isKnown
        ? known.snapshot
        : new SnapshotParser(this.#table).parse(head.bytes),
    );
    return { totals, mode: head.file.mode, info: head.info };
  }

  /** Gives a ledger its name, unless somebody else was quicker. */
  #link(bytes: Uint8Array, generation: number, mode: number): Outcome {
    const user = this.#user;
    const path = generationPath(this.#dir, { user, generation });
    const temporary = newGenerationPath(this.#dir, user);
    try {
      runtime.writeNew(temporary, bytes, mode & 0o666, this.#sync);
      if (this.#self !== user) runtime.chown(temporary, user);
      runtime.link(temporary, path);
      return "again";
    } catch (error) {
      const { code } = error as { code?: string };
      if (code !== "EEXIST" && code !== "ENOENT") throw error;
      // Another user who has planted the number is reported by readers.
      const file = runtime.identify(path);
      return file === undefined || file.owner === user ? "lost" : "done";
    } finally {
      attempt(() => runtime.remove(temporary));
    }
  }
}

/** The earlier one of two times; `undefined` if one of them is not known. */
function earlier(
  a: number | undefined,
  b: number | undefined,
): number | undefined {
  return a === undefined || b === undefined ? undefined : Math.min(a, b);
}

/** Whether a process has a sign of life, whatever that says. */
function isShown(id: string, names: readonly string[]): boolean {
  return names.map(parseOwnName)
    .some((own) => own?.id === id && own.rest === "alive");
}

/** Whether a process has survived that at which it left its values. */
export function lives(
  dir: string,
  id: string,
  names: readonly string[],
): boolean {
  return names.some((name) => {
    const own = parseOwnName(name);
    return own?.id === id && own.rest === "alive" &&
      isAlive(`${dir}/${name}`) === true;
  });
}

/** The identities of the processes that a ledger lists. */
export function listedIn(
  ledger: { readonly info: LedgerInfo } | undefined,
): Set<string> {
  return new Set(ledger?.info.ended.map(idOfListed));
}

/** The identity of a process in the list of a ledger, where a number may stand behind it. */
export function idOfListed(listed: string): string {
  return listed[ID_LENGTH] === "@" ? listed.slice(0, ID_LENGTH) : listed;
}
