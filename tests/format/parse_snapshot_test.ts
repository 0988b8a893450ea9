import { assert, assertEquals, assertThrows } from "@std/assert";
import { parseSnapshot, SnapshotError } from "../../format.ts";
import { encode, parse, whole, withEnd } from "../helpers/text.ts";
import { cpuTime } from "../helpers/cpu_time.ts";

Deno.test("parseSnapshot() reads the lines of statvent 1.0", () => {
  const { stats, recorded, annotated } = parse(
    "a.b.c.d: 42\nMy Nice Stat: 123.45\na: b: -7\n__proto__: 1e3\npadded:   5 \na.b.c.d: 1\nempty\u00a0: +.5\n",
  );
  assertEquals(
    [...stats],
    [
      ["a.b.c.d", { value: 43, fractional: false }],
      ["My Nice Stat", { value: 123.45, fractional: true }],
      ["a: b", { value: -7, fractional: false }],
      ["__proto__", { value: 1000, fractional: true }],
      ["padded", { value: 5, fractional: false }],
      ["empty\u00a0", { value: 0.5, fractional: true }],
    ],
  );
  assertEquals(recorded, []);
  assertEquals(annotated, false);
});

Deno.test("parseSnapshot() leaves out lines without a number if there are no annotations", () => {
  const { stats, bad } = parse(
    "a: nan\nb: 1\nc: three\nd:\n: inf\nb:5\nurl:http://x:2\ne: 1e999\nf:\t7\nb: 0x1\n",
  );
  const values = [...stats].map(([name, { value }]) => [name, value]);
  assertEquals(values, [["b", 6], ["url:http://x", 2], ["f", 7]]);
  assertEquals(bad, { count: 6, first: '"a: nan"' });
  assertEquals(parse("a: 1\n").bad, undefined);
  const only = parse("a: nan\n");
  assertEquals([only.stats.size, only.bad?.count], [0, 1]);
});

Deno.test("parseSnapshot() keeps windows, checks the end and skips other annotations", () => {
  const window =
    '{"name":"l.{0}","percentiles":[[50,"l.median"]],"mean":"l.mean","values":[1,2.5]}';
  const { stats, recorded, annotated } = parse(
    withEnd(
      `l.median: 1.0\nl.mean: 1.75\n# window ${window}: 2\n# some day: 5\n`,
    ),
  );
  assertEquals([...stats.keys()], ["l.median", "l.mean"]);
  const { values, ...description } = JSON.parse(window);
  assertEquals(recorded, [{
    description,
    fractional: true,
    values: Float64Array.from(values),
    histogram: undefined,
  }]);
  assertEquals(annotated, true);
  assertEquals(parse("# EOF: 0\n").stats.size, 0);
});

