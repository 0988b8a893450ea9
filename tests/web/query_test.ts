import { assert, assertEquals, assertThrows } from "@std/assert";
import { type HostStats, toMap } from "../../collect/host_stats.ts";
import { merge } from "../../collect/merge.ts";
import { formatNumber, parseSnapshot } from "../../format.ts";
import { filter, parseQuery, QueryError } from "../../web/query.ts";
import { encode } from "../helpers/text.ts";
import { cpuTime } from "../helpers/cpu_time.ts";

const text = `http.requests: 120
http.errors: 0.5
requests: 7
db.requests{table="a>b"}: 3
db.requests{table="c"}: 400
db.size: -5
a = b: 9
r.median: 5
r.mean: 5.0
s.median: 1
s.mean: 1.0
# window {"name":"r.{0}","percentiles":[[50,"r.median"]],"mean":"r.mean","values":[5]}: 1
# window {"name":"s.{0}","percentiles":[[50,"s.median"]],"mean":"s.mean","values":[1]}: 1
`;

const host = merge({
  live: [parseSnapshot(encode(`${text}# EOF: ${text.length}\n`))],
});

/** What a query string keeps of the host. */
function kept(search: string): HostStats {
  const { keep } = parseQuery(new URLSearchParams(search));
  return keep === undefined ? host : filter(host, keep);
}

const names = (search: string) => [...toMap(kept(search)).keys()];

Deno.test("parseQuery() understands every parameter", () => {
  const { keep, ...rest } = parseQuery(new URLSearchParams());
  assertEquals([keep, rest], [undefined, {
    format: "json",
    byProcess: false,
    pid: undefined,
    aggregate: undefined,
  }]);
  const { keep: keepSome, ...all } = parseQuery(
    new URLSearchParams(
      "format=prettyjson&by=process&pid=12&match=a*&query=b",
    ),
  );
  assertEquals([typeof keepSome, all], ["function", {
    format: "prettyjson",
    byProcess: true,
    pid: "12",
    aggregate: undefined,
  }]);
  const { aggregate } = parseQuery(new URLSearchParams("aggr=mean"));
  assertEquals(aggregate, "mean");
});

Deno.test("match keeps the names that a pattern matches, with their labels or without", () => {
  assertEquals(names("match=http.*"), ["http.requests", "http.errors"]);
  assertEquals(names("match=db.requests"), [
    'db.requests{table="a>b"}',
    'db.requests{table="c"}',
  ]);
  assertEquals(names('match=*{table="c"}'), ['db.requests{table="c"}']);
  assertEquals(names("match=nothing"), []);
  assertEquals(names("match=*").length, host.ids.length);
});

Deno.test("query keeps names, or the last parts of names, with values that compare", () => {
  const table: [string, string[]][] = [
    ["requests", [
      "http.requests",
      "requests",
      'db.requests{table="a>b"}',
      'db.requests{table="c"}',
    ]],
    ["requests > 100", ["http.requests", 'db.requests{table="c"}']],
    ["requests>100", ["http.requests", 'db.requests{table="c"}']],
    ["  requests  >=  7 ", [
      "http.requests",
      "requests",
      'db.requests{table="c"}',
    ]],
    ["requests < 7", ['db.requests{table="a>b"}']],
    ["requests <= 7", ["requests", 'db.requests{table="a>b"}']],
    ["requests = 7", ["requests"]],
    ["requests == 7.0", ["requests"]],
    ["requests != 7", [
      "http.requests",
      'db.requests{table="a>b"}',
      'db.requests{table="c"}',
    ]],
    ["db.size < -4.5", ["db.size"]],
    ["size = -5e0", ["db.size"]],
    ["errors < 1", ["http.errors"]],
    ["http.requests", ["http.requests"]],
    ['db.requests{table="a>b"}', ['db.requests{table="a>b"}']],
    ['db.requests{table="a>b"} < 5', ['db.requests{table="a>b"}']],
    ['db.requests{table="a>b"} > 5', []],
    ["equests", []],
    ["r.median", ["r.median"]],
  ];
  for (const [query, expected] of table) {
    assertEquals(names(`query=${encodeURIComponent(query)}`), expected, query);
  }
  assertEquals(names("match=db.*&query=requests<5"), [
    'db.requests{table="a>b"}',
  ]);
});

