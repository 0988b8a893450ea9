import { assert, assertEquals } from "@std/assert";
import { checkpointPath, parseOwnName } from "../../directory/file_names.ts";
import { writeLastValues } from "../../ended/last_values.ts";
import { takeIn } from "../../ended/ledger_writer.ts";
import { Collector } from "../../collect.ts";
import { SHOWN } from "../../model/kinds.ts";
import { idOf, lastValues } from "../helpers/last_values.ts";
import {
  ledgerIn,
  LIVE,
  namesIn,
  output,
  ROOT,
  startProgram,
  until,
  withDir,
} from "../helpers/program.ts";

const uid = Deno.uid()!;

/** What `statvent forget` says and returns. */
function forget(...args: string[]) {
  return output(
    Deno.execPath(),
    ...["run", "-A", "--quiet", "--config", `${ROOT.pathname}/deno.json`],
    ...[`${ROOT.pathname}/cli.ts`, "forget", ...args],
  );
}

/** Runs a program until it ends in an orderly way. */
async function end(dir: string, text: string): Promise<void> {
  await using program = await startProgram(
    `await startRecorder(); ${text}; Deno.exit();`,
    { dir },
  );
  assertEquals((await program.ended()).code, 0);
}

/** The counters and gauges that a collector shows, and the names of its distributions. */
async function shown(collector: Collector) {
  const { table, ids, values, kinds, recorded } = await collector.collect();
  const places = [...ids.keys()].filter((i) => kinds[i] !== SHOWN);
  return {
    stats: Object.fromEntries(
      places.map((i) => [table.names[ids[i]], values[i]]),
    ),
    recorded: recorded.map(({ name }) => name).sort(),
  };
}

const COUNTS = `
  incr("demo.n", 2); incr("demo.l", 3, { a: "b" }); incr("kept", 1);
  statvent.describe("demo.n", { help: "Secret" });
  record("demo.time.{0}", 5); record("demo.time.{0}", 7);`;

Deno.test("forget lists names, and --yes takes them out of what ended and killed programs have left, also for a service that knows more", () =>
  withDir(async (dir) => {
    await end(dir, COUNTS);
    await end(dir, COUNTS);
    const collector = new Collector({ pipeDir: dir });
    const late = await startProgram(
      `await startRecorder(); ${COUNTS} ${LIVE}
      setInterval(() => incr("demo.n"), 1)`,
      { dir },
    );
    await late.printed("live");
    const own = await until(
      "the checkpoint",
      () =>
        namesIn(dir).map(parseOwnName)
          .find((own) => own?.rest === "checkpoint"),
    );
    const checkpoint = checkpointPath(dir, own.base, own.id);
    await until(
      "its values",
      () => Deno.readTextFileSync(checkpoint).includes("demo.n"),
    );
    // Both know more than the checkpoint has, and one is not asked for a while.
    await shown(collector);
    const silent = new Collector({ pipeDir: dir });
    await shown(silent);
    late.kill("SIGKILL");
    await late.ended();

    const listed = await forget("demo.*", "--pipe-dir", dir);
    const [l, n, time, ...rest] = listed.stdout.split("\n");
    assertEquals(l, `demo.l{a="b"}  9`);
    assert(/^demo\.n {9}[1-9]\d*$/.test(n), n);
    assertEquals(time, "demo.time.{0}  6 recorded");
    assertEquals(rest, ["--yes removes 3 names from the totals.", ""]);
    assertEquals([listed.code, listed.stderr], [0, ""]);
    const before = await shown(collector);
    assert(before.stats["demo.n"] >= 6);
    assertEquals(before.recorded, ["demo.time.{0}"]);

    const removed = await forget("demo.*", "--yes", "--pipe-dir", dir);
    assertEquals([removed.code, removed.stderr], [0, ""]);
    assertEquals(
      removed.stdout.split("\n").slice(-2),
      ["Removed 3 names from the totals.", ""],
    );
    const gone = { stats: { kept: 3 }, recorded: [] };
    assertEquals(await shown(silent), gone);
    for (let i = 0; i < 3; i++) assertEquals(await shown(collector), gone);
    assertEquals(await shown(new Collector({ pipeDir: dir })), gone);
    const ledger = Deno.readTextFileSync(ledgerIn(dir)!);
    assert(!ledger.includes("Secret"), ledger);
    // Neither has the generation that stands in for a damaged one any of them.
    Deno.truncateSync(ledgerIn(dir)!, 10);
    assertEquals(await shown(new Collector({ pipeDir: dir })), gone);

    const none = await forget("demo.*", "--yes", "--pipe-dir", dir);
    assertEquals(none, {
      code: 1,
      stdout: "",
      stderr: `statvent: nothing in the totals matches "demo.*"\n`,
    });
    // A name that is counted again begins at zero.
    await end(dir, COUNTS);
    assertEquals((await shown(collector)).stats, {
      "demo.n": 2,
      [`demo.l{a="b"}`]: 3,
      kept: 4,
    });
  }));

