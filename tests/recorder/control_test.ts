import { assert, assertThrows } from "@std/assert";
import { RecorderControl, StoppedError } from "../../recorder/control.ts";

Deno.test("stop() waits for what is begun, although something else ends meanwhile", async () => {
  const control = new RecorderControl();
  control.start();
  const { promise, resolve } = Promise.withResolvers<void>();
  const making = control.whileRunningAsync(() => promise);
  control.whileRunning(() => {});
  const start = performance.now();
  control.stop(50);
  assert(performance.now() - start >= 49);
  assertThrows(() => control.whileRunning(() => {}), StoppedError);
  resolve();
  await making;
  control.stop(60_000);
});
