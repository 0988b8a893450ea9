import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { describe, distribution, gauge, incr, set } from "../../mod.ts";
import { snapshot } from "../helpers/own_stats.ts";
import { cat, LIVE, startProgram, withDir } from "../helpers/program.ts";
import { refuses } from "../helpers/refuses.ts";

Deno.test("describe() with a way to merge makes a gauge of what is only counted up", () =>
  withDir(async (dir) => {
    await using program = await startProgram(
      `incr("before"); statvent.describe("before", { merge: "max" });
       statvent.describe("after", { merge: "max" }); incr("after"); incr("after", 1, { a: 1 });
       statvent.describe("counted", { help: "Some" }); incr("counted");
       await startRecorder(); ${LIVE}`,
      { dir },
    );
    await program.printed("live");
    assertStringIncludes(
      await cat(program.path),
      `# gauge ["before","after","after{a=\\"1\\"}"]: 3\n`,
    );
  }));

Deno.test("describe() keeps what was said before, and says the last of each", () => {
  describe("d.a", { help: "First", unit: "seconds" });
  describe("d.a", { help: "Second", merge: "max" });
  describe("d.a", {});
  describe("d.a", { help: "Second" });
  describe("__proto__", { help: "Own" });
  const { descriptions } = snapshot();
  assertEquals(descriptions.get("d.a"), {
    help: "Second",
    unit: "seconds",
    merge: "max",
  });
  assertEquals(descriptions.get("__proto__")?.help, "Own");
});

Deno.test("describe() and distribution() take the bounds of a classic histogram, and keep them", () => {
  const buckets = [0.1, 1, 5];
  describe("b.{0}", { buckets });
  buckets.push(3);
  describe("b.{0}", { help: "Kept" });
  distribution("c.{0}", { buckets: [-1, 0, 10], labels: { a: 1 } });
  describe("d.{0}", { buckets: [1] });
  describe("d.{0}", { buckets: [1, 2] });
  const { descriptions } = snapshot();
  assertEquals(descriptions.get("b.{0}")?.buckets, [0.1, 1, 5]);
  assertEquals(descriptions.get("c.{0}")?.buckets, [-1, 0, 10]);
  assertEquals(descriptions.get("d.{0}")?.buckets, [1, 2]);
});

Deno.test("describe() refuses what it cannot say, and says why", () => {
  const start = 'Cannot describe "d.bad": ';
  const table: [unknown, typeof TypeError | typeof RangeError, string][] = [
    [{ help: 5 }, TypeError, "help must be a string, got 5"],
    [{ unit: null }, TypeError, "unit must be a string, got null"],
    [{ merge: ["sum"] }, TypeError, 'merge must be a string, got ["sum"]'],
    [
      { merge: "avg" },
      RangeError,
      'merge must be sum, min, max, mean or last, got "avg"',
    ],
    [
      { merge: "" },
      RangeError,
      'merge must be sum, min, max, mean or last, got ""',
    ],
  ];
  const rule =
    "buckets must be an array of 1 to 256 finite numbers in ascending order, got";
  table.push(
    [{ buckets: 5 }, TypeError, `${rule} 5`],
    [{ buckets: null }, TypeError, `${rule} null`],
    [{ buckets: [] }, RangeError, `${rule} []`],
    [{ buckets: [1, 1] }, RangeError, `${rule} [1, 1]`],
    [{ buckets: [2, 1] }, RangeError, `${rule} [2, 1]`],
    [{ buckets: [1, Infinity] }, RangeError, `${rule} [1, Infinity]`],
    [{ buckets: ["1"] }, RangeError, `${rule} ["1"]`],
    [
      { buckets: Array.from({ length: 257 }, (_, i) => i) },
      RangeError,
      `${rule} [0, 1, 2, 3, …]`,
    ],
  );
  assertThrows(
    () => describe("d.bad", { help: "x".repeat(65_537) }),
    RangeError,
    `${start}help must be of at most 65536 characters, got "xxx`,
  );
  for (const [description, ErrorClass, why] of table) {
    refuses(
      () => describe("d.bad", description as object),
      ErrorClass,
      start + why,
    );
  }
  for (
    const [description, got] of [["max", '"max"'], [null, "null"], [[], "[]"]]
  ) {
    refuses(
      () => describe("d.bad", description as object),
      TypeError,
      `${start}the description must be an object, got ${got}`,
    );
  }
  refuses(
    () => describe("d.bad", { uint: "s" } as object),
    TypeError,
    `${start}the parts of a description must be help, unit, merge, buckets, got "uint"`,
  );
  refuses(
    () => describe("# d", {}),
    TypeError,
    'Cannot name a stat: the name must not begin with "# ", got "# d"',
  );
  for (
    const [name, make] of [
      ["d.set", () => set("d.set", 1)],
      ["d.gauge", () => gauge("d.gauge")],
      ["d.label", () => set("d.label", 1, { a: 1 })],
      ["d.down", () => incr("d.down", -1)],
    ] as const
  ) {
    make();
    refuses(
      () => describe(name, { merge: "last" }),
      TypeError,
      `Cannot describe "${name}": merge must become "last" before the gauge is first set`,
    );
    describe(name, { merge: "min" });
  }
  // A counter is none yet.
  incr("d.counter");
  describe("d.counter", { merge: "last" });
  assertEquals(snapshot().descriptions.has("d.bad"), false);
});

Deno.test("a gauge that merges by time says when it was set, by every way of setting it", () => {
  for (const name of ["t.a", "t.b", "t.c", "t.d"]) {
    describe(name, { merge: "last" });
  }
  const before = Date.now() / 1000;
  set("t.a", 5);
  gauge("t.b").set(6);
  set("t.c", 0.5, { x: 1 });
  incr("t.d", -1);
  const { lastSet, stats } = snapshot();
  const times = ["t.a", "t.b", 't.c{x="1"}', "t.d"].map((name) =>
    lastSet.get(name)!
  );
  for (const time of times) {
    assertEquals(time >= before && time <= Date.now() / 1000, true, `${times}`);
  }
  assertEquals(stats.get("t.b")?.value, 6);
});
