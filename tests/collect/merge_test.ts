import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { type HostStats, toMap } from "../../collect/host_stats.ts";
import { merge, type MergeInput } from "../../collect/merge.ts";
import { Totals } from "../../ended/totals.ts";
import { formatNumber, type Snapshot } from "../../format.ts";
import { NameTable } from "../../format/snapshot.ts";
import { parseSnapshot, SnapshotParser } from "../../format/snapshot_parser.ts";
import { SnapshotWriter } from "../../format/snapshot_writer.ts";
import { COUNTER, GAUGE, SHOWN, UNKNOWN } from "../../model/kinds.ts";
import { parse } from "../helpers/text.ts";

/** The snapshot of a process that recorded `values` as `name`. */
function recorded(name: string, values: number[], others = ""): Snapshot {
  const names = [[50, `${name}.median`], [95, `${name}.95th`]];
  const description = {
    name: `${name}.{0}`,
    percentiles: names,
    mean: `${name}.mean`,
    values,
  };
  const lines = [...names.map(([, label]) => label), `${name}.mean`]
    .map((label) =>
      `${label}: ${formatNumber(1e6, values.some((v) => v % 1))}\n`
    )
    .join("");
  const text = `${others}${lines}# window ${
    JSON.stringify(description)
  }: ${values.length}\n`;
  return parse(`${text}# EOF: ${new TextEncoder().encode(text).length}\n`);
}

Deno.test("merge() sums what has no window, and is a float if one of them is", () => {
  const host = merge({
    live: [
      parse("a: 1\nb: 2\n__proto__: 1\n"),
      parse("b: 3\nc: 4.0\nconstructor: 1\n"),
      parse("c: 1\n__proto__: 2\n"),
    ],
  });
  assertEquals([...toMap(host)], [
    ["a", { value: 1, fractional: false }],
    ["b", { value: 5, fractional: false }],
    ["__proto__", { value: 3, fractional: false }],
    ["c", { value: 5, fractional: true }],
    ["constructor", { value: 1, fractional: false }],
  ]);
  assertEquals(merge({ live: [] }).ids.length, 0);
});

Deno.test("merge() takes percentiles and mean of the pooled windows", () => {
  fc.assert(fc.property(
    fc.array(fc.array(fc.integer(), { minLength: 1, maxLength: 100 }), {
      minLength: 1,
      maxLength: 8,
    }),
    (windows) => {
      const stats = toMap(
        merge({ live: windows.map((values) => recorded("r", values)) }),
      );
      const all = windows.flat().sort((a, b) => a - b);
      const at = (p: number) =>
        all[Math.max(0, Math.floor(all.length * (p * 0.01)) - 1)];
      assertEquals(
        [...stats].map(([name, { value }]) => [name, value]),
        [
          ["r.median", at(50)],
          ["r.95th", at(95)],
          ["r.mean", all.reduce((a, b) => a + b, 0) / all.length],
        ],
      );
    },
  ));
});

Deno.test("merge() pools by name, and keeps each process's other stats", () => {
  const stats = toMap(merge({
    live: [
      recorded("a", [1, 2], "count: 1\n"),
      recorded("b", [10.5]),
      recorded("a", [3, 4], "count: 2\n"),
      parse("count: 4\nold.95th: 7\n"),
    ],
  }));
  assertEquals(
    Object.fromEntries(
      [...stats].map((
        [name, { value, fractional }],
      ) => [name, formatNumber(value, fractional)]),
    ),
    {
      "count": "7",
      "old.95th": "7",
      "a.median": "2",
      "a.95th": "3",
      "a.mean": "2.5",
      "b.median": "10.5",
      "b.95th": "10.5",
      "b.mean": "10.5",
    },
  );
});

/** What a process says that sends annotations. */
const annotated = (text: string) =>
  parse(`${text}# EOF: ${new TextEncoder().encode(text).length}\n`);

