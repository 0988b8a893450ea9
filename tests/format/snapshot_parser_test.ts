import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import {
  NameTable,
  parseSnapshot,
  type Snapshot,
  SnapshotError,
} from "../../format.ts";
import { SnapshotParser } from "../../format/snapshot_parser.ts";
import { COUNTER, GAUGE, SHOWN, UNKNOWN } from "../../model/kinds.ts";
import { encode, withEnd } from "../helpers/text.ts";
import { cpuTime } from "../helpers/cpu_time.ts";

/** What a snapshot says, in plain objects. */
interface Plain {
  annotated: boolean;
  /** How many lines were left out. */
  bad: number;
  stats: [name: string, value: number, fractional: number, kind: number][];
  recorded: unknown[];
  descriptions: unknown[];
  lastSet: unknown[];
  seq: number | undefined;
  process: unknown;
  ledger: unknown;
}

function plain(snapshot: Snapshot): Plain {
  const { ids, values, fractional, kinds, table, process } = snapshot;
  return {
    annotated: snapshot.annotated,
    bad: snapshot.bad?.count ?? 0,
    stats: [...ids].map((
      id,
      i,
    ) => [table.names[id], values[i], fractional[i], kinds[i]]),
    recorded: snapshot.recorded.map((stat) => ({
      ...stat.description,
      fractional: stat.fractional,
      values: stat.values && [...stat.values],
      histogram: stat.histogram && {
        ...stat.histogram,
        positive: [...stat.histogram.positive],
        negative: [...stat.histogram.negative],
      },
    })),
    descriptions: [...snapshot.descriptions],
    lastSet: [...snapshot.lastSet].sort(),
    seq: snapshot.seq,
    process: process && { ...process },
    ledger: snapshot.ledger && { ...snapshot.ledger },
  };
}

const NUMBER = /^[+-]?(\d+|(\d+\.\d*|\.\d+|\d+(?=[eE]))([eE][+-]?\d+)?)$/;

/** Annotations that are refused. */
const WRONG = [
  "# EOF: 5",
  "# EOF: x",
  '# gauge ["a"]: 2',
  "# gauge [5]: 1",
  "# window {}: 0",
  "# histogram {}: 0",
  ...[
    ['"scale":21,"sum":1,"min":1,"max":1,"zeros":1,"positive":[]', 1],
    ['"scale":-11,"sum":1,"min":1,"max":1,"zeros":1,"positive":[]', 1],
    ['"scale":0.5,"sum":1,"min":1,"max":1,"zeros":1,"positive":[]', 1],
    ['"scale":0,"sum":null,"min":1,"max":1,"zeros":1,"positive":[]', 1],
    ['"scale":0,"sum":1,"min":1e999,"max":1,"zeros":1,"positive":[]', 1],
    ['"scale":0,"sum":1,"min":1,"max":1,"zeros":-1,"positive":[]', -1],
    ['"scale":0,"sum":1,"min":1,"max":1,"zeros":1,"positive":[]', 2],
    ['"scale":0,"sum":1,"min":1,"max":1,"zeros":1,"positive":{}', 1],
    ['"scale":0,"sum":1,"min":1,"max":1,"zeros":1,"positive":[1]', 1],
    ['"scale":0,"sum":1,"min":1,"max":1,"zeros":1,"positive":[[]]', 1],
    ['"scale":0,"sum":1,"min":1,"max":1,"zeros":0,"positive":[[0.5,1]]', 1],
    ['"scale":0,"sum":1,"min":1,"max":1,"zeros":0,"positive":[[1,0.5]]', 0.5],
    ['"scale":0,"sum":1,"min":1,"max":1,"zeros":0,"positive":[[1,-1,2]]', 1],
    // No number lies there, or no more can be counted exactly.
    ['"scale":0,"sum":1,"min":1,"max":1,"zeros":0,"positive":[[1024,1]]', 1],
    ['"scale":0,"sum":1,"min":1,"max":1,"zeros":0,"positive":[[-1076,1]]', 1],
    [
      `"scale":0,"sum":1,"min":1,"max":1,"zeros":0,"positive":[[0,${2 ** 53}]]`,
      2 ** 53,
    ],
    // The same bucket twice.
    ['"scale":0,"sum":1,"min":1,"max":1,"zeros":0,"positive":[[1,1],[1,2]]', 2],
  ].map(([content, count]) =>
    `# histogram {"name":"r.{0}",${content},"negative":[]}: ${count}`
  ),
  "# process {}: 0",
  "# process 5: 0",
  "# process : 0",
  '# process {"id":5,"start":1}: 0',
  '# process {"id":"0123456789ABCDEF0123456789ABCDEF","start":1}: 0',
  '# process {"id":"0123456789abcdef0123456789abcde","start":1}: 0',
  '# process {"start":1,"final":1}: 0',
  '# process {"start":1,"last":1}: 0',
  '# ledger {"id":"i","count":1,"killed":0.5,"ended":[]}: 0',
  "# seq: -1",
  "# seq: -1",
  "# seq: 1.0",
  "# seq: 1e3",
  "# seq: 9007199254740993",
  "# seq: x",
  "# seq: 5 ",
  "# describe null: 1",
  '# describe {"name":"a","buckets":[]}: 1',
  '# describe {"name":"a","buckets":[2,1]}: 1',
  '# describe {"name":"a","buckets":[1,null]}: 1',
  '# describe {"name":"a","buckets":5}: 1',
  '# last [["a","1"]]: 1',
  "# other",
  "# other: x",
];

