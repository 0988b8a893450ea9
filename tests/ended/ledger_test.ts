import {
  assert,
  assertEquals,
  assertMatch,
  assertStringIncludes,
} from "@std/assert";
import { Collector, toMap } from "../../collect.ts";
import { writeEnded } from "../../ended/last_values.ts";
import { EndedReader } from "../../ended/ended_reader.ts";
import { takeIn } from "../../ended/ledger_writer.ts";
import { NameTable } from "../../format/snapshot.ts";
import { parseSnapshot } from "../../format/snapshot_parser.ts";
import { runtime } from "../../runtime/runtime.ts";
import { namesIn, ROOT, startProgram, withDir } from "../helpers/program.ts";
import { encode, whole } from "../helpers/text.ts";

const uid = Deno.uid()!;

const LEDGER = `.ledger.${uid}`;

/** What a process leaves that has counted `n` and recorded one value. */
const left = (n: number) =>
  whole(
    `n: ${n}\ng: 5\n# gauge ["g"]: 1\n` +
      `# histogram {"name":"r.{0}","scale":4,"sum":1,"min":1,"max":1,"zeros":0,"positive":[[-1,1]],"negative":[]}: 1\n`,
  );

/** The sum of a counter over all that a reader finds, and how many values were recorded. */
function sums(reader: EndedReader, dir: string): [number, number] {
  const { ended, ledgers } = reader.read(dir, namesIn(dir), new NameTable());
  const all = [...ended, ...ledgers].map(({ snapshot }) => snapshot);
  let n = 0;
  let recorded = 0;
  for (const { stats, recorded: [stat] } of all) {
    n += stats.get("n")?.value ?? 0;
    for (const count of stat?.histogram?.positive.values() ?? []) {
      recorded += count;
    }
  }
  return [n, recorded];
}

Deno.test("takeIn() makes one small ledger of 6 000 ends, and loses none", () =>
  withDir((dir) => {
    const reader = new EndedReader();
    for (let batch = 1; batch <= 4; batch++) {
      for (let i = 0; i < 1500; i++) {
        const path = `${dir}/.ended.${i + 1}.${batch}`;
        Deno.writeFileSync(path, left(2));
      }
      // In every other batch a reader finds them first.
      if (batch % 2 === 0) {
        assertEquals(sums(reader, dir), [3000 * batch, 1500 * batch]);
      } else takeIn(dir, uid);
      assertEquals(namesIn(dir), [LEDGER]);
      assertEquals(sums(reader, dir), [3000 * batch, 1500 * batch]);
    }
    const bytes = Deno.readFileSync(`${dir}/${LEDGER}`);
    const { ledger, stats } = parseSnapshot(bytes);
    assertEquals([ledger?.count, ledger?.ended.length], [6000, 4096]);
    // Gauges end with their process.
    assertEquals([...stats.keys()], ["n"]);
    assert(bytes.length < 100_000, `${bytes.length} bytes`);
    return Promise.resolve();
  }));

Deno.test("a process is counted once, whether its file, the ledger or both are there", () =>
  withDir((dir) => {
    const path = writeEnded(dir, 7, 1.5, left(3));
    assertEquals(namesIn(dir), [".ended.7.1500"]);
    const file = Deno.readFileSync(path);
    takeIn(dir, uid);
    // As if it had been killed before it removed the file.
    Deno.writeFileSync(path, file);
    assertEquals(sums(new EndedReader(), dir), [3, 1]);
    assertEquals(namesIn(dir), [LEDGER]);
    assertEquals(sums(new EndedReader(), dir), [3, 1]);
    // Another process with the same id.
    writeEnded(dir, 7, 2.5, left(4));
    assertEquals(sums(new EndedReader(), dir), [7, 2]);
    return Promise.resolve();
  }));

Deno.test("read() sees what has changed, also where a new file has the number of the old one", () =>
  withDir((dir) => {
    const reader = new EndedReader();
    const path = `${dir}/${LEDGER}`;
    writeEnded(dir, 1, 1, left(1));
    takeIn(dir, uid);
    assertEquals(sums(reader, dir), [1, 1]);
    const { ino } = Deno.statSync(path);
    const text = Deno.readTextFileSync(path);
    Deno.writeTextFileSync(path, text.replace("n: 1\n", "n: 8\n"));
    assertEquals(Deno.statSync(path).ino, ino);
    assertEquals(sums(reader, dir), [8, 1]);
    return Promise.resolve();
  }));

