import { assertEquals } from "@std/assert";
import fc from "fast-check";
import type { Kind } from "../../model/kinds.ts";
import type { OwnMetric } from "../../prometheus/families.ts";
import { anyHost, ESCAPINGS, samples, write } from "../helpers/exposition.ts";
import {
  COUNTER,
  GAUGE,
  type HostInput,
  makeHost,
  type PlainStat,
  recordedOf,
  UNKNOWN,
} from "../helpers/host.ts";

Deno.test("respond() keeps series apart that escaping makes the same", () => {
  const stats: PlainStat[] = [
    ["a_b", GAUGE, 1],
    ["a.b", GAUGE, 2],
    ['a_b{name="a_b"}', GAUGE, 3],
    ['a.b{x=""}', GAUGE, 4],
    ['c{k="1",j="2"}', COUNTER, 5],
    ['c{j="2",k="1"}', COUNTER, 6],
    ['d{a.b="1",a_b="2",__name__="3",_.x="4"}', GAUGE, 7],
    ['e{x="\\ud800"}', GAUGE, 8],
    ['e{x="\\udfff"}', GAUGE, 9],
  ];
  assertEquals(samples(write({ stats }, "text")), [
    "a_b 2",
    String.raw`a_b{name="a.b{x=\"\"}"} 4`,
    'a_b{name="a_b"} 1',
    String.raw`a_b{exported_name="a_b{name=\"a_b\"}",name="a_b"} 3`,
    'c_total{j="2",k="1"} 6',
    String.raw`c_total{j="2",k="1",name="c{k=\"1\",j=\"2\"}"} 5`,
    'd{a_b="1",exported___name__="3",exported___x="4",exported_a_b="2"} 7',
    'e{x="\ufffd"} 8',
    String.raw`e{name="e{x=\"\\udfff\"}",x="` + '\ufffd"} 9',
  ]);
});

