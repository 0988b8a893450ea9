/**
 * What does one read cost the process that is read?
 *
 * @module
 */

import { Counter, Registry } from "prom-client";
import { Exposition } from "../exposition.ts";
import { counter } from "../mod.ts";
import { ProcessStats } from "../process_stats.ts";
import { threads } from "../threads.ts";
import { integers, names } from "./inputs.ts";
import { race } from "./race.ts";
import { atMost, duration, ratioText, type Table } from "./table.ts";

const COUNT = 10_000;

/** How many snapshots statvent makes in a round. */
const BATCH = 20;

/** Measures a snapshot of 10 000 counters. */
export async function snapshot(): Promise<Table> {
  const values = integers(COUNT);
  const ours = names(COUNT, (i) => `http.requests.${i}`);
  ours.forEach((name, i) => counter(name).incr(values[i]));
  const stats = new ProcessStats();
  const exposition = new Exposition();
  const write = () => {
    stats.refresh(threads().slabs.values());
    return exposition.write(stats, true);
  };

  const registry = new Registry();
  names(COUNT, (i) => `http_requests_${i}`).forEach((name, i) =>
    new Counter({ name, help: "Requests", registers: [registry] })
      .inc(values[i])
  );

  const bytes = write().slice();
  const target = new Uint8Array(bytes.length);
  const result = await race({
    floor: () => {
      for (let i = 0; i < BATCH; i++) target.set(bytes);
      return target[0];
    },
    statvent: () => {
      let length = 0;
      for (let i = 0; i < BATCH; i++) length += write().length;
      return length;
    },
    "prom-client": async () => (await registry.metrics()).length,
  }, { rounds: 41, warmUp: 10 });

  const ratio = result.ratio("statvent", "prom-client") / BATCH;
  return {
    question: `2. What does a snapshot of ${COUNT} counters cost?`,
    notes: [
      "The floor is a copy of the bytes. The ratio is to prom-client's registry.metrics().",
      "statvent pays in a thread of its own, prom-client in the program's.",
    ],
    columns: ["statvent", "floor", "prom-client", "ratio"],
    rows: [{
      what: `${COUNT} counters, ${(bytes.length / 1000).toFixed()} kB`,
      values: [
        duration(result.ms("statvent") / BATCH),
        duration(result.ms("floor") / BATCH),
        duration(result.ms("prom-client")),
        ratioText(ratio),
      ],
      target: { ...atMost(ratio, 1 / 20)!, text: "≤ 1/20" },
    }],
  };
}
