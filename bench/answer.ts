/**
 * The answer to a question: medians over the runs of its programs, against their
 * targets.
 *
 * @module
 */

import {
  type Against,
  against,
  type Measured,
  type Skipped,
  type Unit,
} from "./measured.ts";
import { QUESTIONS } from "./questions.ts";
import { median } from "./race.ts";
import { ProgramError, type Runtime } from "./runtimes.ts";

/** One comparison. */
export interface Row {
  readonly what: string;
  readonly against: string;
  readonly unit: Unit;
  readonly statvent: number;
  /** The value of the other side; absent if that was skipped. */
  readonly peer?: number;
  /** How many times as much statvent takes. */
  readonly ratio?: number;
  readonly floor?: number;
  /** How many times as much statvent takes as the floor. */
  readonly toFloor?: number;
  /** The target, and whether it was met. */
  readonly target?: { readonly text: string; readonly met: boolean };
  /** Why the other side is missing. */
  readonly skipped?: string;
}

/** The answer to a question. */
export interface Answer {
  readonly number: number;
  readonly title: string;
  readonly notes: readonly string[];
  readonly rows: readonly Row[];
  /** The programs that failed, and why. */
  readonly skipped: Readonly<Record<string, string>>;
}

function middle(
  all: readonly (Against | Skipped | undefined)[],
): Against | Skipped | undefined {
  const [first] = all;
  if (first === undefined || "skipped" in first) return first;
  const of = (key: keyof Against) =>
    median(all.map((each) => (each as Against)[key] ?? NaN));
  return against(of("value"), of("ratio"));
}

/** Merges what several processes measured of one subject. */
function overProcesses(runs: readonly Measured[]): Measured {
  const [first] = runs;
  return {
    what: first.what,
    unit: first.unit,
    statvent: median(runs.map(({ statvent }) => statvent)),
    floor: middle(runs.map(({ floor }) => floor)) as Against | undefined,
    spread: median(runs.map(({ spread = 0 }) => spread)),
    peers: Object.fromEntries(
      Object.keys(first.peers).map((
        peer,
      ) => [peer, middle(runs.map(({ peers }) => peers[peer]))!]),
    ),
  };
}

/** All comparisons that a measurement allows. */
function rowsOf(
  measured: Measured,
  targets: typeof QUESTIONS[number]["targets"],
): Row[] {
  const { what, unit, statvent, floor, peers } = measured;
  const common = {
    what,
    unit,
    statvent,
    floor: floor?.value,
    toFloor: floor?.ratio,
  };
  const mine = targets.filter((target) => what.startsWith(target.what ?? ""));
  const all = Object.entries(peers);
  const isAsked = mine.some(({ against }) => against === "floor");
  if (floor !== undefined && (isAsked || all.length === 0)) {
    all.push(["floor", floor]);
  }
  return all.map(([name, peer]): Row => {
    if ("skipped" in peer) return { ...common, against: name, ...peer };
    const limit = mine.find((target) => name.startsWith(target.against))
      ?.limit;
    return {
      ...common,
      against: name,
      peer: peer.value,
      ratio: peer.ratio,
      target: limit &&
        { text: limit.text, met: limit.isMet(measured, peer) },
    };
  });
}

/**
 * Answers a question.
 *
 * @param number The number of the question, from 1 on.
 */
export async function answer(
  number: number,
  runtime: Runtime,
  quick: boolean,
): Promise<Answer> {
  const { title, notes, programs, processes = 1, targets } =
    QUESTIONS[number - 1];
  const runs = new Map<string, Measured[]>();
  const skipped: Record<string, string> = {};
  for (let i = quick ? 1 : processes; i > 0; i--) {
    for (const program of programs) {
      try {
        for (const each of await runtime.measure(program, quick)) {
          const same = runs.get(each.what) ?? [];
          runs.set(each.what, [...same, each]);
        }
      } catch (error) {
        if (!(error instanceof ProgramError)) throw error;
        skipped[program.join(" ")] = error.message;
      }
    }
  }
  const rows = [...runs.values()].flatMap((runs) =>
    rowsOf(overProcesses(runs), targets)
  );
  return { number, title, notes, rows, skipped };
}
