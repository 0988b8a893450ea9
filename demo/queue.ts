/**
 * A mail queue that grows in bursts and shrinks one by one.
 *
 * @module
 */

import { incr, record, set } from "@statvent/statvent";
import { sleep, startProgram } from "./program.ts";

await startProgram();
for (let length = 0;;) {
  if (Math.random() < 0.05) length += Math.ceil(40 * Math.random());
  set("queue.length", length);
  const ms = 10 + Math.ceil(40 * Math.random());
  await sleep(ms);
  if (length === 0) continue;
  length--;
  record("queue.mail.{0}.ms", ms);
  incr("db.queries");
  incr(Math.random() < 0.02 ? "queue.mails.bounced" : "queue.mails.sent");
}