/** What a slow and obvious reader makes of a snapshot; `undefined` if it is none. */
function reference(bytes: Uint8Array): Plain | undefined {
  try {
    return readSlowly(bytes);
  } catch {
    // It is not UTF-8, or an annotation is no JSON, or not what it should be.
    return undefined;
  }
}

function readSlowly(bytes: Uint8Array): Plain | undefined {
  const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })
    .decode(bytes);
  if (!text.endsWith("\n")) return undefined;
  const lines = text.split("\n").slice(0, -1);
  const annotated = lines.some((line) => line.startsWith("# "));
  if (annotated) {
    const last = lines.pop()!;
    const before = bytes.length - encode(last).length - 1;
    const end = /^# EOF: (\d{1,15})$/.exec(last);
    if (end === null || Number(end[1]) !== before) return undefined;
  } else if (bytes.length % 4096 === 0) return undefined;
  const stats = new Map<string, [value: number, fractional: number]>();
  const words: [word: string, content: string, number: number][] = [];
  let bad = 0;
  for (const line of lines) {
    const separator = annotated ? ": " : ":";
    const colon = line.lastIndexOf(separator);
    if (colon === -1) return undefined;
    const number = line.slice(colon + separator.length).replace(
      /^[ \t\v\f\r]+|[ \t\v\f\r]+$/g,
      "",
    );
    const value = Number(number) + 0;
    if (!NUMBER.test(number) || !Number.isFinite(value)) {
      if (annotated) return undefined;
      bad++;
      continue;
    }
    const name = line.slice(0, colon);
    if (name === "# EOF" || WRONG.includes(line)) return undefined;
    if (name.startsWith("# ")) {
      const [word] = /^# [^ ]*/.exec(line)!;
      words.push([word, name.slice(word.length + 1), value]);
      continue;
    }
    const fractional = /[.eE]/.test(number) ? 1 : 0;
    const known = stats.get(name) ?? [0, 0];
    const { MAX_VALUE } = Number;
    const sum = Math.min(Math.max(known[0] + value, -MAX_VALUE), MAX_VALUE);
    stats.set(name, [sum, known[1] | fractional]);
  }
  const kinds = new Map<string, number>();
  const mark = (kind: number, names: string[]) =>
    names.forEach((name) => kinds.set(name, kind));
  const of = (wanted: string) =>
    words.filter(([word]) => word === wanted)
      .map(([, content, number]) => ({ content: JSON.parse(content), number }));
  for (const { content } of of("# unknown")) mark(UNKNOWN, content);
  for (const { content } of of("# gauge")) mark(GAUGE, content);
  const recorded: Record<string, unknown>[] = [];
  for (const [word, content] of words) {
    if (word !== "# window" && word !== "# histogram") continue;
    const json = JSON.parse(content);
    let stat = recorded.find(({ name }) => name === json.name);
    if (stat === undefined) {
      stat = {
        name: json.name,
        percentiles: [],
        mean: undefined,
        fractional: false,
        values: undefined,
        histogram: undefined,
      };
      recorded.push(stat);
    }
    if (word === "# window") {
      const { percentiles, mean, values } = json;
      const all = [...stat.values as number[] ?? [], ...values];
      Object.assign(stat, { percentiles, mean, values: all });
      const numbers = /"values":\[([^\]]*)\]/.exec(content)![1];
      stat.fractional ||= numbers.includes(".");
      for (const [, name] of percentiles) kinds.set(name, SHOWN);
      kinds.set(mean, SHOWN);
    } else {
      const { name: _, ...histogram } = json;
      const buckets = (runs: number[][]) =>
        runs.flatMap(([first, ...counts]) =>
          counts.map((count, i) => [first + i, count])
        );
      const positive = buckets(histogram.positive);
      const negative = buckets(histogram.negative);
      const width = 2 ** -histogram.scale;
      const isThere = ([index]: number[]) =>
        2 ** ((index + 1) * width) > 0 && 2 ** (index * width) < Infinity;
      if (![...positive, ...negative].every(isThere)) return undefined;
      stat.histogram = { ...histogram, positive, negative };
      stat.fractional ||= /"min":-?\d+\./.test(content);
    }
  }
  const last = of("# last").flatMap(({ content }) => content);
  const numbered = lines.filter((line) => line.startsWith("# seq: "));
  const processes = of("# process");
  const ledgers = of("# ledger");
  const without = annotated ? COUNTER : UNKNOWN;
  return {
    annotated,
    bad,
    stats: [...stats].map((
      [name, [value, fractional]],
    ) => [name, value, fractional, kinds.get(name) ?? without]),
    recorded,
    descriptions: [
      ...new Map(
        of("# describe").map(({ content: { name, ...rest } }) => [
          name,
          { help: undefined, unit: undefined, merge: undefined, ...rest },
        ]),
      ),
    ],
    lastSet: [...new Map(last)].sort(),
    seq: numbered.length > 0
      ? Number(numbered.at(-1)!.slice("# seq: ".length))
      : undefined,
    process: processes.length === 0 ? undefined : {
      name: undefined,
      runtime: undefined,
      ...processes.at(-1)!.content,
      // A negative number says that nobody measures it.
      ...(processes.at(-1)!.number >= 0 &&
        { stalled: processes.at(-1)!.number }),
    },
    ledger: ledgers.at(-1)?.content,
  };
}

