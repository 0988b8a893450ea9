import { assert, assertEquals, assertThrows } from "@std/assert";
import { GAUGE } from "../../model/kinds.ts";
import { startPush } from "../../push.ts";
import { Schedule } from "../../push/schedule.ts";
import { until } from "../helpers/program.ts";
import {
  FakeClock,
  graphite,
  hostOf,
  start,
  T,
  TcpSink,
} from "../helpers/push.ts";

Deno.test("startPush() refuses an interval of less than a second", () => {
  assertThrows(
    () =>
      startPush({ collect: () => Promise.reject(), targets: [], interval: 0 }),
    RangeError,
    "Cannot push: the interval must be from 1 to 86400 seconds, got 0",
  );
});

Deno.test("startPush() lets no slow server delay the others, nor its own end", async () => {
  await using slow = new TcpSink(0, false);
  await using fast = new TcpSink();
  const many = Object.fromEntries(
    Array.from({ length: 200_000 }, (_, i) => [`s.${i}`, [i] as [number]]),
  );
  const host = hostOf(many);
  const { clock, push } = start(
    [graphite(slow.port), graphite(fast.port)],
    () => host,
    { maxWaiting: 300_000 },
  );
  await clock.pass(5_000);
  await until("the fast one", () => push.stats()[1].sent === 200_000);
  // One tick at a time: of two that wait, the fast one would drop the first.
  for (const sent of [400_000, 600_000]) {
    await clock.pass(10_000);
    await until("the fast one", () => push.stats()[1].sent === sent);
  }
  const [{ sent, dropped, waiting }] = push.stats();
  assert(waiting <= 300_000, `${waiting} wait`);
  assertEquals(sent + dropped + waiting, 600_000);
  assert(dropped > 100_000, `${dropped} dropped`);
  // What the fake clock gives it are two seconds.
  const stopped = push.stop();
  await until("the fast one", () => push.stats()[1].sent === 800_000);
  await clock.pass(2_000);
  const before = performance.now();
  await stopped;
  assert(performance.now() - before < 5_000);
  const after = push.stats()[0];
  assertEquals(after.waiting, 0);
  assertEquals(after.sent + after.dropped, 800_000);
  assertEquals(clock.sleeps.size, 0);
});

Deno.test("startPush() collects again after a failure, and says so once", async () => {
  await using server = new TcpSink();
  let collected = 0;
  const { clock, push, lines } = start([graphite(server.port)], () => {
    if (++collected <= 2) throw new Error("no pipes");
    return hostOf({ a: [1] });
  });
  await clock.pass(5_000);
  await clock.pass(10_000);
  await clock.pass(10_000);
  await until("a line", () => server.text !== "");
  await push.stop();
  assertEquals(lines, [
    "cannot collect stats to push: no pipes",
    "collecting stats to push again",
  ]);
});

Deno.test("startPush() skips what it missed while it collected", async () => {
  await using server = new TcpSink();
  const clock = new FakeClock();
  let finish = () => {};
  const push = new Schedule({
    collect: () =>
      new Promise((resolve) => finish = () => resolve(hostOf({ a: [1] }))),
    targets: [graphite(server.port)],
    host: "h",
  }, clock);
  await clock.pass(5_000);
  await until(
    "a collection",
    () => finish.name !== "" && clock.sleeps.size === 0,
  );
  clock.time += 25_000;
  finish();
  await clock.pass(5_000);
  await until("a line", () => server.text !== "");
  const stopped = push.stop();
  // It hangs once more, but not for longer than it may.
  await clock.pass(2_000);
  await stopped;
  assertEquals(server.text, `h.a 1 ${T}\n`);
  finish();
});

Deno.test("startPush() goes on when the clock is set back", async () => {
  await using server = new TcpSink();
  const { clock, push } = start(
    [graphite(server.port)],
    () => hostOf({ a: [1] }),
  );
  await until("a sleep", () => clock.sleeps.size === 1);
  clock.time += 4_000;
  await clock.pass(1_000);
  await until("a line", () => server.text !== "");
  await until("a sleep", () => clock.sleeps.size === 1);
  [...clock.sleeps][0].wake();
  clock.time -= 3_600_000;
  await until("a sleep", () => clock.sleeps.size === 1);
  await clock.pass(10_000);
  await push.stop();
});

Deno.test("startPush() stops at once although a name cannot be found", async () => {
  const { push, lines } = start(
    [{ protocol: "statsd", host: "no-such-host.invalid", port: 8125 }],
    () => hostOf({ a: [1, GAUGE] }),
  );
  await push.stop();
  const [{ sent, dropped, failed }] = push.stats();
  assertEquals({ sent, dropped, failed }, { sent: 0, dropped: 1, failed: 1 });
  assertEquals(lines.length, 1);
});