Deno.test("takeIn() leaves the files while another process is at it, and takes over from a dead one", () =>
  withDir((dir) => {
    const lock = `${dir}/${LEDGER}.lock`;
    Deno.writeTextFileSync(lock, "");
    writeEnded(dir, 1, 1, left(1));
    takeIn(dir, uid);
    assertEquals(namesIn(dir), [".ended.1.1000", `${LEDGER}.lock`]);
    const reader = new EndedReader();
    assertEquals(sums(reader, dir), [1, 1]);
    const old = Date.now() / 1000 - 11;
    Deno.utimeSync(lock, old, old);
    assertEquals(sums(reader, dir), [1, 1]);
    assertEquals(namesIn(dir), [LEDGER]);
    assertEquals(sums(reader, dir), [1, 1]);
    return Promise.resolve();
  }));

Deno.test("takeIn() puts a malformed ledger aside and begins a new one", () =>
  withDir((dir) => {
    for (const text of ["", "garbage", "n: 5\n", "n: 5\n# EOF: 5\n"]) {
      Deno.writeTextFileSync(`${dir}/${LEDGER}`, text);
      writeEnded(dir, 1, 1, left(1));
      assertEquals(sums(new EndedReader(), dir), [1, 1]);
      assertEquals(namesIn(dir), [LEDGER, `${LEDGER}.invalid`]);
      assertEquals(sums(new EndedReader(), dir), [1, 1]);
      assertEquals(Deno.readTextFileSync(`${dir}/${LEDGER}.invalid`), text);
      Deno.removeSync(`${dir}/${LEDGER}`);
    }
    return Promise.resolve();
  }));

Deno.test("read() takes a file or a ledger for what it is: no link, no pipe, no directory", () =>
  withDir(async (dir) => {
    Deno.writeFileSync(`${dir}/real`, left(1));
    Deno.symlinkSync(`${dir}/real`, `${dir}/.ended.1.1`);
    Deno.symlinkSync(`${dir}/real`, `${dir}/${LEDGER}`);
    Deno.mkdirSync(`${dir}/.ended.2.2`);
    Deno.mkdirSync(`${dir}/.ledger.1234567`);
    await new Deno.Command("mkfifo", { args: [`${dir}/.ended.3.3`] }).output();
    assertEquals(sums(new EndedReader(), dir), [0, 0]);
  }));

Deno.test("processes that end at the same instant lose nothing, and no reader sees the sum fall", () =>
  withDir(async (dir) => {
    const [writers, ends] = [6, 200];
    const text = `
      import { writeEnded } from ${
      JSON.stringify(new URL("ended/last_values.ts", ROOT).href)
    };
      import { takeIn } from ${
      JSON.stringify(new URL("ended/ledger_writer.ts", ROOT).href)
    };
      const encode = (text) => new TextEncoder().encode(text);
      const text = "n: 1\\n";
      for (let i = 1; i <= ${ends}; i++) {
        writeEnded(${
      JSON.stringify(dir)
    }, Deno.pid, i, encode(text + "# EOF: 5\\n"));
        takeIn(${JSON.stringify(dir)}, ${uid});
      }`;
    const children = Array.from(
      { length: writers },
      () =>
        new Deno.Command(Deno.execPath(), {
          args: ["eval", "--quiet", "--ext=ts", text],
          stdin: "null",
        }).spawn(),
    );
    let over = false;
    const ended = Promise.all(children.map((child) => child.status))
      .then((all) => {
        over = true;
        return all;
      });
    const reader = new EndedReader();
    let last = 0;
    let reads = 0;
    while (!over) {
      const [n] = sums(reader, dir);
      assert(n >= last, `fell from ${last} to ${n}`);
      assert(n <= writers * ends, `${n}`);
      last = n;
      reads++;
      await new Promise((resolve) => setTimeout(resolve));
    }
    assertEquals((await ended).map(({ code }) => code), Array(writers).fill(0));
    // Who has found the lock taken has left a file to its holder.
    assertEquals(namesIn(dir), [LEDGER]);
    assertEquals(sums(reader, dir)[0], writers * ends);
    assert(reads > 20, `${reads} reads`);
  }));