Deno.test("respond() gives a family whose samples would be another's its type as a suffix", () => {
  const names = (input: HostInput, own?: readonly OwnMetric[]) =>
    samples(write(input, "openmetrics", undefined, own))
      .map((line) => line.split(/[ {]/)[0])
      .filter((name, i, all) => name !== all[i - 1]);
  const summary = ["x", "x_sum", "x_count"];
  const histogram = ["bucket", "sum", "count"].map((s) => `x_histogram_${s}`);
  const recorded = [recordedOf("x", [1])];
  assertEquals(names({ stats: [["x_count", GAUGE, 1]], recorded }), [
    "x_count_gauge",
    ...summary,
    ...histogram,
  ]);
  assertEquals(
    names({ stats: [["x", COUNTER, 1], ["x", GAUGE, 1]], recorded }),
    [
      "x_counter_total",
      "x_gauge",
      ...summary,
      ...histogram,
    ],
  );
  assertEquals(
    names({ stats: [["x_histogram_bucket", UNKNOWN, 1]], recorded }),
    ["x_histogram_bucket_untyped", ...summary, ...histogram],
  );
  assertEquals(names({ stats: [["a", COUNTER, 1], ["a_total", GAUGE, 1]] }), [
    "a_total",
    "a_total_gauge",
  ]);
  assertEquals(
    names({ stats: [["a", COUNTER, 1], ["a", GAUGE, 1], ["a", UNKNOWN, 1]] }),
    ["a_total", "a_gauge", "a_untyped"],
  );
  assertEquals(
    names({ stats: [["a", COUNTER, 1], ["a_created", GAUGE, 1]] }),
    ["a_total", "a_created_gauge"],
  );
  assertEquals(
    names({
      stats: [["a", COUNTER, 1], ["a", GAUGE, 1], ["a_gauge", UNKNOWN, 1]],
    }),
    ["a_total", "a_gauge", "a_gauge_untyped"],
  );
  assertEquals(
    names({ stats: [["a", COUNTER, 1], ["a.total", COUNTER, 2]] }),
    ["a_total"],
  );
  // Prometheus has one of its own.
  assertEquals(names({ stats: [["up", GAUGE, 1]] }), ["up_gauge"]);
  const own: OwnMetric[] = [
    { name: "statvent_service_open_fds", help: "h", type: "gauge", value: 9 },
    {
      name: "statvent_service_cpu_seconds_total",
      help: "h",
      type: "counter",
      value: 1,
    },
  ];
  assertEquals(
    names({
      stats: [
        ["statvent_service.open.fds", GAUGE, 1],
        ['statvent_processes{state="ok"}', GAUGE, 1],
        ["statvent_service_cpu_seconds", GAUGE, 1],
        ["statvent_service.cpu_seconds", COUNTER, 1],
      ],
    }, own),
    [
      "statvent_service_cpu_seconds_total",
      "statvent_service_open_fds",
      "statvent_processes_gauge",
      "statvent_service_cpu_seconds_counter_total",
      "statvent_service_cpu_seconds_gauge",
      "statvent_service_open_fds_gauge",
    ],
  );
  // Processes have these, whatever a program records, and also while there is none.
  assertEquals(
    names({
      stats: [
        ["process.open.fds", GAUGE, 1],
        ["process_cpu_seconds", GAUGE, 1],
        ["process.cpu_seconds", COUNTER, 1],
        ["statvent_process_up", UNKNOWN, 1],
      ],
    }),
    [
      "process_cpu_seconds_counter_total",
      "process_cpu_seconds_gauge",
      "process_open_fds_gauge",
      "statvent_process_up_untyped",
    ],
  );
});

Deno.test("respond() names a family by its unit, without a second one", () => {
  const table: [name: string, kind: Kind, unit: string, shown: string][] = [
    ["a", GAUGE, "seconds", "a_seconds"],
    ["b_seconds", GAUGE, "seconds", "b_seconds"],
    ["c.seconds", GAUGE, "seconds", "c_seconds"],
    ["d", COUNTER, "bytes", "d_bytes_total"],
    ["e_bytes_total", COUNTER, "bytes", "e_bytes_total"],
    ["f.total", COUNTER, "", "f_total"],
    ["g", GAUGE, " km/h ", "g_km_h"],
    ["h", GAUGE, "%", "h"],
    ["seconds", GAUGE, "seconds", "seconds_seconds"],
    ["total", COUNTER, "", "total_total"],
    ["ñtotal", COUNTER, "", "_total_total"],
    ["x💥total", COUNTER, "", "x_total_total"],
  ];
  const host = makeHost({
    stats: table.map(([name, kind]) => [name, kind, 1]),
    descriptions: Object.fromEntries(
      table.map(([name, , unit]) => [name, { unit }]),
    ),
  });
  for (const format of ["text", "openmetrics"] as const) {
    assertEquals(
      samples(write(host, format)).sort(),
      table.map(([, , , shown]) => `${shown} 1`).sort(),
    );
  }
  assertEquals(
    ESCAPINGS.map((escaping) =>
      /# UNIT .*g.*/.exec(write(host, "openmetrics", escaping))?.[0]
    ),
    [
      "# UNIT g_km_h km_h",
      "# UNIT g_km_h km_h",
      "# UNIT g__km__h km__h",
      "# UNIT g_km_h km_h",
    ],
  );
});

Deno.test("respond() names a recorded stat without its placeholder", () => {
  const table = {
    "db.{0}.ms": "db_ms",
    "{0}.ms": "ms",
    "ms.{0}": "ms",
    "{0}": "recorded",
    "": "recorded",
    "a{0}b": "ab",
    "latency of {0}": "latency_of",
    ".{0}": "recorded",
    'x.{0}{le="1",quantile="2",__y="3"}':
      'x{exported___y="3",exported_le="1",exported_quantile="2"}',
  };
  for (const [name, shown] of Object.entries(table)) {
    const histogram = shown.replace(/\w+/, "$&_histogram");
    const text = samples(
      write({ recorded: [recordedOf(name, [])] }, "openmetrics"),
    );
    assertEquals(text, [
      `${shown.replace(/\w+/, "$&_sum")} 0`,
      `${shown.replace(/\w+/, "$&_count")} 0`,
      ...[
        `${histogram.replace(/\w+/, "$&_bucket")} 0`
          .replace("} 0", ',le="+Inf"} 0').replace(
            /bucket 0/,
            'bucket{le="+Inf"} 0',
          ),
        `${histogram.replace(/\w+/, "$&_sum")} 0`,
        `${histogram.replace(/\w+/, "$&_count")} 0`,
      ],
    ]);
  }
});

Deno.test("respond() gives a name to a stat that has none", () => {
  const stats: PlainStat[] = [["", GAUGE, 1]];
  for (const escaping of ESCAPINGS) {
    assertEquals(samples(write({ stats }, "text", escaping)), ["unnamed 1"]);
  }
});

Deno.test("respond() takes the least of what differs in a family, whatever the order", () => {
  const stats: PlainStat[] = [
    ["m.n", GAUGE, 1],
    ["m_n", GAUGE, 2],
    ["x", GAUGE, 3],
    ["x.a", GAUGE, 4],
    ['y{a_b="1",a.b="2"}', GAUGE, 5],
  ];
  const descriptions = {
    "m.n": { help: "B" },
    "m_n": { help: "A" },
    x: { unit: "a_b" },
    "x.a": { unit: "b" },
  };
  for (const inOrder of [stats, stats.toReversed()]) {
    assertEquals(
      write({ stats: inOrder, descriptions }, "openmetrics"),
      `# TYPE m_n gauge
# HELP m_n A
m_n 1
m_n{name="m_n"} 2
# TYPE x_a_b gauge
# UNIT x_a_b a_b
# HELP x_a_b The stat x
x_a_b 3
x_a_b{name="x.a"} 4
# TYPE y gauge
# HELP y The stat y
y{a_b="2",exported_a_b="1"} 5
# EOF
`,
    );
  }
});

Deno.test("respond() names a host the same whatever the order of its stats", () => {
  fc.assert(fc.property(anyHost, fc.infiniteStream(fc.nat()), (input, keys) => {
    const order = input.stats!.map((stat) =>
      [keys.next().value, stat] as const
    );
    const shuffled = order.toSorted(([a], [b]) => a - b).map(([, s]) => s);
    for (const escaping of ESCAPINGS) {
      assertEquals(
        write({ ...input, stats: shuffled }, "openmetrics", escaping),
        write(input, "openmetrics", escaping),
      );
    }
  }));
});
