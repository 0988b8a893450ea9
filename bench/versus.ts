/**
 * Comparisons of statvent with a floor and with peers.
 *
 * @module
 */

import { rounds } from "./effort.ts";
import { against, type Measured, type Skipped } from "./measured.ts";
import { race, type Result } from "./race.ts";

/** Work that consists of a number of calls. */
export interface Pass {
  readonly calls: number;
  run(): number | Promise<number>;
}

/** Makes the work of a peer. Throws if the peer is missing. */
export type Peer = () => Pass | Promise<Pass>;

/** Work that is one call. */
export function once(run: Pass["run"]): Pass {
  return { calls: 1, run };
}

/** The contenders that take turns. */
export interface Versus {
  readonly statvent: Pass;
  readonly floor: Pass;
  readonly peers: Readonly<Record<string, Peer>>;
}

/** Makes the work of all peers, and tells why some are missing. */
export async function assemble<T>(
  peers: Readonly<Record<string, () => T | Promise<T>>>,
): Promise<{ there: Record<string, T>; missing: Record<string, Skipped> }> {
  const there: Record<string, T> = {};
  const missing: Record<string, Skipped> = {};
  for (const [name, make] of Object.entries(peers)) {
    try {
      there[name] = await make();
    } catch (error) {
      const [skipped] = String((error as Error).message ?? error).split("\n");
      missing[name] = { skipped };
    }
  }
  return { there, missing };
}

/** Turns a result into a measurement of statvent against all others. */
export function summary(
  what: string,
  unit: Measured["unit"],
  result: Result<string>,
  missing: Record<string, Skipped>,
): Measured {
  const compare = (name: string) =>
    against(result.value(name), result.ratio("statvent", name));
  const names = Object.keys(result.rounds);
  const peers = names.filter((name) => name !== "statvent" && name !== "floor");
  return {
    what,
    unit,
    statvent: result.value("statvent"),
    floor: names.includes("floor") ? compare("floor") : undefined,
    spread: names.includes("floor") ? result.spread("floor") : undefined,
    peers: {
      ...Object.fromEntries(peers.map((name) => [name, compare(name)])),
      ...missing,
    },
  };
}

/** Times a call of statvent, of each peer and of the floor in turn. */
export async function versus(
  what: string,
  { statvent, floor, peers }: Versus,
  effort = { rounds: 11, warmUp: 6 },
): Promise<Measured> {
  const { there, missing } = await assemble(peers);
  const passes: Record<string, Pass> = { statvent, floor, ...there };
  const names = Object.keys(passes);
  const timed = await race(
    Object.fromEntries(names.map((name) => [name, () => passes[name].run()])),
    { ...effort, rounds: rounds(effort.rounds) },
  );
  const perCall = timed.map((ms, name) => ms / passes[name].calls);
  return summary(what, "ms", perCall, missing);
}
