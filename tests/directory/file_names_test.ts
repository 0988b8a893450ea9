import { assertEquals } from "@std/assert";
import {
  endedPath,
  endingPath,
  fifoPath,
  invalidLedgerPath,
  ledgerLockPath,
  ledgerName,
  looksLikePipe,
  newFilePath,
  pidOfPipe,
  pidOfPrivate,
  pipePath,
  processOfEnded,
  processOfEnding,
  shortLivedPath,
  startLockPath,
  untakenPath,
  userOfLedger,
  watchedPath,
} from "../../directory/file_names.ts";

/** What the matchers say of a name. */
function kindsOf(name: string): Record<string, unknown> {
  const kinds = {
    pipe: pidOfPipe(name),
    private: pidOfPrivate(name),
    ended: processOfEnded(name),
    ending: processOfEnding(name),
    ledger: userOfLedger(name),
  };
  return Object.fromEntries(
    Object.entries(kinds).filter(([, kind]) => kind !== undefined),
  );
}

Deno.test("every path is recognized as what it was made for, and as nothing else", () => {
  const process = { pid: 12, start: "1767225600123" };
  const ended = endedPath("/d", process);
  const ending = endingPath("/d", process);
  const ledger = `/d/${ledgerName(1000)}`;
  const expected: [string, Record<string, unknown>][] = [
    [pipePath("/d", 12), { pipe: 12 }],
    [fifoPath("/d", 12), { private: 12 }],
    [newFilePath("/d", 12), { private: 12 }],
    [shortLivedPath("/d", 12), { private: 12 }],
    [startLockPath("/d", 12), { private: 12 }],
    [watchedPath("/d", 12), { private: 12 }],
    [ended, { ended: process }],
    [untakenPath(ended), { ended: process }],
    [ending, { ending: process }],
    [untakenPath(ending), { ending: process }],
    [ledger, { ledger: { user: 1000, isLock: false } }],
    [ledgerLockPath(ledger), { ledger: { user: 1000, isLock: true } }],
    [invalidLedgerPath(ledger), {}],
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
    ".ledger.1.lock.lock",
  ];
  for (const name of names) assertEquals([name, kindsOf(name)], [name, {}]);
  assertEquals(
    ["12.stats", "app.stats", ".app.stats", "app"].filter(looksLikePipe),
    ["12.stats", "app.stats"],
  );
});