const NAMES = [
  "a",
  "b",
  "a: b",
  "__proto__",
  "constructor",
  "größe",
  'q{x="1"}',
  "#",
  "",
  "r.median",
  "r.mean",
  "é: é",
  "a:b",
  "long".repeat(20),
];

const name = fc.constantFrom(...NAMES);

const number = fc.oneof(
  { arbitrary: fc.nat(100).map(String), weight: 6 },
  fc.integer().map(String),
  fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => {
    const text = `${value}`;
    return text.includes(".") || text.includes("e") ? text : `${text}.0`;
  }),
  // 12 to 18 digits with the point anywhere.
  fc.tuple(fc.bigInt(0n, 10n ** 18n), fc.nat(18)).map(([digits, at]) => {
    const text = `${digits}`.padStart(12, "1");
    return `${text.slice(0, at)}.${text.slice(at)}`;
  }),
  // Many decimals.
  fc.tuple(fc.nat(99), fc.nat(1e6), fc.nat(30)).map(([whole, digits, zeros]) =>
    `${whole}.${"0".repeat(zeros)}${digits}`
  ),
  fc.bigInt(-(10n ** 20n), 10n ** 20n).map(String),
  fc.constantFrom(
    "-0",
    "-0.0",
    "+7",
    "007",
    "3.",
    ".5",
    "+.5",
    "1e3",
    "1E-07",
    "1.5e+07",
    " 5",
    "5 ",
    "\t5",
    "5\r",
    "999999999999999",
    "9007199254740993",
    "123456789012345.5",
    "0.1234567890123456",
    "5e-324",
    "2.2250738585072011e-308",
    "1.7976931348623157e308",
    "4.35",
    "0.000001",
    "1.00000000000000000000000",
  ),
);

