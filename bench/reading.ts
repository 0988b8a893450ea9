/**
 * Measures the processor time that a read costs the process that is read.
 *
 * @module
 */

import { readFileSync } from "node:fs";
import { Child } from "./child.ts";
import { rounds } from "./effort.ts";
import { type Measured, say } from "./measured.ts";
import { withPipeDir } from "./pipe_dir.ts";
import { inTurn, Result } from "./race.ts";
import { type ProcessorUse, processorUse } from "./usage.ts";
import { assemble, summary } from "./versus.ts";

const PEERS = ["prom-client", "@prometheus-io/client", "OpenTelemetry"];
const ROUNDS = 5;
const WARM_UP = 2;

/** The number of reads in one measurement. */
const READS = 20;

/** The time from one read to the next, in milliseconds. */
const PERIOD_MS = 10;

/** The wait for the work after the last read, in milliseconds. */
const SETTLE_MS = 300;

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** Starts a program and makes a function that reads it and returns the cost per read. */
async function start(
  pipeDir: string,
  stats: number,
  kind: string,
  isRead = true,
): Promise<() => Promise<ProcessorUse>> {
  const child = new Child("subject.ts", [kind, pipeDir, `${stats}`]);
  const path = await child.receive();
  const read = async () => {
    if (!isRead) return;
    if (path === "") await child.ask("read 1");
    else readFileSync(path);
  };
  return async () => {
    const before = processorUse(child.pid);
    for (let i = 0; i < READS; i++) {
      await read();
      await sleep(PERIOD_MS);
    }
    await sleep(SETTLE_MS);
    const after = processorUse(child.pid);
    return {
      ms: (after.ms - before.ms) / READS,
      mainMs: (after.mainMs - before.mainMs) / READS,
      runs: (after.runs - before.runs) / READS,
    };
  };
}

async function measure(stats: number): Promise<Measured[]> {
  return await withPipeDir(async (pipeDir) => {
    const { there, missing } = await assemble(
      Object.fromEntries(
        PEERS.map((peer) => [peer, () => start(pipeDir, stats, peer)]),
      ),
    );
    const uses = await inTurn({
      statvent: await start(pipeDir, stats, "recording"),
      bare: await start(pipeDir, stats, "bare"),
      unread: await start(pipeDir, stats, "recording", false),
      ...there,
    }, WARM_UP + rounds(ROUNDS));
    const { bare, unread, ...others } = uses;
    const row = (
      what: string,
      key: keyof ProcessorUse,
      floor: ProcessorUse[],
    ) =>
      summary(
        `${what}, ${stats} stats`,
        "ms",
        new Result(Object.fromEntries(
          Object.entries({ ...others, floor }).map((
            [name, uses],
          ) => [name, uses.slice(WARM_UP).map((use) => use[key])]),
        )),
        missing,
      );
    return [
      row("whole process", "ms", bare),
      row("main thread", "mainMs", unread),
    ];
  });
}

say([...await measure(1_000), ...await measure(10_000)]);
