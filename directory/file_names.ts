/**
 * Every name that a file in the pipe directory may have, in the order of
 * PIPE_FORMAT.md.
 *
 * | name                                  | file                                                        |
 * | ------------------------------------- | ----------------------------------------------------------- |
 * | `<base>.stats`                        | the pipe that waits for a reader                            |
 * | `<name>.stats`                        | a pipe that is not named after a process                    |
 * | `.<base>.<id>.<digits>.fifo`          | a pipe that has had the public name, or will get it         |
 * | `.<base>.<uuid>.withdrawn`            | a pipe of a dead process that somebody is removing          |
 * | `.<pid>.<uuid>`                       | a file made to see its owner, or about to be removed        |
 * | `.<pid>.starting`                     | the lock of the thread that is starting the recorder        |
 * | `.<base>.<id>.alive`                  | the sign of life of a process                               |
 * | `.<base>.<id>.checkpoint`             | its values for the case that it is killed                   |
 * | `.ended.<id>.<seq>[.<uuid>]`          | the last values of a process that has ended                 |
 * | `.ledger.<user>.<generation>`         | the totals of the processes of a user that have ended       |
 * | `.ended.<id>.<uuid>.new`              | last values that are being written                          |
 * | `.ledger.<user>.<uuid>.new`           | a ledger that is being written                              |
 * | `.ledger.<user>.<generation>.damaged` | a ledger that was damaged, kept for a person                |
 * | `.ledger.<user>.missed`               | one byte for each process whose last values were not kept   |
 *
 * Everything that begins with `.<pid>.` is private to that process, and is
 * removed with its pipe. `<start>` is in milliseconds since 1970. A UUID follows
 * where another user may have taken the plain name.
 *
 * Pure: no clock, no I/O.
 *
 * @module
 */

// A base: a process id, and behind a hyphen what tells its process from others
// that have the same id elsewhere.
const BASE = "([1-9]\\d{0,9})(?:-([A-Za-z0-9_.-]{1,64}))?";

const IS_BASE = new RegExp(`^${BASE}$`);

const PIPE = ".stats";

const INSTANCE = /^[A-Za-z0-9_.-]{1,64}$/;

/** Whether a text can stand behind the process id in the name of a pipe. */
export function isInstance(text: string): boolean {
  return INSTANCE.test(text);
}

/** The name of a process's pipe without `.stats`. */
export function baseOf(
  pid: number | undefined,
  instance: string | undefined,
): string {
  return [pid, instance].filter((part) => part !== undefined).join("-");
}

/** The public path of a process's pipe, by its base. */
export function pipePath(dir: string, base: string | number): string {
  return `${dir}/${base}${PIPE}`;
}

/** What the name of a pipe says of its process. */
export interface PipeName {
  /** The name without `.stats`. */
  readonly base: string;
  /** Its process id; `undefined` if the name is another text, as in `app.stats`. */
  readonly pid: number | undefined;
  /** What stands behind the process id, or the text that stands in its place. */
  readonly instance: string | undefined;
}

/** What the name of a pipe says; `undefined` if it is no pipe's. */
export function parsePipeName(name: string): PipeName | undefined {
  if (!name.endsWith(PIPE) || name.startsWith(".")) return undefined;
  const base = name.slice(0, -PIPE.length);
  const match = IS_BASE.exec(base);
  if (match === null) return { base, pid: undefined, instance: base };
  const [, pid, instance] = match;
  return { base, pid: Number(pid), instance };
}

const PRIVATE = /^\.([1-9]\d{0,9})\./;

function privatePath(dir: string, pid: number, rest: string): string {
  return `${dir}/.${pid}.${rest}`;
}

/** The id of the process to which a name is private; `undefined` if it is private to none. */
export function pidOfPrivate(name: string): number | undefined {
  return pidIn(PRIVATE, name);
}

/** A random path for a file that is about to be removed. */
export function shortLivedPath(dir: string, pid: number): string {
  return privatePath(dir, pid, crypto.randomUUID());
}

/** The path of the lock that a thread holds while it starts the recorder. */
export function startLockPath(dir: string, pid: number): string {
  return privatePath(dir, pid, "starting");
}

const START_LOCK = /^\.[1-9]\d{0,9}\.starting$/;

/** Whether a name is that of the lock of a thread that starts a recorder. */
export function isStartLock(name: string): boolean {
  return START_LOCK.test(name);
}

const WITHDRAWN = new RegExp(`^\\.(${BASE})\\.[0-9a-f-]{36}\\.withdrawn$`);

/** A random path for the pipe of a base, from which its name is taken to remove it. */
export function withdrawnPath(dir: string, base: string): string {
  return `${dir}/.${base}.${crypto.randomUUID()}.withdrawn`;
}

/** The base of a pipe from which its name was taken; `undefined` for another kind of file. */
export function baseOfWithdrawn(name: string): string | undefined {
  return WITHDRAWN.exec(name)?.[1];
}

const OWN = new RegExp(`^\\.(${BASE})\\.([0-9a-f]{32})\\.(.+)$`);

/** What the names that are private to a process begin with. */
export interface OwnBase {
  /** The name of the process's pipe without `.stats`. */
  readonly base: string;
  /** The identity of the process. */
  readonly id: string;
}