/** Each stat's value as it prints, and its kind. */
const shown = (host: HostStats) =>
  Object.fromEntries(
    [...host.ids].map((
      id,
      i,
    ) => [host.table.names[id], [
      formatNumber(host.values[i], host.fractional[i] === 1),
      host.kinds[i],
    ]]),
  );

Deno.test("merge() decides between kinds: a gauge before a counter before what is not known", () => {
  const says = {
    counter: annotated("n: 1\n"),
    gauge: annotated('n: 2\n# gauge ["n"]: 1\n'),
    unknown: parse("n: 4\n"),
    unknownToo: annotated('n: 8\n# unknown ["n"]: 1\n'),
  };
  const table: [(keyof typeof says)[], string, number][] = [
    [["counter"], "1", COUNTER],
    [["gauge"], "2", GAUGE],
    [["unknown"], "4", UNKNOWN],
    [["unknownToo"], "8", UNKNOWN],
    [["counter", "unknown"], "5", COUNTER],
    [["counter", "gauge"], "3", GAUGE],
    [["unknown", "unknownToo", "gauge"], "14", GAUGE],
    [["gauge", "counter", "unknown", "unknownToo"], "15", GAUGE],
  ];
  for (const [names, value, kind] of table) {
    for (const order of [names, names.toReversed()]) {
      const host = merge({ live: order.map((name) => says[name]) });
      assertEquals(shown(host), { n: [value, kind] }, `${order}`);
    }
  }
});

Deno.test("merge() makes one value of a gauge's as its description says", () => {
  const process = (value: number, time: number, merge: string) =>
    annotated(
      `q: ${value}\nq{a="1"}: ${value}\nc: ${value}\n# gauge ["q","q{a=\\"1\\"}"]: 2\n` +
        `# describe {"name":"q","merge":"${merge}"}: 1\n# describe {"name":"c","merge":"${merge}"}: 1\n` +
        `# last [["q",${time}],["q{a=\\"1\\"}",${10 - time}]]: 2\n`,
    );
  const expected = {
    sum: ["17", "17"],
    min: ["2", "2"],
    max: ["9", "9"],
    mean: ["5.666666666666667", "5.666666666666667"],
    // The last is the second; for the series with a label, the first.
    last: ["6", "9"],
  };
  for (const [how, [plain, labelled]] of Object.entries(expected)) {
    const live = [process(9, 1, how), process(6, 5, how), process(2, 3, how)];
    const host = merge({ live });
    assertEquals(shown(host), {
      "q": [plain, GAUGE],
      'q{a="1"}': [labelled, GAUGE],
      // A counter is summed, whatever is said of it.
      "c": ["17", COUNTER],
    }, how);
    assertEquals(host.descriptions.get("q")?.merge, how);
  }
  const tie = [3, 8, 5].map((value) => process(value, 1, "last"));
  assertEquals(shown(merge({ live: tie }))["q"], ["8", GAUGE]);
  // Of whole numbers a mean that is whole stays one.
  const even = [3, 5].map((value) => process(value, 1, "mean"));
  assertEquals(shown(merge({ live: even }))["q"], ["4", GAUGE]);
});

Deno.test("merge() lets no process change what another one's values are worth", () => {
  const max = (value: number) =>
    `n: ${value}\n# gauge ["n"]: 1\n# describe {"name":"n","merge":"max"}: 1\n`;
  const honest = ["n: 5\nm: 1\n", "n: 6\nm: 1\n"];
  const liars: [text: string, value: string, kind: number][] = [
    // One that says nothing of n, only how it merges.
    ['# describe {"name":"n","merge":"min"}: 1\n', "11", COUNTER],
    ['n: 3\n# gauge ["n"]: 1\n', "14", GAUGE],
    [max(3), "14", GAUGE],
    [max(30), "41", GAUGE],
    ["n: -3\n", "8", GAUGE],
    [
      'n: 3\n# window {"name":"r","percentiles":[[50,"n"]],"mean":"r.mean","values":[3]}: 1\n',
      "14",
      COUNTER,
    ],
  ];
  for (const [liar, value, kind] of liars) {
    const texts = [...honest, liar];
    for (const order of [texts, texts.toReversed()]) {
      const { n, m } = shown(merge({ live: order.map(annotated) }));
      assertEquals({ n, m }, { n: [value, kind], m: ["2", COUNTER] }, liar);
    }
  }
  // Those that agree make one value, and the others' are added.
  const live = [max(3), max(7), ...honest].map(annotated);
  assertEquals(shown(merge({ live })).n, ["18", GAUGE]);
  // What counted, and has ended, goes on to count.
  const ended = [annotated("n: 100\n"), annotated("n: -100\n")];
  assertEquals(shown(merge({ live, ended })).n, ["118", GAUGE]);
});

