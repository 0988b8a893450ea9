/**
 * What `deno task chaos` has found.
 */
import { assertEquals, assertMatch } from "@std/assert";
import { Collector, toMap } from "../../collect.ts";
import { Census } from "../../collect/census.ts";
import { writeEnded } from "../../ended/ended_files.ts";
import { takeIn } from "../../ended/ledger_writer.ts";
import { NameTable } from "../../format/snapshot.ts";
import { SnapshotParser } from "../../format/snapshot_parser.ts";
import { SlabWriter } from "../../memory/slab_writer.ts";
import { IS_FRACTIONAL, IS_GAUGE } from "../../model/marks.ts";
import { runtime } from "../../runtime/runtime.ts";
import { EPOCH, RECORDED, SCALAR, SUMMARY_CELLS } from "../../slab/layout.ts";
import { ProcessStats } from "../../slab/process_stats.ts";
import { SlabReader } from "../../slab/slab_reader.ts";
import { ownSlab, set } from "../../stats/stats.ts";
import { namesIn, output, withDir } from "../helpers/program.ts";

/** The id of a process that has ended. */
async function deadPid(): Promise<number> {
  const child = new Deno.Command("true").spawn();
  await child.status;
  return child.pid;
}

const encode = (text: string) => new TextEncoder().encode(text);

function snapshot(start: number, count: number): Uint8Array {
  const text = `n: ${count}\n# process {"start":${start}.0}: 0\n`;
  return encode(`${text}# EOF: ${text.length}\n`);
}

Deno.test("collect() reads a ledger anew when it has the inode that an earlier one had", () =>
  withDir(async (pipeDir) => {
    const readers = [1, 2].map(() => new Collector({ pipeDir }));
    const [often, seldom] = readers;
    const read = async (collector: Collector) =>
      toMap(await collector.collect()).get("n")?.value;
    writeEnded(pipeDir, 1, 1, snapshot(1, 1));
    await often.collect();
    for (let n = 2; n < 20; n += 2) {
      // Each time there are two new ledgers, of which it sees the second one.
      for (const start of [n, n + 1]) {
        writeEnded(pipeDir, 1, start, snapshot(start, 1));
        await often.collect();
      }
      assertEquals(await read(seldom), n + 1);
    }
  }));

Deno.test("collect() removes what a process has left that was killed before it had a pipe", () =>
  withDir(async (pipeDir) => {
    const pid = await deadPid();
    for (const name of ["starting", "0.fifo", "ended.new"]) {
      await output("touch", `${pipeDir}/.${pid}.${name}`);
    }
    await output("touch", `${pipeDir}/.${Deno.pid}.starting`);
    await new Collector({ pipeDir }).collect();
    assertEquals(namesIn(pipeDir), [`.${Deno.pid}.starting`]);
  }));

Deno.test("writeEnded() and takeIn() write to names that go with the pipe of a killed process", () =>
  withDir((pipeDir) => {
    const { replaceFile } = runtime;
    const names = new Set<string>();
    try {
      runtime.replaceFile = (path, bytes, temporary) => {
        names.add(temporary);
        replaceFile(path, bytes, temporary);
      };
      writeEnded(pipeDir, 1, 1, snapshot(1, 1));
      takeIn(pipeDir, Deno.uid()!);
    } finally {
      runtime.replaceFile = replaceFile;
    }
    assertEquals(names.size, 2);
    for (const name of names) {
      assertMatch(name.slice(pipeDir.length), /^\/\.\d+\.[0-9a-f-]{36}\.new$/);
      assertEquals(name.split(".")[1], `${Deno.pid}`);
    }
    return Promise.resolve();
  }));

Deno.test("takeIn() does not overwrite a ledger when its lock was broken", () =>
  withDir((pipeDir) => {
    const { readFile } = runtime;
    const ledger = `${pipeDir}/.ledger.${Deno.uid()}`;
    writeEnded(pipeDir, 1, 1, snapshot(1, 1));
    try {
      runtime.readFile = (path) => {
        // As if this process had been stopped here, and another one had the lock.
        Deno.utimeSync(`${ledger}.lock`, 1, 1);
        return readFile(path);
      };
      takeIn(pipeDir, Deno.uid()!);
    } finally {
      runtime.readFile = readFile;
    }
    const lock = ledger.slice(pipeDir.length + 1) + ".lock";
    assertEquals(namesIn(pipeDir), [".ended.1.1000", lock]);
    takeIn(pipeDir, Deno.uid()!);
    assertEquals(namesIn(pipeDir), [lock.replace(".lock", "")]);
    return Promise.resolve();
  }));

Deno.test("set() shows no other value of a new gauge than the one that was set", () => {
  // The recorder's thread may read at any time: here, as soon as it is there.
  const stats = new ProcessStats();
  const { slab } = ownSlab();
  const { store } = Atomics;
  const seen: [string, number, number][] = [];
  const storeAndRead = (of: Int32Array, index: number, value: number) => {
    store(of, index, value);
    stats.refresh([slab]);
    const { names, values, marks } = stats;
    for (let i = 0; i < names.length; i++) {
      seen.push([names[i], values[i], marks[i]]);
    }
  };
  try {
    Object.assign(Atomics, { store: storeAndRead });
    set("chaos.gauge", 2.5);
  } finally {
    Object.assign(Atomics, { store });
  }
  assertEquals(seen, [["chaos.gauge", 2.5, IS_GAUGE | IS_FRACTIONAL]]);
});

Deno.test("Census.update() knows a process that ended before the system was asked for its start", () => {
  const parser = new SnapshotParser(new NameTable());
  const census = new Census();
  const update = (systemStart: string | undefined, isDead: boolean) => {
    const bytes = encode("n: 5\n# EOF: 5\n");
    const read = { snapshot: parser.parse(bytes), bytes, owner: 0 };
    const { live, ended } = census.update({
      readings: [{
        pid: 1,
        systemStart: () => systemStart,
        result: isDead ? { failure: "dead", why: "" } as const : read,
      }],
      ended: [],
      ledgers: [],
      now: 0,
      lives: () => !isDead,
    });
    return [live.size, ended.length];
  };
  assertEquals(update("100", false), [1, 0]);
  assertEquals(update(undefined, false), [1, 0]);
  assertEquals(update(undefined, true), [0, 1]);
});

Deno.test("refresh() never shows 0 for a stat that came while a recorded one was being counted", () => {
  const writer = new SlabWriter();
  writer.add(RECORDED, "{}", new Float64Array(SUMMARY_CELLS + 1));
  const reader = new SlabReader(writer.slab);
  reader.refresh();
  const words = new Int32Array(writer.slab.cells);
  words[2 * EPOCH] = 1;
  // The reader looks at the epoch, at the catalog, and at the epoch again.
  const { load } = Atomics;
  let looks = 0;
  Atomics.load = (...args: [never, number]): never => {
    if (++looks === 3) {
      writer.add(SCALAR, "new", [5]);
      words[2 * EPOCH] = 2;
    }
    return load(...args) as never;
  };
  try {
    const [{ cell }] = reader.refresh();
    assertEquals(reader.cells[cell], 5);
  } finally {
    Atomics.load = load;
  }
});
