/**
 * Reads what a service or a pipe says, with nothing of statvent, and refuses
 * what nobody can have said.
 *
 * Pure.
 *
 * @module
 */

/** Thrown where something must not be. */
export class Violation extends Error {
  override name = "Violation";
}

/** The values that are recorded: powers of two, each alone in its bucket. */
export const VALUES = Array.from({ length: 10 }, (_, k) => 2 ** k);

/** What is added up of a process: the counter, the sum of recorded values, and how often each was recorded. */
export type Amounts = number[];

/** The place of the counter in {@linkcode Amounts}. */
export const COUNTED = 0;
/** The place of the sum. */
export const SUM = 1;
/** The place of the count of the first value. */
export const FIRST = 2;

/** What the places are, for people. */
export const PLACES = [
  "counter",
  "sum of recorded values",
  ...VALUES.map((value) => `count of recorded ${value}s`),
];

export function nothing(): Amounts {
  return PLACES.map(() => 0);
}

/** What is said of the host or of a process. */
export interface Said {
  readonly all: Amounts;
  /** By the number of the slot. */
  readonly own: Map<number, Amounts>;
  readonly gauges: Map<number, number>;
  readonly shell: Map<number, number>;
  /** Whether it tells of histograms; JSON does not. */
  readonly complete: boolean;
}

const NAME =
  /^chaos\.(?:(all)|own\.(\d+)|gauge\.(\d+)|shell\.(\d+)|took(?:\.\d+)?\.(median|95th|99th|100th|mean|count|sum))$/;
const NOTES = [
  ...["process", "gauge", "unknown", "window", "histogram"],
  // Of a pipe only.
  ...["seq", "EOF"],
];

function ownOf(said: Said, slot: number): Amounts {
  let amounts = said.own.get(slot);
  if (amounts === undefined) said.own.set(slot, amounts = nothing());
  return amounts;
}

function take(said: Said, name: string, value: number): void {
  const match = NAME.exec(name);
  if (match === null) {
    throw new Violation(`there is a stat ${name}: ${value} that nobody has`);
  }
  const [, all, own, gauge, shell, label] = match;
  const isTotal = label === "count" || label === "sum";
  if (label !== undefined && !isTotal) {
    if (label === "mean" ? value < 1 || value > 512 : !VALUES.includes(value)) {
      throw new Violation(`${name} is ${value}, which nobody has recorded`);
    }
    return;
  }
  if (!Number.isSafeInteger(value) || value < 0) {
    throw new Violation(`${name} is ${value}, and must be a whole number`);
  }
  // How much was recorded is compared by histograms.
  if (isTotal) return;
  if (all !== undefined) said.all[COUNTED] = value;
  else if (own !== undefined) ownOf(said, Number(own))[COUNTED] = value;
  else if (gauge !== undefined) said.gauges.set(Number(gauge), value);
  else said.shell.set(Number(shell), value);
}

function empty(complete: boolean): Said {
  return {
    all: nothing(),
    own: new Map(),
    gauges: new Map(),
    shell: new Map(),
    complete,
  };
}

/** Reads the `stats` of a JSON answer. */
export function fromJson(stats: Record<string, number>): Said {
  const said = empty(false);
  for (const [name, value] of Object.entries(stats)) take(said, name, value);
  return said;
}

/** Whether a text is one whole snapshot that ends with `# EOF`. */
export function isWhole(text: string): boolean {
  const end = /(?:^|\n)# EOF: (\d+)\n$/.exec(text);
  return end !== null && text.lastIndexOf("# EOF") === Number(end[1]);
}

/** Reads a snapshot. */
export function fromText(text: string): Said {
  if (!isWhole(text)) throw new Violation(`a text is torn: ${shorten(text)}`);
  const said = empty(true);
  const seen = new Set<string>();
  for (const line of text.split("\n").slice(0, -1)) {
    const colon = line.lastIndexOf(": ");
    const name = line.slice(0, colon);
    const value = Number(line.slice(colon + 2));
    if (seen.has(name)) throw new Violation(`${name} is said twice`);
    seen.add(name);
    if (!name.startsWith("# ")) {
      take(said, name, value);
      continue;
    }
    const kind = /^# (\S+)/.exec(name)![1];
    if (!NOTES.includes(kind)) throw new Violation(`there is a line ${line}`);
    if (kind === "histogram") takeHistogram(said, name.slice(12), value);
  }
  return said;
}

function takeHistogram(said: Said, json: string, count: number): void {
  const { name, scale, sum, positive, zeros, negative } = JSON.parse(json);
  const slot = /^chaos\.took(?:\.(\d+))?\.\{0\}$/.exec(name);
  if (slot === null || scale !== 4 || zeros !== 0 || negative.length > 0) {
    throw new Violation(`there is a histogram ${json} that nobody has`);
  }
  const into = slot[1] === undefined ? said.all : ownOf(said, Number(slot[1]));
  into[SUM] = sum;
  let total = 0;
  for (const [first, ...counts] of positive) {
    for (const [i, n] of counts.entries()) {
      if (n === 0) continue;
      const k = (first + i + 1) / 16;
      if (!Number.isInteger(k) || k < 0 || k >= VALUES.length) {
        throw new Violation(`${name} has a value that nobody has recorded`);
      }
      into[FIRST + k] = n;
      total += n;
    }
  }
  if (total !== count) {
    throw new Violation(`${name} says ${count} values and has ${total}`);
  }
}

export function shorten(text: string): string {
  const all = JSON.stringify(text);
  return all.length > 300 ? `${all.slice(0, 150)} … ${all.slice(-150)}` : all;
}
