/**
 * Programs that count, and what a host makes of their counts.
 *
 * @module
 */

import { type HostStats, toMap } from "../../collect.ts";
import { countOf } from "../../model/histogram.ts";
import { LIVE, type Program, startProgram } from "./program.ts";

/** The values by name, but for those that show recorded stats. */
export const values = (host: HostStats) =>
  Object.fromEntries(
    [...toMap(host)].map(([name, { value }]) => [name, value])
      .filter(([name]) => !`${name}`.startsWith("r.")),
  );

/** How many values were ever recorded. */
export const recorded = ({ recorded: [stat] }: HostStats) =>
  stat?.histogram === undefined ? 0 : countOf(stat.histogram);

/**
 * Counts `n` when it starts. SIGUSR1 has it count 10 more and print that,
 * SIGUSR2 has it count 100 more and end at once.
 */
export async function startCounting(
  n: number,
  dir: string,
  before = "",
): Promise<Program> {
  const program = await startProgram(
    `${before}
     incr("n", ${n}); set("g", 1); record("r.{0}", ${n});
     await startRecorder();
     Deno.addSignalListener("SIGUSR1", () => { incr("n", 10); console.log("more"); });
     Deno.addSignalListener("SIGUSR2", () => { incr("n", 100); Deno.exit(); });
     ${LIVE}`,
    { dir },
  );
  await program.printed("live");
  return program;
}

/** Ends a program by a signal. */
export async function end(
  program: Program,
  signal: Deno.Signal,
): Promise<void> {
  program.kill(signal);
  await program.ended();
}
