/**
 * Metrics for programs that share a host: count in memory, read with `cat`.
 *
 * @example Count something and offer it to readers
 * ```ts
 * import { config, incr, startRecorder } from "@statvent/statvent";
 *
 * config.pipeDir = await Deno.makeTempDir();
 * await using recorder = await startRecorder();
 * incr("jobs.done");
 * console.log(`cat ${recorder.path}`);
 * ```
 *
 * @module
 */

export { type Config, config } from "./stats/config.ts";
export type { Percentile } from "./percentile.ts";
export { type Recorder, startRecorder } from "./recorder.ts";
export { getAll } from "./stats/get_all.ts";
export {
  type Counter,
  counter,
  type CounterOptions,
  describe,
  type Description,
  type Distribution,
  distribution,
  type DistributionOptions,
  type FormatFunc,
  type Gauge,
  gauge,
  type GaugeMerge,
  type GaugeOptions,
  incr,
  type Labels,
  record,
  set,
} from "./stats/stats.ts";
