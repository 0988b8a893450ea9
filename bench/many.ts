/**
 * Measures one answer over 1, 10, 100 and 1 000 small processes, against a
 * straight line fitted to the times.
 *
 * @module
 */

import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { Collector, countStates } from "../collect.ts";
import { Child } from "./child.ts";
import { rounds } from "./effort.ts";
import { type Measured, say } from "./measured.ts";
import { withPipeDir } from "./pipe_dir.ts";
import { type Contender, race } from "./race.ts";

const STATS = 20;
const PROCESSES = [1, 10, 100, 1_000];
const ROUNDS = 21;

/** Compiles the writers. */
function compile(dir: string): string {
  const source = fileURLToPath(new URL("writers.c", import.meta.url));
  execFileSync("cc", ["-O2", "-o", `${dir}/writers`, source]);
  return `${dir}/writers`;
}

/** Starts `count` writers and makes a function that reads them all. */
async function start(
  dir: string,
  writers: string,
  processes: number,
): Promise<Contender> {
  const pipeDir = `${dir}/${processes}`;
  mkdirSync(pipeDir);
  const command = { command: writers, args: [] };
  const args = [`${processes}`, `${STATS}`, pipeDir];
  await new Child("", args, command).receive();
  const collector = new Collector({ pipeDir, deadline: 10_000 });
  return async () => {
    const host = await collector.collect();
    const { ok } = countStates(host.processes);
    if (ok !== processes) throw new Error(`${ok} of ${processes} answer`);
    return host.ids.length;
  };
}

/** Makes a function that reads as many small files. */
function files(dir: string, processes: number): Contender {
  const paths = Array.from({ length: processes }, (_, i) => `${dir}/f${i}`);
  const text = "http.requests.42: 42\n".repeat(STATS);
  for (const path of paths) writeFileSync(path, text);
  return () => paths.reduce((sum, path) => sum + readFileSync(path).length, 0);
}

/** Fits the line with the least sum of squared relative distances. */
function lineThrough(x: readonly number[], y: readonly number[]) {
  let w = 0, wx = 0, wy = 0, wxx = 0, wxy = 0;
  for (const [i, at] of x.entries()) {
    const weight = 1 / y[i] ** 2;
    w += weight;
    wx += weight * at;
    wy += weight * y[i];
    wxx += weight * at * at;
    wxy += weight * at * y[i];
  }
  const slope = (w * wxy - wx * wy) / (w * wxx - wx * wx);
  return { slope, start: (wy - slope * wx) / w };
}

async function measure(dir: string): Promise<Measured[]> {
  const writers = compile(dir);
  const contenders: Record<string, Contender> = {};
  for (const processes of PROCESSES) {
    contenders[processes] = await start(dir, writers, processes);
    contenders[`${processes} files`] = files(dir, processes);
  }
  const result = await race(contenders, { rounds: rounds(ROUNDS), warmUp: 5 });
  const ms = PROCESSES.map((processes) => result.value(`${processes}`));
  const floor = PROCESSES.map((count) => result.value(`${count} files`));
  const line = lineThrough(PROCESSES, ms);
  const floorLine = lineThrough(PROCESSES, floor);
  return [
    ...PROCESSES.map((processes, i): Measured => {
      const fitted = line.start + line.slope * processes;
      return {
        what: `${processes} ${processes === 1 ? "process" : "processes"}`,
        unit: "ms",
        statvent: ms[i],
        floor: {
          value: floor[i],
          ratio: result.ratio(`${processes}`, `${processes} files`),
        },
        peers: {
          "the straight line": { value: fitted, ratio: ms[i] / fitted },
        },
      };
    }),
    {
      what: "the slope: each process more",
      unit: "ms",
      statvent: line.slope,
      floor: { value: floorLine.slope, ratio: line.slope / floorLine.slope },
      peers: {},
    },
  ];
}

say(await withPipeDir(measure));
