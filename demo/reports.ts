/**
 * A program with a fault: each report blocks its only thread for two seconds.
 * Its stats can be read nevertheless.
 *
 * @module
 */

import { counter, incr, set } from "@statvent/statvent";
import { sleep, startProgram } from "./program.ts";

const HANG_MS = 2_000;

const rows = counter("reports.rows");

await startProgram();
for (;;) {
  set("reports.hanging", 1);
  const end = performance.now() + HANG_MS;
  while (performance.now() < end) rows.incr();
  incr("db.queries", 50);
  incr("reports.made");
  set("reports.hanging", 0);
  await sleep(3_000);
}