Deno.test("forget leaves a program that runs what it counts", () =>
  withDir(async (dir) => {
    await using program = await startProgram(
      `await startRecorder(); incr("a", 5); ${LIVE}`,
      { dir },
    );
    await program.printed("live");
    await end(dir, `incr("a", 2)`);
    assertEquals(
      (await forget("a", "--yes", "--pipe-dir", dir)).stdout,
      [
        "a  2",
        "Removed 1 name from the totals.",
        "Programs that run keep what they count until they end.",
        "",
      ].join("\n"),
    );
    const { stats } = await shown(new Collector({ pipeDir: dir }));
    assertEquals(stats, { a: 5 });
  }));

Deno.test("forget takes a pattern for whole names, and prints names without effect on a terminal", () =>
  withDir(async (dir) => {
    const lines = `r{a="1"}: 1\nr{a="2"}: 2\nx\u001b[2J: 3\n`;
    const bytes = lastValues(1, lines, 1, true);
    writeLastValues(dir, idOf(1), 1, bytes, 0o644);
    assertEquals((await forget(`r{a="1"}`, "-yd", dir)).code, 0);
    assertEquals(
      (await forget("*", "-d", dir)).stdout,
      [
        `r{a="2"}    2`,
        "x\\u001b[2J  3",
        "--yes removes 2 names from the totals.",
        "",
      ].join("\n"),
    );
  }));

Deno.test("forget loses nothing of what others take in at the same time", () =>
  withDir(async (dir) => {
    const leave = (n: number) => {
      const bytes = lastValues(n, "gone: 1\nkept: 1\n", 1, true);
      writeLastValues(dir, idOf(n), 1, bytes, 0o644);
    };
    for (let n = 1; n <= 50; n++) leave(n);
    const running = forget("gone", "--yes", "-d", dir);
    let over = false;
    running.finally(() => over = true);
    let ends = 50;
    while (!over) {
      leave(++ends);
      takeIn(dir, uid, Infinity, { sync: false });
      await new Promise((resolve) => setTimeout(resolve));
    }
    await running;
    const { stats } = await shown(new Collector({ pipeDir: dir }));
    assertEquals(stats.kept, ends);
    assert((stats.gone ?? 0) < ends);
  }));

Deno.test("forget run as root lists and forgets the totals of every user", {
  ignore: uid !== 0,
}, () =>
  withDir(async (dir) => {
    for (const [n, owner] of [[1, 65_534], [2, 65_533]]) {
      const bytes = lastValues(n, `a: ${n}\nkept: 1\n`, 1, true);
      writeLastValues(dir, idOf(n), 1, bytes, 0o644, { owner });
    }
    takeIn(dir, 65_533);
    assertEquals(
      (await forget("a", "-d", dir)).stdout,
      [
        "a  user 65533  2",
        "a  user 65534  1",
        "--yes removes 1 name from the totals.",
        "",
      ].join("\n"),
    );
    assertEquals((await forget("a", "-yd", dir)).code, 0);
    const { stats } = await shown(new Collector({ pipeDir: dir }));
    assertEquals(stats, { kept: 2 });
    for (const user of [65_533, 65_534]) {
      assertEquals(Deno.statSync(ledgerIn(dir, user)!).uid, user);
    }
  }));

Deno.test("forget refuses wrong arguments with one line", async () => {
  for (
    const [args, message] of [
      [[], "PATTERN must be given, such as 'http.*'"],
      [[""], "PATTERN must be given, such as 'http.*'"],
      [["--no", "a"], "unknown flag --no"],
      [["a", "-d", ""], "--pipe-dir needs a value"],
      [
        ["a", "b"],
        "unexpected argument b, since there is one PATTERN, in quotes",
      ],
    ] as const
  ) {
    assertEquals(await forget(...args), {
      code: 2,
      stdout: "",
      stderr: `statvent: ${message}; see --help\n`,
    });
  }
  assertEquals(await forget("a", "-d", "/nowhere"), {
    code: 1,
    stdout: "",
    stderr: "statvent: /nowhere does not exist\n",
  });
  const { code, stdout } = await forget("--help");
  assertEquals(code, 0);
  for (const line of stdout.split("\n")) {
    // Lines with the command are as long as it is.
    assert(line.length <= 80 || line.includes("forget"), line);
  }
});
