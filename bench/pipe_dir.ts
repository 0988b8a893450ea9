/**
 * A directory for the pipes of one program's measurements.
 *
 * @module
 */

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { endChildren } from "./child.ts";

/** Measures with a new directory, and removes it and all programs afterwards. */
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