Deno.test("merge() keeps the resolution of histograms although one has none", () => {
  const recorded = (scale: number, buckets: number[][]) =>
    annotated(
      `# histogram {"name":"r","scale":${scale},"sum":6,"min":1,"max":3,"zeros":0,"positive":${
        JSON.stringify(buckets)
      },"negative":[]}: 3\n`,
    );
  const live = [
    recorded(-10, [[-1, 1, 2]]),
    recorded(4, [[-1, 1], [15, 1], [25, 1]]),
    recorded(20, [[-1, 1], [2 ** 20 - 1, 2]]),
  ];
  for (const order of [live, live.toReversed()]) {
    const [{ histogram }] = merge({ live: order }).recorded;
    assertEquals(histogram?.scale, 4);
    const { positive } = histogram!;
    assertEquals([-1, 15, 25].map((i) => positive.get(i)), [3, 3, 3]);
  }
});

Deno.test("merge() takes of what has ended counters and histograms only", () => {
  const text = (n: number) =>
    `n: ${n}\ng: ${n}\nu: ${n}\nr.median: 5\nr.mean: 5.0\n# gauge ["g"]: 1\n# unknown ["u"]: 1\n` +
    `# describe {"name":"n","help":"H${n}"}: 1\n` +
    `# window {"name":"r","percentiles":[[50,"r.median"]],"mean":"r.mean","values":[${n}]}: 1\n` +
    `# histogram {"name":"r","scale":4,"sum":${n},"min":${n},"max":${n},"zeros":0,"positive":[[${n},1]],"negative":[]}: 1\n`;
  const totals = new Totals();
  totals.add(annotated(text(1)));
  totals.add(annotated(text(2)));
  const ended = [annotated(text(4))];
  const gone = merge({ live: [], ended, totals: [totals] });
  assertEquals(shown(gone), { n: ["7", COUNTER] });
  assertEquals(gone.descriptions.get("n")?.help, "H4");
  const before = merge({ live: [], totals: [totals] });
  assertEquals(before.descriptions.get("n")?.help, "H2");
  // Of a stat without a histogram nothing is left.
  const windowOnly = annotated(
    '# window {"name":"w","percentiles":[],"mean":"w.mean","values":[1]}: 1\n',
  );
  assertEquals(merge({ live: [], ended: [windowOnly] }).recorded, []);
  const host = merge({ live: [annotated(text(8))], ended, totals: [totals] });
  assertEquals(shown(host), {
    "n": ["15", COUNTER],
    "g": ["8", GAUGE],
    "u": ["8", UNKNOWN],
    "r.median": ["8", SHOWN],
    "r.mean": ["8.0", SHOWN],
  });
  const [{ window, histogram }] = host.recorded;
  assertEquals([...window], [8]);
  assertEquals(histogram, {
    scale: 4,
    sum: 15,
    rest: 0,
    min: 1,
    max: 8,
    zeros: 0,
    positive: new Map([[8, 1], [4, 1], [1, 1], [2, 1]]),
    negative: new Map(),
  });
  assertEquals(host.descriptions.get("n")?.help, "H8");
  // What was merged is as it was.
  assertEquals(totals.counters.get("n"), {
    value: 3,
    rest: 0,
    fractional: false,
  });
  assertEquals(ended[0].recorded[0].histogram?.sum, 4);
});

