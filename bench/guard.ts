/**
 * A quick check for ratios that have become much worse.
 *
 * @module
 */

import type { Measured } from "./measured.ts";
import { ratioText } from "./numbers.ts";
import type { Program } from "./questions.ts";
import { ProgramError, type Runtime } from "./runtimes.ts";

/** The most that statvent may take, as a multiple of another's time. */
interface Bound {
  /** The beginning of the measurement's name. */
  readonly what: string;
  /** A peer, or `floor`. */
  readonly against: string;
  readonly atMost: number;
}

/** A program, and the bounds of what it measures. */
interface Check {
  readonly program: Program;
  readonly bounds: readonly Bound[];
}

/**
 * The bounds are about twice the ratios that were measured: they notice a change
 * of the code, not a slow machine.
 */
const CHECKS: readonly Check[] = [
  {
    program: ["write_by_handle.ts", "random"],
    bounds: [
      { what: "handle.incr()", against: "floor", atMost: 4 },
      { what: "handle.incr()", against: "prom-client", atMost: 1 / 3 },
      { what: "handle.set(v)", against: "prom-client", atMost: 1 / 3 },
    ],
  },
  {
    program: ["write_labelled.ts", "random"],
    bounds: [
      { what: "labels in the handle", against: "prom-client", atMost: 1 / 40 },
    ],
  },
  {
    program: ["write_by_name.ts", "random"],
    bounds: [
      { what: "incr(name)", against: "floor", atMost: 1.8 },
      { what: "incr(name)", against: "OpenTelemetry", atMost: 1 / 2 },
    ],
  },
  {
    program: ["write_recorded.ts", "random"],
    bounds: [
      {
        what: "handle.record(v)",
        against: "prom-client histogram",
        atMost: 1 / 3,
      },
      {
        what: "handle.record(v)",
        against: "prom-client summary",
        atMost: 1 / 20,
      },
    ],
  },
  {
    program: ["snapshot.ts"],
    bounds: [
      { what: "the text alone", against: "prom-client", atMost: 1 / 20 },
    ],
  },
  {
    program: ["merging.ts"],
    bounds: [
      {
        what: "parse, merge and write",
        against: "prom-client: JSON.parse, aggregate, metrics",
        atMost: 1 / 8,
      },
    ],
  },
];

/** A sentence for each bound that is exceeded. */
function* warnings(
  bounds: readonly Bound[],
  measured: readonly Measured[],
): Iterable<string> {
  for (const { what, against, atMost } of bounds) {
    const about = measured.filter((each) => each.what.startsWith(what));
    if (about.length === 0) yield `${what}: not measured`;
    for (const { what, floor, peers } of about) {
      const other = against === "floor" ? floor : peers[against];
      if (other === undefined || "skipped" in other) {
        yield `${what}: not compared with ${against}`;
      } else if (!(other.ratio! <= atMost)) {
        yield `${what}: the ratio to ${against} must be at most ${
          ratioText(atMost)
        }, got ${ratioText(other.ratio!)}`;
      }
    }
  }
}

/**
 * Measures for less than a minute and prints a warning for each bound that is
 * exceeded.
 *
 * @returns Whether anything could be measured.
 */
export async function guard(runtime: Runtime): Promise<boolean> {
  let measured = 0, warned = 0;
  for (const { program, bounds } of CHECKS) {
    try {
      const result = await runtime.measure(program, true);
      measured++;
      for (const warning of warnings(bounds, result)) {
        warned++;
        console.log(`warning: ${warning}`);
      }
    } catch (error) {
      if (!(error instanceof ProgramError)) throw error;
      console.log(`warning: ${program.join(" ")}: ${error.message}`);
    }
  }
  console.log(
    `${measured} of ${CHECKS.length} measured, ${warned} beyond their bounds`,
  );
  return measured > 0;
}