// Two in a hundred, so that most sequences have whole snapshots.
const wrongNumber = fc.constantFrom(
  "1e999",
  "-1e999",
  "0x10",
  "1_000",
  "--5",
  "+-5",
  "NaN",
  "Infinity",
  "1e",
  ".",
  "-",
  "",
  "5 5",
  "1.2.3",
  "٣",
  "5\u00a0",
);

const whole = fc.nat(9);

const counts = fc.array(
  fc.tuple(fc.integer({ min: -50, max: 50 }), fc.array(fc.nat(3))),
  { maxLength: 3 },
).map((runs) => {
  // Runs that do not overlap.
  let at = -1000;
  return runs.map(([first, counts]) => {
    at = Math.max(at + 1, first);
    const run = [at, ...counts.map((count) => count + 1)];
    at += counts.length;
    return run;
  });
});

/** One annotation's line. */
const annotation = fc.oneof(
  fc.uniqueArray(name, { maxLength: 4 }).map((names) =>
    `# gauge ${JSON.stringify(names)}: ${names.length}`
  ),
  fc.uniqueArray(name, { maxLength: 3 }).map((names) =>
    `# unknown ${JSON.stringify(names)}: ${names.length}`
  ),
  fc.tuple(fc.constantFrom("r", "s", "__proto__"), fc.array(whole), whole).map(
    ([name, values, half]) => {
      const json = [...values, half].map((value) =>
        half > 6 ? `${value}.5` : `${value}`
      );
      // A point in any of them is enough.
      if (half === 5) json.push("7.0");
      return `# window {"name":"${name}.{0}","percentiles":[[50,"${name}.median"]],"mean":"${name}.mean","values":[${json}]}: ${json.length}`;
    },
  ),
  fc.tuple(fc.constantFrom("r", "s"), fc.integer({ min: -10, max: 20 }), counts)
    .chain(([name, scale, positive]) =>
      counts.map((negative) => {
        const sum = [...positive, ...negative].reduce(
          (sum, [, ...counts]) => counts.reduce((a, b) => a + b, sum),
          2,
        );
        return `# histogram {"name":"${name}.{0}","scale":${scale},"sum":${sum}.25,"min":${-scale}${
          scale > 0 ? ".5" : ""
        },"max":3,"zeros":2,"positive":${JSON.stringify(positive)},"negative":${
          JSON.stringify(negative)
        }}: ${sum}`;
      })
    ),
  fc.tuple(whole, whole).map(([start, stalled]) =>
    `# process {${
      start > 4 ? `"id":"${`${start}a`.repeat(16)}",` : ""
    }"start":${start}.5,"name":"p","runtime":"x 1"${
      stalled > 7 ? `,"final":true` : stalled > 4 ? `,"last":true` : ""
    }}: ${stalled === 3 ? "-1" : `${stalled}.25`}`
  ),
  fc.integer({ min: 1, max: 10 ** 15 - 1 }).map((seq) => `# seq: ${seq}`),
  fc.uniqueArray(fc.constantFrom("1@2", "3@4", "5@6")).map((ended) =>
    `# ledger {"id":"i","generation":3,"count":7,"killed":2,"ended":${
      JSON.stringify(ended)
    }}: ${ended.length}`
  ),
  fc.tuple(
    name,
    fc.constantFrom("sum", "last"),
    fc.constantFrom(undefined, [1], [-1, 0.5, 3]),
  ).map(([name, merge, buckets]) =>
    `# describe ${JSON.stringify({ name, help: "é: 5", merge, buckets })}: 1`
  ),
  fc.uniqueArray(name, { maxLength: 3 }).map((names) =>
    `# last ${
      JSON.stringify(names.map((name, i) => [name, i]))
    }: ${names.length}`
  ),
  fc.tuple(
    fc.constantFrom("# other", "# constructor {}", "# x: y", "# "),
    whole,
  )
    .map(([word, n]) => `${word}: ${n}`),
);