function snapshot(start: number, count: number): Uint8Array {
  const text = `n: ${count}\n# process {"start":${start}.0}: 0\n`;
  return encode(`${text}# EOF: ${text.length}\n`);
}

// Found by chaos.
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

// Found by chaos.
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

// Found by chaos.
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

Deno.test("takeIn() takes in what dead processes have left that may have been ending", () =>
  withDir((dir) => {
    const values = whole("n: 1\n");
    const path = writeEnded(dir, 4_194_303, 1, values, 0o644, false);
    assertEquals(namesIn(dir), [".ending.4194303.1000"]);
    // Nobody here can tell whether it lives, so it must have been for a while.
    Deno.utimeSync(path, 1, 1);
    writeEnded(dir, 4_194_302, 1, values);
    takeIn(dir, Deno.uid()!);
    assertEquals(namesIn(dir), [`.ledger.${Deno.uid()}`]);
    assertStringIncludes(
      Deno.readTextFileSync(`${dir}/.ledger.${Deno.uid()}`),
      "n: 2\n",
    );
    return Promise.resolve();
  }));

Deno.test("read() takes of two files of one end the one that is sure, and loses neither", () =>
  withDir((dir) => {
    const [sure, unsure] = [whole("n: 5\n"), whole("n: 3\n")];
    // Nobody takes them in for now.
    Deno.writeTextFileSync(`${dir}/.ledger.${uid}.lock`, "");
    const [pid, start] = [4_194_303, 1];
    writeEnded(dir, pid, start, unsure, 0o644, false);
    writeEnded(dir, pid, start, sure);
    const read = () =>
      new EndedReader().read(dir, namesIn(dir), new NameTable());
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

Deno.test("read() reads a ledger to its end that is slow to read, but not again at once", () =>
  withDir((dir) => {
    const write = (n: number) => {
      const names = Array.from({ length: 60_000 }, (_, i) => `${n}.${i}: 1\n`);
      const text = `${
        names.join("")
      }# ledger {"id":"i","count":${n},"ended":[]}: 0\n`;
      Deno.writeFileSync(`${dir}/.ledger.${uid}`, whole(text));
    };
    const reader = new EndedReader();
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

Deno.test("read() reads what is short, however late it is", () =>
  withDir((dir) => {
    const reader = new EndedReader();
    const table = new NameTable();
    const counts = [1, 2].map((n) => {
      const end = `# ledger {"id":"i","count":${n},"ended":[]}: 0\n`;
      Deno.writeFileSync(`${dir}/.ledger.${uid}`, whole(`n: ${n}\n${end}`));
      Deno.writeFileSync(`${dir}/.ended.${n}.5`, whole(`m: ${n}\n`));
      const { ledgers, ended } = reader.read(dir, namesIn(dir), table, 0);
      // The first file is still there if the machine had no time to take it in.
      const isRead = ended.some(({ snapshot }) =>
        snapshot.stats.get("m")?.value === n
      );
      return [ledgers.map(({ info }) => info.count), isRead];
    });
    assertEquals(counts, [[[1], true], [[2], true]]);
    return Promise.resolve();
  }));

Deno.test("a ledger of another kind, or a huge one, is not read, and does not keep a program from ending", () =>
  withDir(async (dir) => {
    const uid = Deno.uid()!;
    // Sparse: it takes no space.
    await Deno.writeTextFile(`${dir}/.ledger.${uid}`, "");
    await Deno.truncate(`${dir}/.ledger.${uid}`, 2 ** 31);
    await Deno.writeTextFile(`${dir}/.ended.4000000.1`, "");
    await Deno.truncate(`${dir}/.ended.4000000.1`, 2 ** 31);
    const collector = new Collector({ pipeDir: dir });
    assertEquals(toMap(await collector.collect()).size, 0);
    const program = await startProgram(
      `incr("n", 3); await startRecorder();`,
      { dir },
    );
    assertEquals((await program.ended()).code, 0);
    const host = await collector.collect();
    assertEquals(toMap(host).get("n"), { value: 3, fractional: false });
  }));
