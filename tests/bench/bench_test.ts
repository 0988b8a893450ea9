/**
 * The benches: what they can be asked, and how they answer. What they measure is
 * nobody's promise.
 */

import { assertEquals, assertThrows } from "@std/assert";
import type { Answer } from "../../bench/answer.ts";
import { FlagError, parseFlags } from "../../bench/flags.ts";
import { atMost, below, NO_MORE, within } from "../../bench/limits.ts";
import { amount, ratioText } from "../../bench/numbers.ts";
import { QUESTIONS } from "../../bench/questions.ts";
import {
  pageName,
  pageOf,
  parsePage,
  type Report,
} from "../../bench/results.ts";
import { summaryOf } from "../../bench/summary.ts";
import { tableOf } from "../../bench/table.ts";
import { output, ROOT } from "../helpers/program.ts";

const bench = (...flags: string[]) =>
  output(
    Deno.execPath(),
    ...["task", "--quiet", "--config", `${ROOT.pathname}deno.json`, "bench"],
    ...flags,
  );

const ANSWER: Answer = {
  number: 3,
  title: "A question",
  notes: ["What one has to know.", "And more."],
  rows: [
    {
      what: "fast",
      against: "a peer",
      unit: "ms",
      statvent: 2e-6,
      peer: 8e-5,
      ratio: 1 / 40,
      floor: 1e-6,
      toFloor: 2,
      target: { text: "≤ 1/10", met: true },
    },
    {
      what: "slow",
      against: "another peer",
      unit: "ms",
      statvent: 3,
      peer: 2,
      ratio: 1.5,
      target: { text: "< 1.00", met: false },
    },
    {
      what: "slow",
      against: "nobody",
      unit: "ms",
      statvent: 3,
      skipped: "it is not there",
    },
  ],
  skipped: { "many.ts": "there is no cc" },
};

Deno.test("parseFlags() reads all flags, and answers all questions by default", () => {
  const none = {
    help: false,
    json: false,
    quick: false,
    write: false,
    guard: false,
    summary: false,
    runtime: "deno",
    only: [1, 2, 3],
  };
  assertEquals(parseFlags([], 3), none);
  assertEquals(
    parseFlags(["--only", "2,3", "--json", "--runtime", "node", "--quick"], 3),
    { ...none, only: [2, 3], json: true, runtime: "node", quick: true },
  );
  assertEquals(parseFlags(["--write", "--runtime=bun"], 3), {
    ...none,
    write: true,
    runtime: "bun",
  });
});

Deno.test("parseFlags() throws a sentence when a flag is wrong", () => {
  for (
    const [args, why] of [
      [["--fast"], "there is no --fast, see --help"],
      [["node"], "there is no node, see --help"],
      [["--only"], "--only must have numbers from 1 to 3, got "],
      [["--only", "4"], "--only must have numbers from 1 to 3, got 4"],
      [["--only", "1,,2"], "--only must have numbers from 1 to 3, got 1,,2"],
      [["--runtime"], "--runtime must have a value"],
      [
        ["--write", "--only", "1"],
        "what --write writes must be a full run, without --only and --quick",
      ],
    ] as const
  ) {
    assertThrows(
      () => parseFlags(args, 3),
      FlagError,
      `Cannot bench: ${why}`,
    );
  }
});

Deno.test("deno task bench ends with 2 and a sentence when a flag is wrong", async () => {
  for (
    const [flags, why] of [
      [["--only", "13"], "--only must have numbers from 1 to 12, got 13"],
      [
        ["--runtime", "/nowhere"],
        "--runtime must be deno, node, bun or the path of one, got /nowhere",
      ],
    ] as const
  ) {
    assertEquals(await bench(...flags), {
      code: 2,
      stdout: "",
      stderr: `Cannot bench: ${why}\n`,
    });
  }
});

Deno.test("tableOf() lays out what was measured, what was missed and what was skipped", () => {
  assertEquals(
    tableOf(ANSWER),
    `3. A question
  What one has to know.
  And more.

        against       statvent     peer  ratio   floor  to floor  target
  fast  a peer          2.0 ns  80.0 ns   1/40  1.0 ns      2.00  ≤ 1/10      ok
  slow  another peer   3.00 ms  2.00 ms   1.50                    < 1.00  MISSED
  slow  nobody         3.00 ms  skipped
  skipped: nobody: it is not there
  skipped: many.ts: there is no cc
`,
  );
});

/** A run of the question above, and of another one. */
const REPORT: Report = {
  runtime: "Deno 2.9.6",
  processor: "2 × one",
  date: "2026-01-02T03:04:05.678Z",
  statvent: "1.0.0",
  peers: { "a-peer": "2.0.0" },
  questions: [ANSWER, { ...ANSWER, number: 4, skipped: {} }],
};

