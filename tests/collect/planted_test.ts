/**
 * What others may plant in the pipe directory, or beside a state, and what does
 * not come of it.
 *
 * @module
 */

import {
  assert,
  assertEquals,
  assertMatch,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { lchownSync } from "node:fs";
import { Collector, merge, toMap } from "../../collect.ts";
import { Census, type Reading } from "../../collect/census.ts";
import { lockState } from "../../collect/state_file.ts";
import { dangerOf } from "../../directory/trust.ts";
import { writeEnded } from "../../ended/ended_files.ts";
import { LedgerReader } from "../../ended/ledger_reader.ts";
import { NameTable, SnapshotError } from "../../format/snapshot.ts";
import { parseSnapshot } from "../../format/snapshot_parser.ts";
import {
  LIVE,
  namesIn,
  output,
  startProgram,
  until,
  whole,
  withDir,
} from "../helpers/program.ts";
import { createHandler } from "../../web.ts";
import { parseQuery, QueryError } from "../../web/query.ts";

const uid = Deno.uid()!;

const isRoot = uid === 0;
if (!isRoot) {
  console.log("skipped: files of other users, because this is not root");
}

function valueOf(host: Parameters<typeof toMap>[0], name: string) {
  return toMap(host).get(name)?.value;
}

Deno.test("read() takes of two files of one end the one that is sure, and loses neither", () =>
  withDir((dir) => {
    const [sure, unsure] = [whole("n: 5\n"), whole("n: 3\n")];
    // Nobody takes them in for now.
    Deno.writeTextFileSync(`${dir}/.ledger.${uid}.lock`, "");
    const [pid, start] = [4_194_303, 1];
    writeEnded(dir, pid, start, unsure, 0o644, false);
    writeEnded(dir, pid, start, sure);
    const read = () =>
      new LedgerReader().read(dir, namesIn(dir), new NameTable());
    const values = () =>
      read().ended.map(({ snapshot }) => snapshot.stats.get("n")?.value);
    assertEquals([values(), values()], [[5], [5]]);
    Deno.removeSync(`${dir}/.ledger.${uid}.lock`);
    read();
    const [ledger] = read().ledgers;
    assertEquals(ledger.snapshot.stats.get("n")?.value, 5);
    assertEquals(namesIn(dir), [`.ledger.${uid}`]);
    return Promise.resolve();
  }));

Deno.test("update() takes the process of another user for another one, whatever it says", () => {
  const census = new Census();
  const say = (n: number, owner: number): Reading => {
    const bytes = whole(`n: ${n}\n# process {"start":1}: 0.0\n`);
    const result = { snapshot: parseSnapshot(bytes), bytes, owner };
    return { pid: 7, systemStart: () => `${owner}`, result };
  };
  const host = { ended: [], ledgers: [], now: 0, lives: () => false };
  const sums = [[say(1000, 1)], [say(0, 2)], []].map((readings) => {
    const { live, ...rest } = census.update({ ...host, readings });
    return valueOf(merge({ ...rest, live: live.values() }), "n");
  });
  assertEquals(sums, [1000, 1000, 1000]);
});

/** What processes say that each count 1, and the ledger that has taken in so many others. */
const one = (pid: number): Reading => {
  const bytes = whole(`n: 1\n# process {"start":1}: 0.0\n`);
  const result = { snapshot: parseSnapshot(bytes), bytes, owner: 1 };
  return { pid, systemStart: () => "1", result };
};
const ledgerOf = (n: number, count: number, ended: string[]) => {
  const info = { id: "i", count, ended };
  const bytes = whole(
    `n: ${n}\n# ledger ${JSON.stringify(info)}: ${ended.length}\n`,
  );
  return { owner: 1, info, snapshot: parseSnapshot(bytes), bytes };
};
const host = {
  readings: [],
  ended: [],
  ledgers: [],
  now: 0,
  lives: () => false,
};
const many = Array.from({ length: 100 }, (_, i) => i + 1);

/** What the books make of `n`. */
function countIn(census: Census, more: object): number | undefined {
  const { live, ...rest } = census.update({ ...host, ...more });
  return valueOf(merge({ ...rest, live: live.values() }), "n");
}

Deno.test("update() counts nobody twice whose user's ledger there was no time to read", () => {
  const census = new Census();
  const sums = [
    { readings: many.map(one) },
    // All have ended, and are in a ledger that was not read.
    { late: new Set([1]) },
    { late: new Set([1]) },
    { ledgers: [ledgerOf(100, 100, many.map((pid) => `${pid}@1000`))] },
  ].map((more) => countIn(census, more));
  assertEquals(sums, [100, 100, 100, 100]);
});

Deno.test("update() neither forgets nor counts again the files of ends that still stand", () => {
  const census = new Census();
  const keys = many.map((pid) => `${pid}@1000`);
  const ended = many.map((pid, i) => {
    const { snapshot, bytes } = one(pid).result as Exclude<
      Reading["result"],
      { failure: string }
    >;
    return { key: keys[i], owner: 1, snapshot, bytes };
  });
  const there = new Set(keys);
  const sums = [
    { ended, there },
    // There was no time to look at any of them, and then at some.
    { there },
    { ended: ended.slice(0, 50), there },
    { ledgers: [ledgerOf(100, 100, keys)] },
  ].map((more) => countIn(census, more));
  assertEquals(sums, [100, 100, 100, 100]);
});

Deno.test("update() knows that the first ledger that it sees may have forgotten a process", () => {
  const census = new Census();
  const sums = [
    { readings: [one(7)] },
    { ledgers: [ledgerOf(5001, 5001, ["8@1000"])] },
  ].map((more) => countIn(census, more));
  assertEquals(sums, [1, 5001]);
});

Deno.test("read() reads a ledger to its end that is slow to read, but not again at once", () =>
  withDir((dir) => {
    const write = (n: number) => {
      const names = Array.from({ length: 60_000 }, (_, i) => `${n}.${i}: 1\n`);
      const text = `${
        names.join("")
      }# ledger {"id":"i","count":${n},"ended":[]}: 0\n`;
      Deno.writeFileSync(`${dir}/.ledger.${uid}`, whole(text));
    };
    const reader = new LedgerReader();
    const table = new NameTable();
    const read = () => {
      const { ledgers, late } = reader.read(dir, namesIn(dir), table, 0);
      return [ledgers.map(({ info }) => info.count), late.size];
    };
    write(1);
    assertEquals([read(), read()], [[[1], 0], [[1], 0]]);
    write(2);
    // The one of before stands in its place.
    assertEquals(read(), [[1], 1]);
    return Promise.resolve();
  }));

Deno.test("a window that stands on very many lines takes no longer than they have bytes", () => {
  const line = (values: number[]) =>
    `# window {"name":"r","percentiles":[],"mean":"r.mean","values":[${values}]}: ${values.length}\n`;
  const first = Array(100_000).fill(1);
  const bytes = whole(line(first) + line([2]).repeat(10_000));
  const start = performance.now();
  const [{ values }] = parseSnapshot(bytes).recorded;
  // It was a minute, when each line copied all before it.
  assert(performance.now() - start < 5_000);
  assertEquals([values!.length, values!.at(-1)], [110_000, 2]);
});

Deno.test("read() reads what is short, however late it is", () =>
  withDir((dir) => {
    const reader = new LedgerReader();
    const table = new NameTable();
    const counts = [1, 2].map((n) => {
      const end = `# ledger {"id":"i","count":${n},"ended":[]}: 0\n`;
      Deno.writeFileSync(`${dir}/.ledger.${uid}`, whole(`n: ${n}\n${end}`));
      Deno.writeFileSync(`${dir}/.ended.${n}.5`, whole(`m: ${n}\n`));
      const { ledgers, ended } = reader.read(dir, namesIn(dir), table, 0);
      return [ledgers.map(({ info }) => info.count), ended.length];
    });
    assertEquals(counts, [[[1], 1], [[2], 1]]);
    return Promise.resolve();
  }));

Deno.test("a pattern that takes too long for the names that there are is refused with a sentence", () =>
  withDir(async (pipeDir) => {
    const names = Array.from(
      { length: 300 },
      (_, i) => `${i}${"a".repeat(5000)}: 1\n`,
    );
    const file = `${pipeDir}/.ended.1.1`;
    Deno.writeFileSync(file, whole(names.join("")));
    const handler = createHandler({ pipeDir });
    const url = `http://localhost/stats?match=*${"a".repeat(200)}b`;
    const start = performance.now();
    const response = await handler(new Request(url));
    const ms = performance.now() - start;
    assertEquals([response.status, await response.json()], [400, {
      message:
        "Cannot take match: it must take less time with these names; use a shorter one",
    }]);
    assert(ms < 2000, `${ms} ms`);
  }));

Deno.test("what was read of an end counts after a restart although nobody gets to its file", () =>
  withDir(async (dir) => {
    const pipeDir = `${dir}/pipes`;
    Deno.mkdirSync(pipeDir);
    const state = `${dir}/state`;
    // Nobody takes it in for now.
    const lock = `${pipeDir}/.ledger.${uid}.lock`;
    Deno.writeTextFileSync(lock, "");
    const file = writeEnded(pipeDir, 1, 1, whole("n: 5\n"));
    const n = async () =>
      valueOf(await new Collector({ pipeDir, state }).collect(), "n");
    assertEquals(await n(), 5);
    Deno.renameSync(file, `${dir}/away`);
    assertEquals([await n(), await n()], [5, 5]);
    Deno.renameSync(`${dir}/away`, file);
    assertEquals([await n(), await n()], [5, 5]);
    Deno.removeSync(lock);
    assertEquals([await n(), await n()], [5, 5]);
    assertEquals(namesIn(pipeDir), [`.ledger.${uid}`]);
  }));

Deno.test("a state is for its user alone, and nobody else can have written it", () =>
  withDir(async (dir) => {
    const state = `${dir}/state`;
    const options = { pipeDir: `${dir}/pipes`, state };
    await new Collector(options).collect();
    assertEquals(Deno.statSync(state).mode! & 0o777, 0o600);
    if (!isRoot) return;
    Deno.chownSync(state, 12_345, 12_345);
    assertThrows(
      () => new Collector(options),
      Error,
      `Cannot use the state file ${state}: it must belong to the user of this process or to root, but belongs to user 12345`,
    );
  }));

Deno.test("lockState() lets one of several have the state that start at the same time", () =>
  withDir(async (dir) => {
    const state = `${dir}/state`;
    // As if the last one was killed.
    const dead = new Deno.Command("true").spawn();
    await dead.status;
    await Deno.writeTextFile(`${state}.lock`, `${dead.pid}`);
    const url = JSON.stringify(
      new URL("../../collect/state_file.ts", import.meta.url).href,
    );
    const text = `const { lockState } = await import(${url});
      try { lockState(${
      JSON.stringify(state)
    }); console.log("has it"); await new Promise((go) => setTimeout(go, 5000)); }
      catch (error) { console.log(error.message); }`;
    const children = Array.from(
      { length: 4 },
      () =>
        new Deno.Command(Deno.execPath(), {
          args: ["eval", "--quiet", "--no-check", text],
          stdout: "piped",
          stderr: "null",
        }).spawn(),
    );
    const said = await Promise.all(children.map(async ({ stdout }) => {
      const reader = stdout.pipeThrough(new TextDecoderStream()).getReader();
      const { value = "" } = await reader.read();
      await reader.cancel();
      return value.trim();
    }));
    for (const child of children) {
      try {
        child.kill("SIGKILL");
      } catch {
        // It has ended.
      }
      await child.status;
    }
    assertEquals(said.filter((text) => text === "has it").length, 1, `${said}`);
    // Whoever has died has it no more.
    lockState(state);
  }));

Deno.test("dangerOf() looks at all on the way, and at links", () =>
  withDir((dir) => {
    const pipes = `${dir}/way/pipes`;
    Deno.mkdirSync(pipes, { recursive: true });
    for (const path of [`${dir}/way`, pipes]) Deno.chmodSync(path, 0o755);
    assertEquals(dangerOf(pipes, uid), undefined);
    Deno.chmodSync(`${dir}/way`, 0o777);
    assertStringIncludes(
      dangerOf(pipes, uid)!,
      `${dir}/way must have the sticky bit`,
    );
    Deno.chmodSync(`${dir}/way`, 0o1777);
    assertEquals(dangerOf(pipes, uid), undefined);
    Deno.chmodSync(pipes, 0o775);
    assertStringIncludes(
      dangerOf(pipes, uid)!,
      `${pipes} must have the sticky bit`,
    );
    Deno.chmodSync(pipes, 0o755);
    if (!isRoot) return Promise.resolve();
    Deno.chownSync(`${dir}/way`, 12_345, 12_345);
    const belongs =
      "must belong to the user of this process or to root, but belongs to user 12345";
    assertStringIncludes(dangerOf(pipes, uid)!, `${dir}/way ${belongs}`);
    Deno.chownSync(`${dir}/way`, 0, 0);
    Deno.symlinkSync(`${dir}/way`, `${dir}/link`);
    assertEquals(dangerOf(`${dir}/link/pipes`, uid), undefined);
    lchownSync(`${dir}/link`, 12_345, 12_345);
    assertStringIncludes(
      dangerOf(`${dir}/link/pipes`, uid)!,
      `${dir}/link ${belongs}`,
    );
    return Promise.resolve();
  }));

Deno.test("a recorder whose directory somebody has made anew heals only where it is safe", () =>
  withDir(async (dir) => {
    const pipes = `${dir}/pipes`;
    await using program = await startProgram(
      `incr("n"); await startRecorder(); ${LIVE}`,
      { dir: pipes },
    );
    await program.printed("live");
    assertMatch(
      namesIn(pipes).find((name) => name.endsWith(".fifo"))!,
      /^\.\d+\.[0-9a-f]{8}-[0-9a-f]{4}\.fifo$/,
    );
    Deno.renameSync(pipes, `${dir}/old`);
    Deno.mkdirSync(pipes);
    Deno.chmodSync(pipes, 0o777);
    // It looks every half a second.
    await new Promise((resolve) => setTimeout(resolve, 1500));
    assertEquals(namesIn(pipes), []);
    Deno.chmodSync(pipes, 0o755);
    await until(
      "the pipe",
      () => namesIn(pipes).includes(`${program.pid}.stats`),
    );
    // Neither are the last values left where that is not safe.
    Deno.chmodSync(pipes, 0o777);
    await program.kill("SIGTERM");
  }));

Deno.test("a program that ends opens nothing that a link of its name leads to", () =>
  withDir(async (dir) => {
    const pipes = `${dir}/pipes`;
    await using program = await startProgram(
      `incr("n"); await startRecorder(); Deno.addSignalListener("SIGUSR1", () => Deno.exit()); ${LIVE}`,
      { dir: pipes },
    );
    await program.printed("live");
    const secret = `${dir}/secret`;
    assertEquals((await output("mkfifo", secret)).code, 0);
    Deno.symlinkSync(secret, `${pipes}/.${program.pid}.zz`);
    const reader = new Deno.Command("cat", { args: [secret], stdout: "null" })
      .spawn();
    program.kill("SIGUSR1");
    assertEquals((await program.ended()).code, 0);
    // It would have got an end of file.
    const first = await Promise.race([
      reader.status.then(() => "ended"),
      new Promise((resolve) => setTimeout(() => resolve("waits"), 200)),
    ]);
    reader.kill("SIGKILL");
    await reader.status;
    assertEquals(first, "waits");
  }));

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

Deno.test("no pattern takes long, however many ranges it has", () => {
  const query = (text: string) =>
    parseQuery(new URLSearchParams({ match: text }));
  const { keep } = query(`*[${"A-B".repeat(80)}]`);
  const start = performance.now();
  for (let i = 0; i < 10_000; i++) {
    assert(!keep!(`some.name.of.a.stat.${i}`, 1));
  }
  const ms = performance.now() - start;
  assert(ms < 1000, `${ms} ms`);
  assertThrows(() => query("a".repeat(257)), QueryError, "of at most 256");
});

Deno.test("collect() logs no more than some lines a minute, whatever is planted", () =>
  withDir(async (pipeDir) => {
    const lines: string[] = [];
    const log = (line: string) => lines.push(line);
    const collector = new Collector({ pipeDir, log });
    for (let i = 0; i < 50; i++) {
      for (let k = 0; k < 20; k++) {
        Deno.writeTextFileSync(`${pipeDir}/x${i}.${k}.stats`, "");
      }
      await collector.collect();
      for (let k = 0; k < 20; k++) {
        Deno.removeSync(`${pipeDir}/x${i}.${k}.stats`);
      }
    }
    assertEquals(lines.length, 21);
    assertMatch(lines.at(-1)!, / 20 more are wrong$/);
  }));