Deno.test("merge() merges all stats of live processes in the one way it is told to", () => {
  const live = [
    annotated("n: 3\nm: 1.5\n"),
    annotated('n: 8\n# gauge ["n"]: 1\n'),
    parse("n: 1\n"),
  ];
  const n = (aggregate: MergeInput["aggregate"]) =>
    shown(merge({ live, aggregate })).n;
  assertEquals(
    (["sum", "min", "max", "mean", undefined] as const).map(n),
    [["12", GAUGE], ["1", GAUGE], ["8", GAUGE], ["4", GAUGE], ["12", GAUGE]],
  );
});

Deno.test("merge() does the same whether the snapshots share a table of names or not", () => {
  const texts = [
    "a: 1\nb: 2\n",
    'b: 3\nc: 4\n# gauge ["c"]: 1\n# EOF: 27\n',
    "c: 5\n",
  ];
  const table = new NameTable();
  const encode = (text: string) => new TextEncoder().encode(text);
  const shared = texts.map((text) =>
    new SnapshotParser(table).parse(encode(text))
  );
  assertEquals(
    shown(merge({ table, live: shared })),
    shown(merge({ live: texts.map(parse) })),
  );
  // One of them was read when there was another table.
  const mixed = [shared[0], parse(texts[1]), shared[2]];
  assertEquals(
    shown(merge({ table, live: mixed })),
    shown(merge({ live: shared })),
  );
});

/** What a process has left that has counted and recorded an amount. */
const spent = (n: number) => {
  // Of one bucket, whatever the amount.
  const sum = JSON.stringify(n);
  return annotated(
    `n: ${n}\n# histogram {"name":"h","scale":-10,"sum":${sum},"min":${sum},"max":${sum},"zeros":0,"positive":[[${
      n > 1 ? 0 : -1
    },1]],"negative":[]}: 1\n`,
  );
};

const amount = fc.double({ min: 1e-3, max: 1e6, noNaN: true });

Deno.test("merge() gives the same sums, whoever has ended, and in whatever order they were added up", () => {
  fc.assert(fc.property(
    fc.array(fc.tuple(amount, fc.nat(2)), { minLength: 1, maxLength: 30 }),
    (all) => {
      const sumsOf = (input: MergeInput) => {
        const host = merge(input);
        return [
          toMap(host).get("n")!.value,
          host.recorded[0].histogram!.sum,
        ];
      };
      const ledger = [new Totals(), new Totals()];
      const live: Snapshot[] = [];
      const ended: Snapshot[] = [];
      for (const [n, fate] of all) {
        if (fate === 0) live.push(spent(n));
        else if (fate === 1) ended.push(spent(n));
        else ledger[live.length % 2].addProcess(spent(n));
      }
      const before = sumsOf({ live: all.map(([n]) => spent(n)) });
      // As the ledger's file has them.
      const written = ledger.map((totals) => {
        const read = new Totals();
        read.add(parseSnapshot(
          new SnapshotWriter().write(totals.source(), true).slice(),
        ));
        return read;
      });
      assertEquals(
        sumsOf({ live: live.reverse(), ended, totals: written }),
        before,
      );
    },
  ));
});

Deno.test("merge() keeps a sum finite", () => {
  const max = `n: ${formatNumber(Number.MAX_VALUE, true)}\n`;
  const host = merge({ live: [parse(max), parse(max), parse(max)] });
  assertEquals([...host.values], [Number.MAX_VALUE]);
});

Deno.test("new Totals() keeps 100 000 names, and counts what was more", () => {
  const totals = new Totals();
  for (let process = 0; process < 3; process++) {
    const lines = Array.from(
      { length: 50_000 },
      (_, i) => `${process}.${i}: 1\n`,
    );
    totals.add(annotated(`${lines.join("")}same: 1\n`));
  }
  assertEquals(totals.counters.size, 100_001);
  assertEquals(totals.counters.get("same")?.value, 3);
  // The last process's 50 000, and one that "same" has taken the place of.
  assertEquals(totals.counters.get("statvent.refused")?.value, 50_001);
});
