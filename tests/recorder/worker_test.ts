import { assertEquals } from "@std/assert";
import { output, ROOT } from "../helpers/program.ts";

Deno.test("the recorder's thread is that of the sources", async () => {
  const { code, stderr } = await output(
    Deno.execPath(),
    ...[
      "run",
      "--quiet",
      "--allow-read",
      "--allow-run",
      new URL("scripts/build_worker.ts", ROOT).pathname,
      "--check",
    ],
  );
  assertEquals({ code, stderr }, { code: 0, stderr: "" });
});
