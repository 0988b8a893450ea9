import { assertEquals } from "@std/assert";
import {
  alivePath,
  baseOf,
  baseOfWithdrawn,
  checkpointPath,
  generationPath,
  isIncomplete,
  isInstance,
  isStartLock,
  lastValuesPath,
  missedPath,
  newGenerationPath,
  newLastValuesPath,
  ownFifoPath,
  ownNewPath,
  parseGenerationName,
  parseLastValuesName,
  parseOwnName,
  parsePipeName,
  pidOfPrivate,
  pipePath,
  shortLivedPath,
  startLockPath,
  untakenPath,
  userOfMissed,
  withdrawnPath,
} from "../../directory/file_names.ts";

/** What the matchers say of a name. */
function kindsOf(name: string): Record<string, unknown> {
  const kinds = {
    pipe: parsePipeName(name)?.pid,
    private: pidOfPrivate(name),
    lastValues: parseLastValuesName(name),
    generation: parseGenerationName(name),
    missed: userOfMissed(name),
    withdrawn: baseOfWithdrawn(name),
    startLock: isStartLock(name) || undefined,
    incomplete: isIncomplete(name) || undefined,
  };
  return Object.fromEntries(
    Object.entries(kinds).filter(([, kind]) => kind !== undefined),
  );
}

Deno.test("every path is recognized as what it was made for, and as nothing else", () => {
  const id = "0123456789abcdef".repeat(2);
  const lastValues = lastValuesPath("/d", id, 9);
  const ledger = { user: 1000, generation: 12 };
  const expected: [string, Record<string, unknown>][] = [
    [pipePath("/d", 12), { pipe: 12 }],
    [withdrawnPath("/d", "12"), { private: 12, withdrawn: "12" }],
    [withdrawnPath("/d", "12-a.b"), { withdrawn: "12-a.b" }],
    [shortLivedPath("/d", 12), { private: 12 }],
    [startLockPath("/d", 12), { private: 12, startLock: true }],
    [lastValues, { lastValues: { id, seq: 9 } }],
    [untakenPath(lastValues), { lastValues: { id, seq: 9 } }],
    [newLastValuesPath("/d", id), { incomplete: true }],
    [generationPath("/d", ledger), { generation: ledger }],
    [newGenerationPath("/d", 1000), { incomplete: true }],
    [missedPath("/d", 1000), { missed: 1000 }],
  ];
  for (const [path, kinds] of expected) {
    assertEquals([path, kindsOf(path.slice("/d/".length))], [path, kinds]);
  }
});

Deno.test("names that are nearly right are not recognized", () => {
  const names = [
    "0.stats",
    "012.stats",
    "12345678901.stats",
    "12.stats~",
    "app.stats",
    ".012.fifo",
    ".12",
    ".ended.12",
    ".ended.12.",
    ".ended.12.3.new",
    ".ended.0.3",
    ".ledger.",
    ".ledger.x",
    ".ledger.1",
    ".ledger.1.",
    ".ledger.1.x",
    ".ledger.1.2.3",
    ".ledger.1.1234567890123456",
    ".ledger.1.lock",
    `.ended.${"0123456789abcdef".repeat(2)}`,
    `.ended.${"0123456789ABCDEF".repeat(2)}.1`,
    `.ended.${"0123456789abcdef".repeat(2)}.1.new`,
  ];
  for (const name of names) assertEquals([name, kindsOf(name)], [name, {}]);
});

Deno.test("a pipe may have any name that ends with .stats and begins with no dot", () => {
  const isPipe = (name: string) => parsePipeName(name) !== undefined;
  assertEquals(
    ["app", "app.stats~", ".app.stats", ".stats", "..stats", ""].filter(isPipe),
    [],
  );
  const bases = [
    "app",
    "012",
    "0",
    "-1",
    "1e3",
    "12-",
    "12-é",
    "a.stats",
    "12-a b",
    "\x1b[2J",
    "__proto__",
  ];
  for (const base of bases) {
    const expected = { base, pid: undefined, instance: base };
    assertEquals(parsePipeName(`${base}.stats`), expected);
    assertEquals(baseOf(undefined, base), base);
  }
});

Deno.test("names that tell processes of one id apart are read back", () => {
  const id = "0123456789abcdef".repeat(2);
  for (const instance of [undefined, "a", "web.1_x-y", id, "x".repeat(64)]) {
    const base = baseOf(12, instance);
    const owner = [base, id] as const;
    assertEquals(parsePipeName(pipePath("/d", base).slice(3)), {
      base,
      pid: 12,
      instance,
    });
    const paths: [string, RegExp][] = [
      [alivePath("/d", ...owner), /^alive$/],
      [checkpointPath("/d", ...owner), /^checkpoint$/],
      [
        ownFifoPath("/d", { base, id }, "abcdef01", 7),
        /^abcdef0100000007\.fifo$/,
      ],
      [ownNewPath("/d", { base, id }), /^[0-9a-f-]{36}\.new$/],
    ];
    for (const [path, rest] of paths) {
      const own = parseOwnName(path.slice(3))!;
      assertEquals(own, { base, pid: 12, id, rest: own.rest });
      assertEquals(rest.test(own.rest), true, own.rest);
    }
  }
  assertEquals(
    parseLastValuesName(lastValuesPath("/d", id, 123456789012345).slice(3)),
    { id, seq: 123456789012345 },
  );
});

Deno.test("names that look alike are refused", () => {
  const id = "0123456789abcdef".repeat(2);
  for (const text of ["", "a/b", "a b", "é", "x".repeat(65)]) {
    assertEquals(isInstance(text), false, text);
    assertEquals(parsePipeName(`12-${text}.stats`)?.pid, undefined);
  }
  for (
    const name of [
      `.12.${id}`,
      `.12.${id.toUpperCase()}.alive`,
      `.012.${id}.alive`,
      `12.${id}.alive`,
      `.ended.12.1`,
    ]
  ) assertEquals(parseOwnName(name), undefined, name);
  for (const seq of ["", "-1", "1.5", "x", "12345678901234567"]) {
    assertEquals(parseLastValuesName(`.ended.${id}.${seq}`), undefined, seq);
  }
});