type Line = { text: string; value: string };

/** What happens from one snapshot to the next. */
const step = fc.oneof(
  // The same lines with other numbers: the fast way.
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant("count" as const),
      at: fc.nat(40),
      value: number,
    }),
  },
  fc.record({
    do: fc.constant("count" as const),
    at: fc.nat(40),
    value: wrongNumber,
  }),
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant("append" as const),
      name,
      value: number,
    }),
  },
  fc.record({
    do: fc.constant("insert" as const),
    at: fc.nat(40),
    name,
    value: number,
  }),
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant("annotate" as const),
      at: fc.nat(40),
      annotation,
    }),
  },
  fc.record({
    do: fc.constant("annotate" as const),
    at: fc.nat(40),
    annotation: fc.constantFrom(...WRONG),
  }),
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant("change" as const),
      at: fc.nat(40),
      annotation,
    }),
  },
  fc.record({ do: fc.constant("remove" as const), at: fc.nat(40) }),
  fc.record({
    do: fc.constant("swap" as const),
    at: fc.nat(40),
    with: fc.nat(40),
  }),
  fc.record({
    do: fc.constant("corrupt" as const),
    at: fc.nat(1000),
    byte: fc.oneof(
      fc.nat(255),
      fc.constantFrom(10, 32, 45, 46, 48, 58, 0x85, 0xa0),
    ),
  }),
  fc.record({ do: fc.constant("cut" as const), at: fc.nat(1000) }),
  fc.record({ do: fc.constant("double" as const) }),
  { weight: 2, arbitrary: fc.record({ do: fc.constant("repair" as const) }) },
);

