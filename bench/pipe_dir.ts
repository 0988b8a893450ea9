/**
 * A pipe directory for the measurements of one program.
 *
 * @module
 */

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { endChildren } from "./child.ts";

/** Measures with a new directory, then ends all children and removes it. */
export async function withPipeDir<T>(
  measure: (pipeDir: string) => Promise<T>,
): Promise<T> {
  const pipeDir = await mkdtemp(`${tmpdir()}/statvent-bench-`);
  try {
    return await measure(pipeDir);
  } finally {
    await endChildren();
    await rm(pipeDir, { recursive: true, force: true });
  }
}