Deno.test("parseSnapshot() refuses what is no whole snapshot and says why", () => {
  const start = "Cannot read a snapshot: ";
  const end = "its last line must be a true # EOF";
  const line = 'every line must be "<name>: <number>", got ';
  const windowText = (text: string) => withEnd(`# window ${text}: 1\n`);
  const window = (text: string) =>
    `a window must hold its values, got ${
      JSON.stringify(
        `# window ${text}: 1`.length > 80
          ? `${`# window ${text}: 1`.slice(0, 80)}…`
          : `# window ${text}: 1`,
      )
    }`;
  const page = `${"x".repeat(4092)}: 1\n`;
  // The text, the reason, whether it was annotated, whether it may be a part.
  const table: [string | Uint8Array, string, boolean, boolean][] = [
    ["", "its last line must be complete", false, true],
    ["a: 1", "its last line must be complete", false, false],
    ["a: 1\n# EO", "its last line must be complete", true, true],
    ["a: 1\n# other: 1\n", end, true, true],
    ["a: 1\n# EOF: 4\n", end, true, true],
    ["a: 1\n# EOF: 6\n", end, true, true],
    ["a: 1\n# EOF: 05x\n", end, true, true],
    ["a: 1\n# EOF: 5\na: 1\n# EOF: 5\n", end, true, true],
    [
      withEnd("a: 1\n# EOF: 5\n"),
      "# EOF must be the last line",
      true,
      false,
    ],
    [
      page,
      "without annotations, whole pages may be a part of it",
      false,
      true,
    ],
    ["5\na: 1\n", 'its first line may be a part of one, got "5"', false, false],
    ["\n", 'its first line may be a part of one, got ""', false, false],
    ["a: 1\n\n", `${line}""`, false, false],
    ["a: 1\nb 2\n", `${line}"b 2"`, false, false],
    [withEnd("a:1\n"), `${line}"a:1"`, true, false],
    ["x".repeat(4096), "its last line must be complete", false, true],
    [withEnd("a\n"), `${line}"a"`, true, false],
    [new Uint8Array([0x61, 0xff, 0x0a]), "it must be UTF-8", false, false],
    [new Uint8Array(4096).fill(0xff), "it must be UTF-8", false, true],
    [
      Uint8Array.from([0xff, ...encode("\n# EOF: 3\n")]),
      "it must be UTF-8",
      true,
      true,
    ],
    ...[
      "nan",
      "NaN",
      "inf",
      "Infinity",
      "1e999",
      "-1e999",
      "0x10",
      "1_000",
      "--5",
      "1.2.3",
      "1e",
      ".",
      "",
      "1 2",
      "١",
    ].map((number): [string, string, boolean, boolean] => [
      withEnd(`a: ${number}\nb: 1\n`),
      `${line}${JSON.stringify(`a: ${number}`)}`,
      true,
      false,
    ]),
    ...[
      "",
      "null",
      "[]",
      '{"name":"n","percentiles":[],"mean":"m","values":[]}',
      '{"name":"n","percentiles":[],"mean":"m","values":["1"]}',
      '{"name":"n","percentiles":[],"mean":"m\\n","values":[1]}',
      '{"name":5,"percentiles":[],"mean":"m","values":[1]}',
      '{"name":"n","percentiles":[[101,"p"]],"mean":"m","values":[1]}',
      '{"name":"n","percentiles":[["50","p"]],"mean":"m","values":[1]}',
      '{"name":"n","percentiles":[[50]],"mean":"m","values":[1]}',
      '{"name":"n","percentiles":{},"mean":"m","values":[1]}',
    ].map((text): [string, string, boolean, boolean] => [
      windowText(text),
      window(text),
      true,
      false,
    ]),
  ];
  for (const [text, why, annotated, torn] of table) {
    const bytes = typeof text === "string" ? encode(text) : text;
    const error = assertThrows(() => parseSnapshot(bytes), SnapshotError);
    assertEquals(
      [error.message, error.annotated, error.torn],
      [start + why, annotated, torn],
      JSON.stringify(text),
    );
  }
});

Deno.test("parseSnapshot() takes no part of a snapshot made of pages for a whole one", () => {
  const lines = Array.from({ length: 3000 }, (_, i) => `stat.${i}: ${i}\n`);
  const whole = encode(withEnd(lines.join("")));
  const pages = Math.ceil(whole.length / 4096);
  for (let from = 0; from < pages; from++) {
    for (let to = from + 1; to <= pages; to++) {
      if (from === 0 && to === pages) continue;
      const part = whole.subarray(4096 * from, 4096 * to);
      assertThrows(() => parseSnapshot(part), SnapshotError);
    }
  }
});

Deno.test("a window that stands on very many lines takes no longer than they have bytes", () => {
  const line = (values: number[]) =>
    `# window {"name":"r","percentiles":[],"mean":"r.mean","values":[${values}]}: ${values.length}\n`;
  const first = Array(100_000).fill(1);
  const bytes = whole(line(first) + line([2]).repeat(10_000));
  const start = cpuTime();
  const [{ values }] = parseSnapshot(bytes).recorded;
  // It was a minute, when each line copied all before it.
  assert(cpuTime() - start < 5_000);
  assertEquals([values!.length, values!.at(-1)], [110_000, 2]);
});

Deno.test("parse() refuses what takes long to read, or much memory to keep", () => {
  const refused = (text: string) =>
    assertThrows(() => parseSnapshot(whole(text)), SnapshotError);
  const histogram = (buckets: string, count: number) =>
    `# histogram {"name":"r","scale":20,"sum":1,"min":1,"max":2,"zeros":0,"positive":[[0${buckets}]],"negative":[]}: ${count}\n`;
  parseSnapshot(whole(histogram(",1".repeat(34_000), 34_000)));
  refused(histogram(",1".repeat(34_001), 34_001));
  // Twenty times as many that hold nothing.
  refused(histogram(",0".repeat(2 ** 20), 0));
  refused(`# gauge [${'"",'.repeat(699_050)}""]: 699051\n`);
  const ledger = (count: number) =>
    `# ledger {"id":"x","count":${count},"ended":${
      JSON.stringify(Array.from({ length: count }, (_, i) => `${i}@1`))
    }}: ${count}\n`;
  parseSnapshot(whole(ledger(4096)));
  refused(ledger(4097));
});

Deno.test("parse() puts windows and lists together that stand on several lines", () => {
  const window = (values: string, count: number) =>
    `# window {"name":"r","percentiles":[],"mean":"m","values":[${values}]}: ${count}\n`;
  const { recorded: [stat], kinds, lastSet } = parseSnapshot(whole(
    `a: 1\nb: 2\n# gauge ["a"]: 1\n# gauge ["b"]: 1\n# last [["a",1]]: 1\n# last [["b",2]]: 1\n${
      window("1,2", 2)
    }${window("3", 1)}`,
  ));
  assertEquals([...stat.values!], [1, 2, 3]);
  assertEquals([...kinds], [1, 1]);
  assertEquals([...lastSet], [["a", 1], ["b", 2]]);
});

Deno.test("parseSnapshot() reads a long number in no time", () => {
  const digits = "1".repeat(1_000_000);
  for (const text of [`${digits}x`, `.${digits}x`, `${digits}.${digits}`]) {
    const start = cpuTime();
    assertThrows(
      () => parse(withEnd(`a: ${text}\n`)),
      SnapshotError,
    );
    const ms = cpuTime() - start;
    assert(ms < 1000, `${ms} ms`);
  }
});