/** The snapshots that one process sends, one after the other. */
function* snapshots(
  annotated: boolean,
  steps: readonly (typeof step extends fc.Arbitrary<infer T> ? T : never)[],
): Iterable<{ bytes: Uint8Array; isCorrupt: boolean }> {
  const lines: Line[] = [{ text: "a", value: "1" }];
  const annotations: string[] = [];
  let good = { lines: [...lines], annotations: [...annotations] };
  const text = () => {
    const all = lines.map(({ text, value }) => `${text}: ${value}\n`);
    if (!annotated) return all.join("");
    // Mostly behind the lines, where the fast way looks for them.
    return withEnd(
      [...all, ...annotations.map((line) => `${line}\n`)].join(""),
    );
  };
  yield { bytes: encode(text()), isCorrupt: false };
  for (const step of steps) {
    let bytes: Uint8Array | undefined;
    if (step.do === "count" && lines.length > 0) {
      const at = step.at % lines.length;
      const { text } = lines[at];
      // An annotation's number is what it says it is.
      if (!text.startsWith("# ")) lines[at] = { text, value: step.value };
    } else if (step.do === "append") {
      lines.push({ text: step.name, value: step.value });
    } else if (step.do === "insert") {
      lines.splice(step.at % (lines.length + 1), 0, {
        text: step.name,
        value: step.value,
      });
    } else if (step.do === "annotate") {
      if (step.at % 5 === 0 && annotated) {
        // Between the lines.
        const colon = step.annotation.lastIndexOf(": ");
        lines.splice(step.at % (lines.length + 1), 0, {
          text: step.annotation.slice(0, Math.max(colon, 0)),
          value: step.annotation.slice(colon + 2),
        });
      } else annotations.push(step.annotation);
    } else if (step.do === "change" && annotations.length > 0) {
      annotations[step.at % annotations.length] = step.annotation;
    } else if (step.do === "remove") {
      const from = step.at % 2 ? lines : annotations;
      from.splice(step.at % (from.length + 1), 1);
    } else if (step.do === "swap" && lines.length > 0) {
      const [a, b] = [step.at % lines.length, step.with % lines.length];
      [lines[a], lines[b]] = [lines[b], lines[a]];
    } else if (step.do === "corrupt") {
      bytes = encode(text());
      bytes[step.at % bytes.length] = step.byte;
    } else if (step.do === "cut") {
      bytes = encode(text());
      bytes = bytes.subarray(0, step.at % bytes.length);
    } else if (step.do === "double") bytes = encode(text() + text());
    else if (step.do === "repair") {
      lines.splice(0, Infinity, ...good.lines);
      annotations.splice(0, Infinity, ...good.annotations);
    }
    if (reference(encode(text())) !== undefined) {
      good = { lines: [...lines], annotations: [...annotations] };
    }
    const isCorrupt = bytes !== undefined;
    yield { bytes: bytes ?? encode(text()), isCorrupt };
  }
}

/** What a parser makes of bytes: what they say, or what is wrong. */
function outcome(parse: () => Snapshot): unknown {
  try {
    return plain(parse());
  } catch (error) {
    assert(error instanceof SnapshotError, `${(error as Error).stack}`);
    const { message, annotated, torn } = error;
    return { message, annotated, torn };
  }
}

Deno.test("parse() of one parser, fed one process's snapshots in turn, says what a slow reader says of each", () => {
  let whole = 0;
  let refused = 0;
  fc.assert(
    fc.property(
      fc.boolean(),
      fc.array(step, { maxLength: 40, size: "max" }),
      (annotated, steps) => {
        const parser = new SnapshotParser(new NameTable());
        for (const { bytes, isCorrupt } of snapshots(annotated, steps)) {
          const mine = outcome(() => parser.parse(bytes));
          const text = new TextDecoder().decode(bytes);
          // What is refused is refused in the words that a new parser has.
          assertEquals(mine, outcome(() => parseSnapshot(bytes)), text);
          // What a flipped byte makes of JSON, only the parser knows.
          if (isCorrupt && text.includes("# ")) continue;
          const expected = reference(bytes);
          if (expected !== undefined) assertEquals(mine, expected, text);
          else assert("message" in (mine as object), text);
          if (expected === undefined) refused++;
          else whole++;
        }
      },
    ),
    // Each run has 20 snapshots or so.
    { numRuns: Number(Deno.env.get("STATVENT_FUZZ") ?? 16_000) / 20 },
  );
  assert(
    whole > 5_000 && refused > 500,
    `${whole} whole, ${refused} refused`,
  );
});

Deno.test("parse() refuses a window's number with leading zeros, first and again", () => {
  const of = (numbers: string) =>
    encode(withEnd(
      `# window {"name":"r.{0}","percentiles":[],"mean":"r.mean","values":[${numbers}]}: 2\n`,
    ));
  const parser = new SnapshotParser(new NameTable());
  parser.parse(of("5,7"));
  for (const numbers of ["05,7", "5,07", "-00,7", "5,-01.5"]) {
    assertThrows(
      () => parser.parse(of(numbers)),
      SnapshotError,
      "a window must hold its values",
    );
    parser.parse(of("0,-0.5"));
  }
});

