import { assertEquals, assertMatch } from "@std/assert";
import { QUESTIONS } from "../../bench/questions.ts";
import type { Report } from "../../bench/results.ts";
import { output, ROOT } from "../helpers/program.ts";

const bench = (...flags: string[]) =>
  output(
    Deno.execPath(),
    ...["task", "--quiet", "--config", `${ROOT.pathname}deno.json`, "bench"],
    ...flags,
  );

Deno.test("deno task bench --json prints one document and nothing else", async () => {
  const { code, stdout } = await bench("--json", "--quick", "--only", "11");
  assertEquals(code, 0);
  const report: Report = JSON.parse(stdout);
  assertEquals(Object.keys(report), [
    "runtime",
    "processor",
    "date",
    "statvent",
    "peers",
    "questions",
  ]);
  assertMatch(report.runtime, /^Deno \d+\.\d+\.\d+$/);
  for (const version of Object.values(report.peers)) {
    assertMatch(version, /^\d+\.\d+\.\d+$/);
  }
  const [{ number, title, rows, skipped }] = report.questions;
  assertEquals([number, title, skipped], [11, QUESTIONS[10].title, {}]);
  const [row] = rows;
  assertEquals(
    [row.what, row.against, row.unit, row.target?.text],
    ["import and startRecorder()", "prom-client", "ms", "< 1.00"],
  );
  for (const value of [row.statvent, row.peer, row.ratio, row.floor]) {
    assertEquals(value! > 0, true, JSON.stringify(row));
  }
});
