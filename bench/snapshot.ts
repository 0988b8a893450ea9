/**
 * Measures how a snapshot is written: what the recorder's thread does for a
 * read, against what peers do for theirs.
 *
 * @module
 */

import { Exposition } from "../exposition.ts";
import { config, counter } from "../mod.ts";
import { ProcessStats } from "../process_stats.ts";
import { threads } from "../threads.ts";
import { integers, names } from "./inputs.ts";
import { say } from "./measured.ts";
import { once, versus } from "./versus.ts";

const COUNT = 10_000;

config.maxStats = COUNT;
const values = integers(COUNT);
names(COUNT, (i) => `http.requests.${i}`)
  .forEach((name, i) => counter(name).incr(values[i]));
const stats = new ProcessStats();
const exposition = new Exposition();
const write = () => {
  stats.refresh(threads().slabs.values());
  return exposition.write(stats, true);
};
const bytes = write().slice();
const target = new Uint8Array(bytes.length);

say([
  await versus(`the text alone, ${COUNT} stats`, {
    statvent: once(() => write().length),
    floor: once(() => {
      target.set(bytes);
      return target[0];
    }),
    peers: {
      "prom-client": async () => {
        const { Counter, Registry } = await import("prom-client");
        const registry = new Registry();
        names(COUNT, (i) => `http_requests_${i}`).forEach((name, i) =>
          new Counter({ name, help: "Requests", registers: [registry] })
            .inc(values[i])
        );
        return once(async () => (await registry.metrics()).length);
      },
    },
  }),
]);