Deno.test("filter() keeps the recorded stats of which something shows, and all columns in step", () => {
  assertEquals(kept("match=r.*").recorded.map(({ name }) => name), ["r.{0}"]);
  assertEquals(kept("query=s.mean").recorded.map(({ name }) => name), [
    "s.{0}",
  ]);
  assertEquals(kept("match=db.*").recorded, []);
  const whole = toMap(host);
  for (const [name, stat] of toMap(kept("query=mean"))) {
    assertEquals(stat, whole.get(name));
    assertEquals(formatNumber(stat.value, stat.fractional).includes("."), true);
  }
});

Deno.test("parseQuery() refuses what makes no sense, and says what would", () => {
  const comparison =
    'query must be a name, or a name, one of > >= < <= = == != and a number, as in "requests > 100", got ';
  const table: [string, string][] = [
    ["format=xml", 'format must be json, prettyjson or text, got "xml"'],
    ["format=", 'format must be json, prettyjson or text, got ""'],
    ["format=JSON", 'format must be json, prettyjson or text, got "JSON"'],
    ["by=host", 'by must be process, got "host"'],
    ["aggr=avg", 'aggr must be sum, min, max or mean, got "avg"'],
    ["aggr=last", 'aggr must be sum, min, max or mean, got "last"'],
    [
      "by=process&format=text",
      'format must be json or prettyjson with by=process, got "text"',
    ],
    ...["", ".", ".hidden"].map((
      pid,
    ): [string, string] => [
      `pid=${pid}`,
      `pid must be a process id or the name of a pipe, got "${pid}"`,
    ]),
    ["match=", 'match must be a pattern such as "http.*", got ""'],
    ...[
      "",
      " ",
      "a >",
      "> 5",
      "a > b",
      "a >> 5",
      "a => 5",
      "a > 0x5",
      "a > NaN",
      "a != ",
    ].map((
      query,
    ): [string, string] => [
      `query=${encodeURIComponent(query)}`,
      comparison + JSON.stringify(query),
    ]),
    [
      "forma=json",
      'unknown parameter "forma", the known ones are format, match, query, aggr, by and pid',
    ],
    [
      "__proto__=1",
      'unknown parameter "__proto__", the known ones are format, match, query, aggr, by and pid',
    ],
    ["format=json&format=json", "format must not be repeated"],
    ["aggr=max&pid=1", "aggr cannot be combined with by=process or pid"],
    ["pid=1&match=a&pid=1", "pid must not be repeated"],
  ];
  for (const [search, why] of table) {
    const error = assertThrows(
      () => parseQuery(new URLSearchParams(search)),
      QueryError,
    );
    assertEquals(error.message, `Cannot read the parameters: ${why}`, search);
  }
});

Deno.test("parseQuery() takes no longer for a hostile query", () => {
  for (
    const query of [
      " ".repeat(50_000) + "x >",
      "a<".repeat(20_000),
      "a ".repeat(20_000) + ">",
      `x{${'a="b",'.repeat(5_000)}`,
      `${'{a="'.repeat(5_000)}"}`,
    ]
  ) {
    const start = cpuTime();
    try {
      const { keep } = parseQuery(new URLSearchParams([["query", query]]));
      keep?.("a", "a", 1);
    } catch (error) {
      assertEquals((error as Error).name, "QueryError");
    }
    const ms = cpuTime() - start;
    assertEquals(ms < 500, true, `${ms} ms for ${query.slice(0, 10)}`);
  }
});

Deno.test("no pattern takes long, however many ranges it has", () => {
  const query = (text: string) =>
    parseQuery(new URLSearchParams({ match: text }));
  const { keep } = query(`*[${"A-B".repeat(80)}]`);
  const start = cpuTime();
  for (let i = 0; i < 10_000; i++) {
    const name = `some.name.of.a.stat.${i}`;
    assert(!keep!(name, name, 1));
  }
  const ms = cpuTime() - start;
  assert(ms < 1000, `${ms} ms`);
  assertThrows(() => query("a".repeat(257)), QueryError, "of at most 256");
});

Deno.test("parseQuery() reads a long number in no time", () => {
  const digits = "1".repeat(1_000_000);
  for (const text of [`${digits}x`, `.${digits}x`, `${digits}.${digits}`]) {
    const start = cpuTime();
    assertThrows(
      () => parseQuery(new URLSearchParams({ query: `a>${text}` })),
      QueryError,
    );
    const ms = cpuTime() - start;
    assert(ms < 1000, `${ms} ms`);
  }
});
