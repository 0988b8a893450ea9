/**
 * A web shop whose customers fill carts, most of which become orders.
 *
 * @module
 */

import { counter, gauge, incr, record } from "@statvent/statvent";
import { sleep, startProgram } from "./program.ts";

const orders = counter("shop.orders");
const carts = gauge("shop.carts.open");

async function customer(): Promise<void> {
  carts.incr();
  await sleep(200 + 2000 * Math.random());
  carts.incr(-1);
  if (Math.random() < 0.2) return incr("shop.carts.left");
  const start = performance.now();
  await sleep(5 / (0.05 + Math.random()));
  record("shop.checkout.{0}.ms", performance.now() - start);
  incr("db.queries", 3);
  incr("shop.revenue.eur", Math.ceil(10_000 * Math.random()) / 100);
  orders.incr();
}

await startProgram();
for (;;) {
  customer();
  await sleep(100 * Math.random());
}
