/**
 * What do readers of the pipe cost the program's own thread?
 *
 * @module
 */

import { config, incr, startRecorder } from "../mod.ts";
import { Child } from "./child.ts";
import { names, ORDER_LENGTH, programOrder } from "./inputs.ts";
import { median, Result } from "./race.ts";
import { duration, type Row, type Table } from "./table.ts";

const COUNT = 10_000;
const ROUNDS = 60;
const ROUND_MS = 60;

/** How long a reader is on its way before the loop begins, and after, in milliseconds. */
const SETTLE_MS = 20;

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

function loop(names: readonly string[], order: Int32Array, passes: number) {
  const start = performance.now();
  for (let pass = 0; pass < passes; pass++) {
    for (let i = 0; i < order.length; i++) incr(names[order[i]]);
  }
  return performance.now() - start;
}

function percent(ratio: number): string {
  return `${ratio < 1 ? "" : "+"}${((ratio - 1) * 100).toFixed(1)} %`;
}

const CONDITIONS = [
  "nobody reads",
  "nobody reads, again",
  "another program is read",
  "this program is read",
] as const;
type Condition = typeof CONDITIONS[number];

interface Measured {
  /** Milliseconds of a loop of that many passes. */
  readonly times: Record<Condition, number[]>;
  readonly passes: number;
  readonly readsPerSecond: number;
}

async function measure(pipeDir: string): Promise<Measured> {
  config.pipeDir = pipeDir;
  const all = names(COUNT, (i) => `http.requests.${i}`);
  const order = programOrder(COUNT);
  for (const name of all) incr(name);
  await using recorder = await startRecorder();
  await using other = new Child(
    "program.ts",
    ["recording", pipeDir, `${COUNT}`],
  );
  const paths: Partial<Record<Condition, string>> = {
    "another program is read": await other.receive(),
    "this program is read": recorder.path,
  };
  await using reader = new Child("reader.ts", []);

  const times = Object.fromEntries(
    CONDITIONS.map((condition) => [condition, [] as number[]]),
  ) as Record<Condition, number[]>;
  const rates: number[] = [];
  loop(all, order, 20);
  const passes = Math.ceil(20 * ROUND_MS / loop(all, order, 20));
  for (let round = 0; round < ROUNDS; round++) {
    for (let i = 0; i < CONDITIONS.length; i++) {
      const condition = CONDITIONS[(i + round) % CONDITIONS.length];
      const path = paths[condition];
      const start = performance.now();
      if (path !== undefined) await reader.send(path);
      await sleep(SETTLE_MS);
      times[condition].push(loop(all, order, passes));
      if (path !== undefined) {
        await reader.send("");
        const reads = Number(await reader.receive());
        rates.push(reads * 1000 / (performance.now() - start));
      }
      await sleep(SETTLE_MS);
    }
  }
  return { times, passes, readsPerSecond: median(rates) };
}

/** Measures a loop while nobody reads, and while another process does. */
export async function reading(): Promise<Table> {
  const pipeDir = await Deno.makeTempDir();
  const { times, passes, readsPerSecond } = await measure(pipeDir)
    .finally(() => Deno.remove(pipeDir, { recursive: true }));
  const result = new Result(times);
  const row = (condition: Condition, floor: Condition): Row => {
    const change = (part?: number) =>
      percent(result.ratio(condition, floor, part));
    return {
      what: `${condition}; floor: ${floor}`,
      values: [
        duration(result.ms(condition) / (passes * ORDER_LENGTH)),
        duration(result.ms(floor) / (passes * ORDER_LENGTH)),
        change(),
        `${change(0.25)} to ${change(0.75)}`,
      ],
    };
  };
  return {
    question: "4. What do readers cost the thread that counts?",
    notes: [
      `incr(name) in a loop over ${COUNT} stats, while another process reads`,
      `${readsPerSecond.toFixed()} times a second. The first row is noise. The second is what it costs that`,
      "the other cores are busy, with these reads and with other work of the machine.",
    ],
    columns: ["statvent", "floor", "change", "half of the rounds"],
    rows: [
      row("nobody reads, again", "nobody reads"),
      row("another program is read", "nobody reads"),
      row("this program is read", "another program is read"),
      {
        ...row("this program is read", "nobody reads"),
        target: {
          text: "< 5 %",
          met: result.ratio("this program is read", "nobody reads") < 1.05,
        },
      },
    ],
  };
}
