/**
 * Passes of many calls, in the orders in which programs make them.
 *
 * @module
 */

import { argv } from "node:process";
import { randomOrder } from "./inputs.ts";
import type { Pass } from "./versus.ts";

/** The number of calls in a pass: a multiple of every number of call sites. */
const CALLS = 10_000;

/**
 * The number of calls before their order repeats. A processor learns an order of
 * 20 000 calls and then predicts half of the branches in a `Map`, which took 7 ns
 * instead of 16.
 */
const ORDER_LENGTH = 100 * CALLS;

/** The number of stats that are written, and their order. */
export interface Shape {
  readonly label: string;
  readonly count: number;
  /** Whether each stat has a call site of its own. */
  readonly sites: boolean;
}

/** The shapes, by the word on the command line. */
const SHAPES: Readonly<Record<string, Shape>> = {
  one: { label: "1 stat", count: 1, sites: false },
  sites: { label: "100 stats in program order", count: 100, sites: true },
  random: { label: "100 stats at random", count: 100, sites: false },
  many: { label: "10 000 stats at random", count: 10_000, sites: false },
};

/** The words, in the order of the table's rows. */
export const SHAPE_WORDS: readonly string[] = Object.keys(SHAPES);

/** The shape that the command line names. */
export const shape: Shape = SHAPES[argv[2]] ?? SHAPES.random;

let kept: Int32Array | undefined;

/** The order of calls, which all passes share. */
function order(): Int32Array {
  return kept ??= randomOrder(shape.count, ORDER_LENGTH);
}

/** The number of passes made so far. */
let made = 0;

/**
 * Makes a pass of calls in the shape that the command line names.
 *
 * Compiles source text, so that every call site and every contender gets machine
 * code of its own, which is not specialized for the types of another.
 *
 * @param items The receivers of the calls, one per stat. Names become literals
 * in program order.
 * @param call A statement. `@` stands for the item, `#` for a changing value.
 * @param scope Other values that the statement names.
 */
export function calls(
  items: ArrayLike<unknown>,
  call: string,
  scope: Record<string, unknown> = {},
): Pass {
  const { count, sites } = shape;
  const of = (item: string, value: string) =>
    call.replaceAll("@", item).replaceAll("#", value);
  const places = Array.from({ length: count }, (_, i) => i);
  const isLiteral = typeof items[0] !== "object" &&
    typeof items[0] !== "function";
  const text = !sites
    ? `let start = 0;
    return () => {
      if (start === order.length) start = 0;
      const end = start + ${CALLS};
      for (let i = start; i < end; i++) { ${of("items[order[i]]", "i")} }
      start = end;
      return end;
    }`
    : `${
      isLiteral
        ? ""
        : places.map((i) => `const item${i} = items[${i}];`).join("\n")
    }
    return () => {
      for (let i = 0; i < ${CALLS}; i += ${count}) {
        ${
      places.map((i) =>
        of(isLiteral ? JSON.stringify(items[i]) : `item${i}`, `i + ${i}`)
      ).join("\n")
    }
      }
      return ${CALLS};
    }`;
  // V8 shares code and type feedback between functions of equal text: `set` took
  // 6.6 ns after a peer's `set`, 2.3 ns with a text of its own.
  const unique = `// ${made++}\n${text}`;
  const make = new Function("items", "order", ...Object.keys(scope), unique);
  const run = make(items, order(), ...Object.values(scope));
  return { calls: CALLS, run };
}