Deno.test("parse() reads every number as Number() does, bit for bit, first and again", () => {
  const bits = (value: number) =>
    new BigUint64Array(Float64Array.of(value).buffer)[0];
  const parser = new SnapshotParser(new NameTable());
  parser.parse(encode("n: 1\n"));
  fc.assert(
    fc.property(number, (text) => {
      const expected = bits(Number(text) + 0);
      for (const read of [parser, new SnapshotParser(new NameTable())]) {
        const { values } = read.parse(encode(`n: ${text}\n`));
        assertEquals(bits(values[0]), expected, text);
      }
    }),
    { numRuns: 50_000 },
  );
});

Deno.test("parse() takes the names of Object's own properties for names, wherever they stand", () => {
  const name = "__proto__";
  const { stats, recorded, descriptions, lastSet } = plain(parseSnapshot(encode(
    withEnd(
      `${name}: 1\nconstructor: 2\n# gauge ["${name}"]: 1\n` +
        `# describe {"name":"${name}","merge":"last"}: 1\n` +
        `# last [["${name}",5]]: 1\n` +
        `# window {"name":"${name}.{0}","percentiles":[[50,"constructor"]],"mean":"toString","values":[1]}: 1\n`,
    ),
  )));
  assertEquals(stats, [[name, 1, 0, GAUGE], ["constructor", 2, 0, SHOWN]]);
  assertEquals(recorded.length, 1);
  assertEquals(descriptions, [[name, {
    help: undefined,
    unit: undefined,
    merge: "last",
  }]]);
  assertEquals(lastSet, [[name, 5]]);
  // As words of annotations they are unknown ones.
  parseSnapshot(encode(withEnd("# constructor {}: 1\n# __proto__ {}: 1\n")));
});

Deno.test("parse() of a parser that is kept reads recorded stats without making their names anew", () => {
  const parser = new SnapshotParser(new NameTable());
  const text = (value: number) =>
    encode(withEnd(
      `m: ${value}\nh: ${value}\n# window {"name":"r","percentiles":[[50,"m"]],"mean":"h","values":[${value}]}: 1\n` +
        `# histogram {"name":"r","scale":0,"sum":${value},"min":1,"max":${value},"zeros":0,"positive":[[0,${value}]],"negative":[]}: ${value}\n` +
        `# histogram {"name":"s","scale":0,"sum":0,"min":0,"max":0,"zeros":${value},"positive":[],"negative":[]}: ${value}\n`,
    ));
  const first = parser.parse(text(1));
  const second = parser.parse(text(23));
  assert(first.recorded[0].description === second.recorded[0].description);
  // This one has a line of its histogram only.
  assert(first.recorded[1].description === second.recorded[1].description);
  assert(first.kinds === second.kinds);
  assert(first.ids === second.ids);
  assertEquals(second.recorded[0].histogram?.positive, new Map([[0, 23]]));
});

Deno.test("parse() neither throws anything but a SnapshotError nor takes long, whatever the bytes", () => {
  const hostile = [
    "# window {".repeat(20_000),
    `# window {"name":"r","values":[${"[".repeat(50_000)}: 1\n`,
    `a: ${" ".repeat(100_000)}x\n`,
    `a: ${"1".repeat(100_000)}\n`,
    `${": ".repeat(100_000)}\n`,
    `# histogram {"name":"r","scale":4,"sum":0,"min":0,"max":0,"zeros":0,"positive":[[9e15,1,1,1]],"negative":[]}: 3\n`,
  ];
  const parser = new SnapshotParser(new NameTable());
  for (const text of hostile) {
    for (const whole of [text, withEnd(text), withEnd(`${text}\n`)]) {
      const start = cpuTime();
      for (let i = 0; i < 2; i++) {
        try {
          parser.parse(encode(whole));
        } catch (error) {
          assert(error instanceof SnapshotError, `${(error as Error).stack}`);
        }
      }
      const ms = cpuTime() - start;
      assert(ms < 1000, `${ms} ms: ${text.slice(0, 40)}`);
    }
  }
  assertThrows(() => parser.parse(new Uint8Array(0)), SnapshotError);
});