/** What a name says that is private to a process with an identity. */
export interface OwnName extends OwnBase {
  readonly pid: number;
  /** What the file is: `alive`, `checkpoint`, or a name that ends with `.fifo` or `.new`. */
  readonly rest: string;
}

/** What a name says that is private to a process with an identity; `undefined` for other names. */
export function parseOwnName(name: string): OwnName | undefined {
  const match = OWN.exec(name);
  if (match === null) return undefined;
  const [, base, pid, , id, rest] = match;
  return { base, pid: Number(pid), id, rest };
}

/**
 * The path of a pipe of a process while it is not public.
 *
 * @param batch Eight hexadecimal digits, drawn at random, so that no other user can have taken the path.
 * @param number A number from 1 on.
 */
export function ownFifoPath(
  dir: string,
  { base, id }: OwnBase,
  batch: string,
  number: number,
): string {
  const rest = number.toString(16).padStart(8, "0");
  return `${dir}/.${base}.${id}.${batch}${rest}.fifo`;
}

/** A random path for a file of a process until it is complete. */
export function ownNewPath(dir: string, { base, id }: OwnBase): string {
  return `${dir}/.${base}.${id}.${crypto.randomUUID()}.new`;
}

/** The path of the sign of life of a process. */
export function alivePath(dir: string, base: string, id: string): string {
  return `${dir}/.${base}.${id}.alive`;
}

/** The path of the checkpoint of a process. */
export function checkpointPath(dir: string, base: string, id: string): string {
  return `${dir}/.${base}.${id}.checkpoint`;
}

const LAST_VALUES = /^\.ended\.([0-9a-f]{32})\.(\d{1,15})(?:\.[0-9a-f-]{36})?$/;

/** What the name of a file with last values says. */
export interface LastValuesName {
  /** The identity of the process. */
  readonly id: string;
  /** The number of the snapshot. */
  readonly seq: number;
}

/** The path of the last values of a process that has ended. */
export function lastValuesPath(dir: string, id: string, seq: number): string {
  return `${dir}/.ended.${id}.${seq}`;
}

/** A random path for last values until they are complete. */
export function newLastValuesPath(dir: string, id: string): string {
  return `${dir}/.ended.${id}.${crypto.randomUUID()}.new`;
}

/** A random path for a ledger until it is complete. */
export function newGenerationPath(dir: string, user: number): string {
  return `${dir}/.ledger.${user}.${crypto.randomUUID()}.new`;
}

const NEW = /^\.(?:ended|ledger)\.[0-9a-f]+\.[0-9a-f-]{36}\.new$/;

/** Whether a file with last values or a ledger of this name is not complete yet. */
export function isIncomplete(name: string): boolean {
  return NEW.test(name);
}

/** The process and the snapshot whose values have this name; `undefined` for another kind of file. */
export function parseLastValuesName(name: string): LastValuesName | undefined {
  const match = LAST_VALUES.exec(name);
  return match === null ? undefined : { id: match[1], seq: Number(match[2]) };
}

const GENERATION = /^\.ledger\.(\d{1,10})\.(\d{1,15})$/;

/** What the name of a ledger says. */
export interface LedgerName {
  /** The id of the user whose processes are in it. */
  readonly user: number;
  /** Its number: of the ledgers of a user, the highest one that is whole counts. */
  readonly generation: number;
}

/** The path of a generation of the ledger of a user. */
export function generationPath(
  dir: string,
  { user, generation }: LedgerName,
): string {
  return `${dir}/.ledger.${user}.${generation}`;
}

/** The user and the generation whose ledger has this name; `undefined` for another kind of file. */
export function parseGenerationName(name: string): LedgerName | undefined {
  const match = GENERATION.exec(name);
  return match === null
    ? undefined
    : { user: Number(match[1]), generation: Number(match[2]) };
}

const DAMAGED = /^\.ledger\.(\d{1,10})\.(\d{1,15})\.damaged$/;

/** The path under which a damaged generation of a ledger is kept for a person. */
export function damagedPath(dir: string, name: LedgerName): string {
  return `${generationPath(dir, name)}.damaged`;
}

/** The user and the generation of a damaged ledger of this name; `undefined` for another kind of file. */
export function parseDamagedName(name: string): LedgerName | undefined {
  const match = DAMAGED.exec(name);
  return match === null
    ? undefined
    : { user: Number(match[1]), generation: Number(match[2]) };
}

const MISSED = /^\.ledger\.(\d{1,10})\.missed$/;

/** The path of the file whose size is the number of processes of a user whose last values were not kept. */
export function missedPath(dir: string, user: number): string {
  return `${dir}/.ledger.${user}.missed`;
}

/** The user whose missed processes have this name; `undefined` for another kind of file. */
export function userOfMissed(name: string): number | undefined {
  return pidIn(MISSED, name);
}

/** The path to use for last values where another user may have taken the plain one. */
export function untakenPath(path: string): string {
  return `${path}.${crypto.randomUUID()}`;
}

function pidIn(pattern: RegExp, name: string): number | undefined {
  const match = pattern.exec(name);
  return match === null ? undefined : Number(match[1]);
}
