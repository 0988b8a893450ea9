/**
 * Measures the writing of a snapshot, which the recorder's thread does for each
 * read, against the texts of peers.
 *
 * @module
 */

import { integers, names } from "./inputs.ts";
import { type Measured, say } from "./measured.ts";
import { once, versus } from "./versus.ts";
import { SnapshotWriter } from "../format/snapshot_writer.ts";
import { threads } from "../memory/threads.ts";
import { config, counter } from "../mod.ts";
import { nap } from "../runtime/pause.ts";
import { ProcessStats } from "../slab/process_stats.ts";

const COUNT = 10_000;

config.maxStats = COUNT;
const values = integers(COUNT);
const counters = names(COUNT, (i) => `http.requests.${i}`)
  .map((name) => counter(name));
const change = () => counters.forEach((each, i) => each.incr(values[i] & 7));
counters.forEach((each, i) => each.incr(values[i]));
const stats = new ProcessStats(nap);
const writer = new SnapshotWriter();
const write = () => {
  stats.refresh(threads().known());
  return writer.write(stats, true);
};
const bytes = write().slice();
const target = new Uint8Array(bytes.length);

/** Times the text alone, against a peer that writes all of it each time. */
function text(what: string, before: () => void): Promise<Measured> {
  return versus(`the text alone, ${COUNT} stats, ${what}`, {
    statvent: once(() => {
      before();
      return write().length;
    }),
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
  });
}

say([
  await text("none changed", () => {}),
  await text("all changed", change),
]);