Deno.test("parsePage() reads what pageOf() writes", () => {
  const page = parsePage(pageOf(REPORT));
  assertEquals(
    [page.runtime, page.processor, page.date],
    ["Deno 2.9.6", "2 × one", "2026-01-02"],
  );
  const row = { statvent: "3.00 ms", ratio: "", toFloor: "" };
  const rows = [
    {
      what: "fast",
      against: "a peer",
      statvent: "2.0 ns",
      ratio: "1/40",
      toFloor: "2.00",
    },
    { ...row, what: "slow", against: "another peer", ratio: "1.50" },
    { ...row, what: "slow", against: "nobody" },
  ];
  assertEquals(
    page.rows,
    [3, 4].flatMap((question) => rows.map((row) => ({ question, ...row }))),
  );
});

Deno.test("pageName() is the name of the runtime, whatever its version", () => {
  for (const runtime of ["Node 26.1.0", "Node 20.16.0"]) {
    assertEquals(pageName({ ...REPORT, runtime }), "node.md");
  }
});

Deno.test("summaryOf() shows the ratio to the best peer and to the floor", () => {
  const row = { question: 5, statvent: "1 ms" };
  const whole = { ...row, what: "whole process, 10000 stats", toFloor: "4.72" };
  const main = { ...row, what: "main thread, 10000 stats", toFloor: "" };
  const summary = summaryOf([{
    runtime: "Deno 2.9.6",
    processor: "2 × one",
    date: "2026-01-02",
    rows: [
      { ...whole, against: "slow", ratio: "1/22.5" },
      { ...whole, against: "best: all of it", ratio: "1/10.6" },
      { ...whole, against: "gone", ratio: "" },
      { ...main, against: "floor", ratio: "13", statvent: "0" },
    ],
  }]);
  assertEquals(
    summary.split("\n").filter((line) => /^\| 5\./.test(line))
      .map((line) => line.split("|").slice(2, 4).map((text) => text.trim())),
    [["1/10.6 best", "4.72"], ["–", "0"]],
  );
});

Deno.test("docs/benchmarks.md is what bench/results/ has, for every question", async () => {
  const pages = await Promise.all(
    ["deno", "node", "bun"].map(async (name) =>
      parsePage(
        await Deno.readTextFile(new URL(`bench/results/${name}.md`, ROOT)),
      )
    ),
  );
  const text = await Deno.readTextFile(new URL("docs/benchmarks.md", ROOT));
  assertEquals(text, summaryOf(pages), "run deno task bench --summary");
  for (const [i, { summary }] of QUESTIONS.entries()) {
    for (const what of Object.keys(summary)) {
      for (const { runtime, rows } of pages) {
        const isThere = rows.some((row) =>
          row.question === i + 1 && row.what === what
        );
        assertEquals(isThere, true, `${runtime}: ${i + 1}. ${what}`);
      }
    }
  }
});

Deno.test("limits are met as their texts say", () => {
  const measured = {
    what: "",
    unit: "ms",
    statvent: 3,
    spread: 1,
    peers: {},
  } as const;
  for (
    const [limit, text, good, bad] of [
      [atMost(1 / 3), "≤ 1/3", { ratio: 1 / 3 }, { ratio: 0.34 }],
      [below(1 / 2), "< 1/2", { ratio: 0.49 }, { ratio: 0.5 }],
      [within(1 / 4), "1 ± 1/4", { ratio: 0.75 }, { ratio: 1.3 }],
      [NO_MORE, "no more", { value: 2 }, { value: 1.9 }],
    ] as const
  ) {
    assertEquals(limit.text, text);
    assertEquals(limit.isMet(measured, { value: 1, ...good }), true, text);
    assertEquals(limit.isMet(measured, { value: 1, ...bad }), false, text);
  }
});

Deno.test("numbers have as many digits as they are worth", () => {
  assertEquals(
    [0, 1 / 40, 0.123, 0.45, 1 / 2, 1.15, 12.3].map(ratioText),
    ["0", "1/40", "1/8.1", "0.45", "1/2", "1.15", "12"],
  );
  assertEquals(
    [0, 2.3e-6, 0.0123, 1.234, 123.4].map((ms) => amount(ms, "ms")),
    ["0", "2.3 ns", "12.3 µs", "1.23 ms", "123 ms"],
  );
  assertEquals(amount(26.08, "MB"), "26.1 MB");
  assertEquals(amount(3, "times"), "3");
});
