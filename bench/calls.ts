/**
 * Calls, many times over, in the orders that a program may have them in.
 *
 * @module
 */

import { argv } from "node:process";
import { randomOrder } from "./inputs.ts";
import type { Pass } from "./versus.ts";

/** How many calls a pass has: a multiple of every number of call sites. */
const CALLS = 10_000;

/**
 * How many calls there are until the same order comes again. A processor learns
 * 20 000, and then predicts half of the branches in a `Map`: 7 ns, and not 16.
 */
const ORDER_LENGTH = 100 * CALLS;

/** How many stats are written, and in which order. */
export interface Shape {
  readonly label: string;
  readonly count: number;
  /** Whether each stat has a place of its own in the program's text. */
  readonly sites: boolean;
}

/** By the word that asks for it. */
const SHAPES: Readonly<Record<string, Shape>> = {
  one: { label: "1 stat", count: 1, sites: false },
  sites: { label: "100 stats in program order", count: 100, sites: true },
  random: { label: "100 stats at random", count: 100, sites: false },
  many: { label: "10 000 stats at random", count: 10_000, sites: false },
};

/** The words, in the order of the table. */
export const SHAPE_WORDS: readonly string[] = Object.keys(SHAPES);

/** The shape that this program was asked for. */
export const shape: Shape = SHAPES[argv[2]] ?? SHAPES.random;

let kept: Int32Array | undefined;

/** The order that all passes have in common. */
function order(): Int32Array {
  return kept ??= randomOrder(shape.count, ORDER_LENGTH);
}

/** How many passes have been made. */
let made = 0;

/**
 * Makes a pass of calls in the shape that was asked for.
 *
 * Makes the text of a program, since every call site, and every contender, is
 * to have code of its own, that learns nothing from what others do.
 *
 * @param items What is called on, one for each stat; names are literals in
 * program order.
 * @param call A statement, with `@` in the place of the item and `#` in the
 * place of a value that changes.
 * @param scope What else the statement needs.
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
  // V8 gives the same code, and what it has learned, to the same text: so `set`
  // took 6.6 ns after a peer's `set`, and takes 2.3.
  const unique = `// ${made++}\n${text}`;
  const make = new Function("items", "order", ...Object.keys(scope), unique);
  const run = make(items, order(), ...Object.values(scope));
  return { calls: CALLS, run };
}
