import { assertEquals } from "@std/assert";
import type { Collected } from "../../collect/collector.ts";
import { toMap } from "../../collect/host_stats.ts";
import { merge } from "../../collect/merge.ts";
import { mergePart, type PartedBy, partsOf } from "../../collect/parts.ts";
import { Totals } from "../../ended/totals.ts";
import { NameTable, type Snapshot } from "../../format/snapshot.ts";
import { parseSnapshot, SnapshotParser } from "../../format/snapshot_parser.ts";
import { whole } from "../helpers/text.ts";

/** A process that has counted `n`. */
const of = (n: number, name?: string, start = 5, more = ""): Snapshot =>
  parseSnapshot(whole(
    `n: ${n}\ng: 1\n# gauge ["g"]: 1\n# process ${
      JSON.stringify({ start, name })
    }: 0.0\n${more}`,
  ));

function collected(
  byBase: Record<string, Snapshot>,
  { ended = [] as Snapshot[], silent = {}, totals = [] as Totals[] },
): Collected {
  const gone = Object.entries<Snapshot>(silent)
    .map(([base, snapshot]) => ({ base, snapshot }));
  return {
    byBase: new Map(Object.entries(byBase)),
    live: Object.values(byBase),
    silent: gone,
    ended: [...ended, ...gone.map(({ snapshot }) => snapshot)],
    totals,
    unbooked: 0,
    killed: 0,
    missed: 0,
    late: 0,
    badLines: 0,
  };
}

/** `n` of each part. */
function parted(read: Collected, by: PartedBy): [string, number][] {
  return partsOf(read, by).map(({ labels, input }) => [
    Object.values(labels).join(" "),
    toMap(merge(input)).get("n")!.value,
  ]);
}

Deno.test("partsOf() takes processes apart, and puts together all that have ended", () => {
  const totals = new Totals();
  totals.add(of(1000));
  const read = collected(
    { "4": of(1, "api"), "9": of(4, "job"), "7-b": of(2, "api") },
    { ended: [of(10, "api"), of(20)], totals: [totals] },
  );
  assertEquals(parted(read, "process"), [
    ["ended", 1030],
    ["api 4", 1],
    ["job 9", 4],
    ["api 7 b", 2],
  ]);
  assertEquals(parted(read, "name"), [["ended", 1030], ["api", 3], ["job", 4]]);
  assertEquals(partsOf(read, "process")[3].labels, {
    process: "api",
    pid: "7",
    process_instance: "b",
  });
  assertEquals(partsOf(collected({}, {}), "name"), []);
});

Deno.test("partsOf() shows a silent process as itself, since the sum of those that have ended would fall when it answers again", () => {
  const silent = of(5, "api");
  const read = collected({ "9": of(4, "job") }, {
    ended: [of(10)],
    silent: { "4": silent },
  });
  assertEquals(parted(read, "process"), [
    ["ended", 10],
    ["job 9", 4],
    ["api 4", 5],
  ]);
  const [, , part] = partsOf(read, "process");
  assertEquals(toMap(merge(part.input)).has("g"), false);
});

Deno.test("partsOf() gives every process a name, of a length and of characters that a label may have", () => {
  const names = (snapshot: Snapshot, base = "5") =>
    partsOf(collected({ [base]: snapshot }, {}), "name")[0].labels.process;
  assertEquals(names(of(1)), "unnamed");
  assertEquals(names(of(1, "")), "unnamed");
  assertEquals(names(of(1, "\ud800x")), "\ufffdx");
  assertEquals(names(of(1, "x".repeat(1000))), "x".repeat(128));
  // One that is called so counts beside those that have ended.
  assertEquals(
    parted(collected({ "5": of(1, "ended") }, { ended: [of(2)] }), "name"),
    [["ended", 3]],
  );
});

Deno.test("merge() says when the first process has started, if it is sure of all of them", () => {
  const created = (
    live: Snapshot[],
    ended: Snapshot[] = [],
    totals: Totals[] = [],
  ) => merge({ live, ended, totals }).created;
  const ledger = (start?: number) =>
    of(
      1,
      "",
      0,
      `# ledger ${
        JSON.stringify({ id: "x", generation: 1, count: 1, start, ended: [] })
      }: 0\n`,
    );
  const summed = new Totals();
  summed.add(of(1));
  assertEquals(created([of(1, "a", 7.5), of(1, "b", 5.25)]), 5.25);
  assertEquals(created([of(1, "a", 7)], [of(1, "b", 5)]), 5);
  assertEquals(created([of(1, "a", 7)], [ledger(3)]), 3);
  assertEquals(created([of(1, "a", 7)], [ledger()]), undefined);
  assertEquals(created([of(1, "a", 7)], [], [summed]), undefined);
  assertEquals(created([of(1, "a", 7)], [], [new Totals()]), 7);
  assertEquals(created([of(1, "a", 0)]), undefined);
  assertEquals(created([]), undefined);
  // Nothing of it stays when it ends, so that the time would be a later one then.
  const gauges = parseSnapshot(
    whole('g: 1\n# gauge ["g"]: 1\n# process {"start":1}: 0.0\n'),
  );
  assertEquals(created([of(1, "a", 7), gauges]), 7);
  // It sums processes that may be older than itself.
  const relay = parseSnapshot(
    whole('n: 1\n# process {"start":5,"relay":true}: 0.0\n'),
  );
  assertEquals(created([of(1, "a", 7), relay]), undefined);
  // Its kinds are not known, so that it has no counters.
  assertEquals(
    created([of(1, "a", 7), parseSnapshot(new TextEncoder().encode("n: 1\n"))]),
    7,
  );
});

Deno.test("mergePart() says what merge() says, also of a few stats by a large table", () => {
  const table = new NameTable(
    Array.from({ length: 100 }, (_, i) => `other.${i}`),
  );
  const parser = new SnapshotParser(table);
  const bytes = whole(
    'b: 5\na: 1.5\nr.50: 2\nr.mean: 2\n# process {"start":5}: 0.0\n' +
      '# window {"name":"r.{0}","percentiles":[[50,"r.50"]],"mean":"r.mean","values":[1,2,3]}: 3\n',
  );
  const snapshot = parser.parse(bytes);
  const read = { ...collected({ "5": snapshot }, { ended: [of(2)] }), table };
  for (const part of partsOf(read, "process")) {
    const host = mergePart(part);
    const expected = merge(part.input);
    assertEquals(host.table, table);
    assertEquals([...toMap(host)].sort(), [...toMap(expected)].sort());
    assertEquals(host.recorded, expected.recorded);
    assertEquals(host.created, expected.created);
  }
});
