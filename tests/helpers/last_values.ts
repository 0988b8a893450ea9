/**
 * Last values of processes, as they leave them.
 *
 * Pure: no clock, no I/O.
 *
 * @module
 */

import { seal } from "../../ended/seal.ts";
import { whole } from "./text.ts";

/** The identity of the n-th process. */
export function idOf(n: number): string {
  return n.toString(16).padStart(32, "0");
}

/** A snapshot of the n-th process with these lines, as it stands in a file. */
export function lastValues(
  n: number,
  lines: string,
  seq: number,
  final: boolean | "last",
): Uint8Array {
  const mark = final === "last" ? `,"last":true` : `,"final":true`;
  const process = `# process {"id":"${idOf(n)}","start":1.5${
    final ? mark : ""
  }}: 0.0\n`;
  return seal(whole(`${lines}${process}# seq: ${seq}\n`));
}
