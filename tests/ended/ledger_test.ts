import { assert, assertEquals, assertMatch } from "@std/assert";
import { alivePath } from "../../directory/file_names.ts";
import {
  type Ended,
  EndedReader,
  type Left,
} from "../../ended/ended_reader.ts";
import { hasTooMany, writeLastValues } from "../../ended/last_values.ts";
import { takeIn } from "../../ended/ledger_writer.ts";
import { seal } from "../../ended/seal.ts";
import { NameTable } from "../../format/snapshot.ts";
import { parseSnapshot } from "../../format/snapshot_parser.ts";
import { runtime } from "../../runtime/runtime.ts";
import { idOf, lastValues } from "../helpers/last_values.ts";
import { namesIn, ROOT, until, withDir } from "../helpers/program.ts";
import { encode } from "../helpers/text.ts";

const uid = Deno.uid()!;

const ledgerPath = (dir: string, generation: number) =>
  `${dir}/.ledger.${uid}.${generation}`;

/** The last values of a process that has counted `n` and recorded one value. */
const left = (
  process: number,
  n: number,
  seq = 1,
  final: boolean | "last" = true,
) =>
  lastValues(
    process,
    `n: ${n}\ng: 5\n# gauge ["g"]: 1\n` +
      `# histogram {"name":"r.{0}","scale":4,"sum":1,"min":1,"max":1,"zeros":0,"positive":[[-1,1]],"negative":[]}: 1\n`,
    seq,
    final,
  );

function leave(
  dir: string,
  process: number,
  n: number,
  { seq = 1, final = true }: { seq?: number; final?: boolean | "last" } = {},
): string {
  const bytes = left(process, n, seq, final);
  return writeLastValues(dir, idOf(process), seq, bytes, 0o644);
}

function read(reader: EndedReader, dir: string): Left {
  return reader.read(dir, namesIn(dir), new NameTable());
}

/** The sum of a counter over all that a reader finds, and how many values were recorded. */
function sums(reader: EndedReader, dir: string): [number, number] {
  const { ended, ledgers } = read(reader, dir);
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

/** What a program that has just started finds. */
const fresh = (dir: string) => sums(new EndedReader(), dir);

function isLedger(name: string): boolean {
  return new RegExp(`^\\.ledger\\.${uid}\\.\\d+$`).test(name);
}

/** The names in a directory that are no ledgers. */
function others(dir: string): string[] {
  return namesIn(dir).filter((name) => !isLedger(name));
}

/** What the highest generation says of itself. */
function head(dir: string) {
  const [ledger] = read(new EndedReader(), dir).ledgers;
  return ledger.info;
}

Deno.test("takeIn() that is to stop ends its step, and the next call goes on", () =>
  withDir((dir) => {
    const path = leave(dir, 1, 5);
    takeIn(dir, uid, Infinity, { isOver: () => true });
    assertEquals(
      namesIn(dir),
      [path, ledgerPath(dir, 1)].map((path) => path.slice(dir.length + 1)),
    );
    takeIn(dir, uid);
    assertEquals(namesIn(dir).includes(path.slice(dir.length + 1)), false);
    return Promise.resolve();
  }));

Deno.test("takeIn() makes one small ledger of 6 000 ends, keeps its predecessor, and loses none", () =>
  withDir((dir) => {
    for (let batch = 1; batch <= 4; batch++) {
      for (let i = 0; i < 1500; i++) leave(dir, 2000 * batch + i, 2);
      // In every other batch a reader finds them first.
      if (batch % 2 === 0) {
        assertEquals(fresh(dir), [3000 * batch, 1500 * batch]);
      }
      takeIn(dir, uid, Infinity, { sync: false });
      assertEquals([others(dir), namesIn(dir).length], [[], 2]);
      assertEquals(fresh(dir), [3000 * batch, 1500 * batch]);
    }
    const { count, killed, ended, generation } = head(dir);
    assertEquals([count, killed, ended.length], [6000, 0, 4096]);
    const bytes = Deno.readFileSync(ledgerPath(dir, generation));
    // Gauges end with their process.
    assertEquals([...parseSnapshot(bytes).stats.keys()], ["n"]);
    assert(bytes.length < 250_000, `${bytes.length} bytes`);
    return Promise.resolve();
  }));

Deno.test("a process is counted once, whether its file, the ledger or both are there", () =>
  withDir((dir) => {
    const path = leave(dir, 7, 3);
    const file = Deno.readFileSync(path);
    takeIn(dir, uid);
    // As if it had been killed before it removed the file.
    Deno.writeFileSync(path, file);
    assertEquals(fresh(dir), [3, 1]);
    assertEquals(others(dir), []);
    assertEquals(fresh(dir), [3, 1]);
    leave(dir, 8, 4);
    assertEquals(fresh(dir), [7, 2]);
    return Promise.resolve();
  }));

Deno.test("takeIn() removes a file only when two generations have its process", () =>
  withDir((dir) => {
    const { remove, link } = runtime;
    /** What is there at each removal and after each link. */
    const seen: string[][] = [];
    try {
      runtime.remove = (path) => {
        if (/\.ended\..*\d$/.test(path)) {
          seen.push(namesIn(dir).filter(isLedger));
        }
        remove(path);
      };
      leave(dir, 1, 5);
      takeIn(dir, uid);
    } finally {
      Object.assign(runtime, { remove, link });
    }
    assertEquals(seen, [[`.ledger.${uid}.1`, `.ledger.${uid}.2`]]);
    return Promise.resolve();
  }));

Deno.test("read() falls back to the predecessor of a ledger that is empty, cut or flipped, says so, and loses nothing", () =>
  withDir((parent) => {
    const harm: [string, (bytes: Uint8Array) => Uint8Array][] = [
      ["empty", () => new Uint8Array(0)],
      ["cut", (bytes) => bytes.subarray(0, bytes.length / 2)],
      [
        "flipped",
        (bytes) => {
          const at = bytes.indexOf("0".charCodeAt(0));
          return bytes.map((byte, i) => i === at ? byte ^ 1 : byte);
        },
      ],
      ["of another number", (bytes) => {
        const text = new TextDecoder().decode(bytes);
        return encode(text.replace(/"generation":\d+/, '"generation":99'));
      }],
    ];
    for (const [what, change] of harm) {
      const dir = `${parent}/${what}`;
      Deno.mkdirSync(dir);
      const running = new EndedReader();
      for (let i = 1; i <= 3; i++) {
        leave(dir, i, 10);
        takeIn(dir, uid);
      }
      assertEquals(sums(running, dir), [30, 3]);
      const { generation } = head(dir);
      const path = ledgerPath(dir, generation);
      Deno.writeFileSync(path, change(Deno.readFileSync(path)));
      assertEquals(fresh(dir), [30, 3], what);
      assertEquals(sums(running, dir), [30, 3], what);
      assertEquals(read(new EndedReader(), dir).problems, [
        `${path}: It is damaged, so an earlier generation stands in for it`,
      ]);
      // The next one goes on from the predecessor, and in the end it is gone.
      leave(dir, 4, 1);
      takeIn(dir, uid);
      assertEquals(fresh(dir), [31, 4], what);
      assertEquals(sums(running, dir), [31, 4], what);
      assertEquals(namesIn(dir), [
        `.ledger.${uid}.${generation + 1}`,
        `.ledger.${uid}.${generation + 2}`,
      ]);
    }
    return Promise.resolve();
  }));

/** A ledger of two processes of which both generations are damaged, and a reader that has read it. */
function damageAll(dir: string): EndedReader {
  const running = new EndedReader();
  leave(dir, 1, 10);
  leave(dir, 2, 10);
  takeIn(dir, uid);
  assertEquals(sums(running, dir), [20, 2]);
  for (const name of namesIn(dir)) Deno.truncateSync(`${dir}/${name}`, 40);
  return running;
}

const aside = [1, 2].map((n) => `.ledger.${uid}.${n}.damaged`);

Deno.test("a reader that knows a ledger of which no generation is whole puts it back, before and after it was set aside", () =>
  withDir((parent) => {
    for (const isSetAside of [false, true]) {
      const dir = `${parent}/${isSetAside}`;
      Deno.mkdirSync(dir);
      const running = damageAll(dir);
      leave(dir, 3, 1);
      if (isSetAside) {
        takeIn(dir, uid);
        assertEquals(namesIn(dir).filter(isLedger), []);
      }
      read(running, dir);
      assertEquals(fresh(dir), [21, 3]);
      assertEquals(sums(running, dir), [21, 3]);
      const names = namesIn(dir);
      assertEquals(names.filter((name) => name.endsWith("damaged")), aside);
      assertEquals(fresh(dir), [21, 3]);
    }
    return Promise.resolve();
  }));

/**
 * A ledger of three processes of which both generations are damaged, a reader
 * that knows the first two, and one that knows all.
 */
function damageUnequally(
  dir: string,
): { early: EndedReader; late: EndedReader } {
  const [early, late] = [new EndedReader(), new EndedReader()];
  for (const [n, reader] of [[1, early], [2, early], [3, late]] as const) {
    leave(dir, n, 10);
    takeIn(dir, uid);
    read(reader, dir);
  }
  assertEquals(sums(late, dir), [30, 3]);
  for (const name of namesIn(dir)) Deno.truncateSync(`${dir}/${name}`, 40);
  return { early, late };
}

Deno.test("whoever knows most of a damaged ledger decides, after somebody has put back what is older", () =>
  withDir((dir) => {
    const { early, late } = damageUnequally(dir);
    assertEquals(sums(early, dir), [20, 2]);
    assertEquals(fresh(dir), [20, 2]);
    // A figure says that this may not be all.
    assertEquals(read(new EndedReader(), dir).missed, new Map([[uid, 1]]));
    assertEquals(sums(late, dir), [30, 3]);
    for (const reader of [early, late, new EndedReader()]) {
      assertEquals(sums(reader, dir), [30, 3]);
    }
    leave(dir, 4, 100);
    takeIn(dir, uid);
    for (const reader of [early, late, new EndedReader()]) {
      assertEquals(sums(reader, dir), [130, 4]);
    }
    assertEquals(read(early, dir).missed, new Map([[uid, 1]]));
    return Promise.resolve();
  }));

Deno.test("readers agree on a ledger that was put back and has gone on before the one that knew most of it came", () =>
  withDir((dir) => {
    const { early, late } = damageUnequally(dir);
    assertEquals(sums(early, dir), [20, 2]);
    leave(dir, 4, 100);
    takeIn(dir, uid);
    for (const reader of [early, late, new EndedReader()]) {
      const { missed } = read(reader, dir);
      assertEquals([sums(reader, dir), missed], [
        [120, 3],
        new Map([[uid, 1]]),
      ]);
    }
    return Promise.resolve();
  }));

Deno.test("a ledger that is put back as it was last is not missed", () =>
  withDir((dir) => {
    const running = damageAll(dir);
    const { missed } = read(running, dir);
    assertEquals([sums(running, dir), missed.size], [[20, 2], 0]);
    return Promise.resolve();
  }));

Deno.test("a ledger of which no generation is whole is kept for a person, counted and truly reported, and another one begins", () =>
  withDir((dir) => {
    damageAll(dir);
    const { problems } = read(new EndedReader(), dir);
    assertEquals(
      problems,
      [2, 1].map((n) =>
        `${
          ledgerPath(dir, n)
        }: It is damaged, and no earlier generation is whole`
      ),
    );
    leave(dir, 3, 1);
    assertEquals(read(new EndedReader(), dir).missed, new Map([[uid, 1]]));
    takeIn(dir, uid);
    assertEquals(fresh(dir), [1, 1]);
    assertEquals(
      others(dir).toSorted(),
      [...aside, `.ledger.${uid}.missed`],
    );
    return Promise.resolve();
  }));

Deno.test("a taker that is delayed between reading the head and linking loses nothing, however many generations others make", () =>
  withDir((dir) => {
    for (const others of [1, 2, 5]) {
      const before = fresh(dir)[0];
      const { link } = runtime;
      let isLate = false;
      leave(dir, 100 * others, 1);
      try {
        runtime.link = (path, newPath) => {
          runtime.link = link;
          isLate = true;
          // Meanwhile, all of this happens.
          for (let i = 1; i <= others; i++) {
            leave(dir, 100 * others + i, 10);
            takeIn(dir, uid);
          }
          link(path, newPath);
        };
        takeIn(dir, uid);
      } finally {
        runtime.link = link;
      }
      assert(isLate);
      assertEquals(fresh(dir)[0], before + 1 + 10 * others);
      takeIn(dir, uid);
      assertEquals(fresh(dir)[0], before + 1 + 10 * others);
      assertEquals(
        namesIn(dir).filter((name) => !isLedger(name)),
        [],
      );
    }
    return Promise.resolve();
  }));

Deno.test("what was delayed for so long that others took it for that of a dead process is counted once", () =>
  withDir((dir) => {
    const { link, rename } = runtime;
    let removed = 0;
    // A second taker adds another process to the ledger meanwhile, and removes incomplete files.
    const meanwhile = (path: string) => {
      Object.assign(runtime, { link, rename });
      Deno.utimeSync(path, 1, 1);
      leave(dir, 50 + removed, 10);
      takeIn(dir, uid);
      assertEquals(namesIn(dir).some((name) => name.endsWith(".new")), false);
      removed++;
    };
    try {
      runtime.rename = (path, newPath) => {
        meanwhile(path);
        rename(path, newPath);
      };
      leave(dir, 1, 1);
      assertEquals(fresh(dir)[0], 11);
      leave(dir, 2, 2);
      runtime.link = (path, newPath) => {
        meanwhile(path);
        link(path, newPath);
      };
      takeIn(dir, uid);
    } finally {
      Object.assign(runtime, { link, rename });
    }
    assertEquals(removed, 2);
    for (let i = 0; i < 2; i++) assertEquals(fresh(dir), [1 + 2 + 20, 4]);
    assertEquals([others(dir), head(dir).count], [[], 4]);
    return Promise.resolve();
  }));

/** A program that takes in for ever what it leaves, and prints how much that was before it ends. */
const program = (dir: string, process: number, ends: number) => `
  import { writeLastValues } from ${
  JSON.stringify(new URL("ended/last_values.ts", ROOT).href)
};
  import { takeIn } from ${
  JSON.stringify(new URL("ended/ledger_writer.ts", ROOT).href)
};
  import { lastValues, idOf } from ${
  JSON.stringify(new URL("tests/helpers/last_values.ts", ROOT).href)
};
  for (let i = 1; i <= ${ends}; i++) {
    const n = ${process} * 1000 + i;
    writeLastValues(${JSON.stringify(dir)}, idOf(n), 1,
      lastValues(n, "n: 1\\n", 1, true), 0o644);
    takeIn(${JSON.stringify(dir)}, ${uid}, Infinity, { sync: false });
  }`;

function start(text: string): Deno.ChildProcess {
  return new Deno.Command(Deno.execPath(), {
    args: ["eval", "--quiet", "--ext=ts", text],
    stdin: "null",
  }).spawn();
}

Deno.test("eight processes that take in at once lose nothing, and no reader sees the sum fall", () =>
  withDir(async (dir) => {
    const [writers, ends] = [8, 60];
    const children = Array.from(
      { length: writers },
      (_, i) => start(program(dir, i + 1, ends)),
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
    takeIn(dir, uid);
    assertEquals(fresh(dir)[0], writers * ends);
    assertEquals(others(dir), []);
    assert(reads > 20, `${reads} reads`);
  }));

Deno.test("takers that are stopped and killed anywhere lose nothing and leave nothing", () =>
  withDir(async (dir) => {
    let expected = 0;
    for (let round = 1; round <= 12; round++) {
      const taker = start(program(dir, round, 400));
      await until("a ledger", () => namesIn(dir).some(isLedger));
      await new Promise((resolve) => setTimeout(resolve, 7 * round));
      taker.kill("SIGSTOP");
      // While it is stopped, another one goes on.
      leave(dir, 900_000 + round, 1);
      takeIn(dir, uid, Infinity, { sync: false });
      if (round % 2 === 0) {
        taker.kill("SIGCONT");
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
      taker.kill("SIGKILL");
      await taker.status;
      const whole = fresh(dir)[0];
      assert(whole > expected, `${whole} after ${expected}`);
      expected = whole;
      takeIn(dir, uid);
      assertEquals(fresh(dir)[0], expected);
    }
    // What a killed one was writing stays for a while.
    for (const name of others(dir)) {
      assertMatch(name, /\.new$/);
      Deno.utimeSync(`${dir}/${name}`, 1, 1);
    }
    leave(dir, 999_999, 0);
    takeIn(dir, uid);
    assertEquals(others(dir), []);
  }));

Deno.test("a killed process stays by itself for an hour, is raised by the highest number, and is then taken in", () =>
  withDir((dir) => {
    leave(dir, 1, 5, { seq: 3, final: false });
    const path = leave(dir, 1, 7, { seq: 4, final: false });
    const what = ({ id, seq, final, owner, snapshot }: Ended) =>
      [id, seq, final, owner, snapshot.stats.get("n")?.value] as const;
    const reader = new EndedReader();
    takeIn(dir, uid);
    assertEquals(read(reader, dir).ended.map(what), [
      [idOf(1), 4, false, uid, 7],
    ]);
    assertEquals(read(reader, dir).ledgers, []);
    for (const name of namesIn(dir)) Deno.utimeSync(`${dir}/${name}`, 1, 1);
    // As long as one file is new, somebody may be about to raise it.
    Deno.utimeSync(path, new Date(), new Date());
    takeIn(dir, uid);
    assertEquals(namesIn(dir).length, 2);
    Deno.utimeSync(path, 1, 1);
    takeIn(dir, uid);
    const { count, killed, ended } = head(dir);
    assertEquals([count, killed, ended], [1, 1, [`${idOf(1)}@4`]]);
    assertEquals([fresh(dir)[0], others(dir)], [7, []]);
    // Too late to be raised.
    leave(dir, 1, 9, { seq: 5, final: false });
    assertEquals(fresh(dir)[0], 7);
    takeIn(dir, uid);
    assertEquals(others(dir), []);
    return Promise.resolve();
  }));

/** Shows the sign of life of the first process. */
async function holdSign(dir: string) {
  const sign = alivePath(dir, "7", idOf(1));
  const holder = new Deno.Command("sh", {
    args: [
      "-c",
      `mkfifo "$1"; exec 3<>"$1"; : > "$2"; exec sleep 60`,
      ...["sh", sign, `${dir}/held`],
    ],
    stdin: "null",
  }).spawn();
  await until("the sign", () => namesIn(dir).includes("held"));
  return holder;
}

Deno.test("takeIn() takes a process that left its last values at once when nobody can know of more, and not as a killed one", () =>
  withDir(async (dir) => {
    leave(dir, 1, 5, { final: "last" });
    await using holder = await holdSign(dir);
    takeIn(dir, uid);
    assertEquals(namesIn(dir).filter(isLedger), []);
    holder.kill("SIGKILL");
    await holder.status;
    // It may have lived on, and have a checkpoint that is not booked yet.
    takeIn(dir, uid);
    assertEquals(namesIn(dir).filter(isLedger), []);
    Deno.removeSync(alivePath(dir, "7", idOf(1)));
    takeIn(dir, uid);
    const { count, killed, ended } = head(dir);
    assertEquals([count, killed, ended], [1, 0, [idOf(1)]]);
    assertEquals([fresh(dir)[0], others(dir)], [5, ["held"]]);
  }));

Deno.test("takeIn() leaves a process that has survived the error at which it left its values", () =>
  withDir(async (dir) => {
    const path = leave(dir, 1, 5, { final: false });
    Deno.utimeSync(path, 1, 1);
    await using holder = await holdSign(dir);
    takeIn(dir, uid);
    assertEquals(namesIn(dir).filter(isLedger), []);
    holder.kill("SIGKILL");
    await holder.status;
    takeIn(dir, uid);
    assertEquals(head(dir).ended, [`${idOf(1)}@1`]);
  }));

Deno.test("takeIn() takes the oldest of more than 256 killed processes", () =>
  withDir((dir) => {
    for (let i = 1; i <= 300; i++) {
      const path = leave(dir, i, 1, { final: false });
      const time = Date.now() / 1000 - 1000 + i;
      Deno.utimeSync(path, time, time);
    }
    takeIn(dir, uid);
    assertEquals([others(dir).length, fresh(dir)[0]], [256, 300]);
    assertEquals(head(dir).ended[0], `${idOf(1)}@1`);
    assertEquals(others(dir)[0], `.ended.${idOf(45)}.1`);
    return Promise.resolve();
  }));

Deno.test("the first answer of a busy service counts all killed processes that stay by themselves", () =>
  withDir((dir) => {
    for (let i = 1; i <= 256; i++) {
      for (const seq of [1, 2]) leave(dir, i, seq, { seq, final: false });
    }
    // There is no time left when it begins to read.
    const { ended } = new EndedReader()
      .read(dir, namesIn(dir), new NameTable(), 0);
    const counts = ended.map(({ snapshot }) => snapshot.stats.get("n")?.value);
    assertEquals(counts, new Array(256).fill(2));
    return Promise.resolve();
  }));

Deno.test("a damaged file is a missed process at once, and is removed when it is old", () =>
  withDir((dir) => {
    const [whole, cut] = [leave(dir, 1, 5), leave(dir, 2, 9)];
    Deno.truncateSync(cut, 30);
    const flipped = leave(dir, 4, 5);
    const text = Deno.readTextFileSync(flipped);
    Deno.writeTextFileSync(flipped, text.replace("n: 5", "n: 7"));
    Deno.copyFileSync(whole, `${dir}/.ended.${idOf(3)}.1`);
    takeIn(dir, uid);
    const { ended, problems, missed } = read(new EndedReader(), dir);
    assertEquals([ended, missed], [[], new Map([[uid, 3]])]);
    assertEquals(
      problems.toSorted(),
      [2, 3, 4].map((n) => `${dir}/.ended.${idOf(n)}.1: It is damaged`),
    );
    for (const n of [2, 3, 4]) {
      Deno.utimeSync(`${dir}/.ended.${idOf(n)}.1`, 1, 1);
    }
    takeIn(dir, uid);
    assertEquals(others(dir), [`.ledger.${uid}.missed`]);
    assertEquals(read(new EndedReader(), dir).missed, new Map([[uid, 3]]));
    assertEquals(fresh(dir)[0], 5);
    return Promise.resolve();
  }));

Deno.test("a program with 100 000 names leaves room for the names of others, and costs them little time", () =>
  withDir((dir) => {
    const many = Array.from({ length: 100_000 }, (_, i) => `id.${i}: 1\n`);
    for (let i = 1; i <= 5; i++) {
      const lines = many.map((line) => `${i}.${line}`).join("");
      const bytes = lastValues(i, lines, 1, true);
      writeLastValues(dir, idOf(i), 1, bytes, 0o644);
    }
    takeIn(dir, uid, Infinity, { sync: false });
    for (let i = 10; i < 15; i++) {
      const bytes = lastValues(i, "new.counter: 1\n", 1, true);
      writeLastValues(dir, idOf(i), 1, bytes, 0o644);
      takeIn(dir, uid, Infinity, { sync: false });
    }
    const [{ snapshot: { stats } }] = read(new EndedReader(), dir).ledgers;
    assertEquals(stats.get("new.counter")?.value, 5);
    // Each takes a tenth of the room that is left, as far as bytes allow that.
    assert(stats.size < 41_000 && stats.size > 40_000, `${stats.size}`);
    assertEquals(
      stats.get("statvent.refused")!.value,
      500_000 + 2 - stats.size,
    );
    return Promise.resolve();
  }));

Deno.test("takeIn() lets a few small files wait for others if the ledger is large, and then misses none", () =>
  withDir((dir) => {
    const wait = () => takeIn(dir, uid, Infinity, { mayWait: true });
    leave(dir, 1, 5);
    wait();
    assertEquals(others(dir), []);
    const name = "a.name.that.makes.a.ledger.large";
    const lines = Array.from({ length: 9_000 }, (_, i) => `${name}.${i}: 1\n`);
    const bytes = lastValues(2, lines.join(""), 1, true);
    writeLastValues(dir, idOf(2), 1, bytes, 0o644);
    wait();
    assertEquals(others(dir), []);
    const ledgers = namesIn(dir);
    for (let i = 0; i < 64; i++) {
      leave(dir, 10 + i, 1);
      wait();
    }
    assertEquals([namesIn(dir).filter(isLedger), others(dir).length], [
      ledgers,
      64,
    ]);
    // Every reader counts them, and takes them in.
    assertEquals(fresh(dir)[0], 5 + 64);
    assertEquals(others(dir), []);
    for (let i = 0; i < 65; i++) leave(dir, 100 + i, 1);
    wait();
    assertEquals([others(dir), head(dir).count], [[], 2 + 64 + 65]);
    const last = head(dir).generation;
    const parse = (generation: number) =>
      parseSnapshot(Deno.readFileSync(ledgerPath(dir, generation)));
    assertEquals(parse(last).stats, parse(last - 1).stats);
    assertEquals(parse(last).stats.get("n")!.value, 5 + 64 + 65);
    return Promise.resolve();
  }));

Deno.test("hasTooMany() says when a user has 4 096 files", () =>
  withDir((dir) => {
    const bytes = left(1, 1);
    for (let i = 1; i < 4096; i++) {
      Deno.writeFileSync(`${dir}/.ended.${idOf(i)}.1`, bytes);
    }
    assertEquals(hasTooMany(dir, namesIn(dir), uid), false);
    Deno.writeFileSync(`${dir}/.ended.${idOf(4096)}.1`, bytes);
    assertEquals(hasTooMany(dir, namesIn(dir), uid), true);
    assertEquals(hasTooMany(dir, namesIn(dir), uid + 1), false);
    return Promise.resolve();
  }));

Deno.test("read() takes a file or a ledger for what it is: no link, no pipe, no directory", () =>
  withDir(async (dir) => {
    Deno.writeFileSync(`${dir}/real`, left(1, 1));
    Deno.symlinkSync(`${dir}/real`, `${dir}/.ended.${idOf(1)}.1`);
    Deno.symlinkSync(`${dir}/real`, ledgerPath(dir, 1));
    Deno.mkdirSync(`${dir}/.ended.${idOf(2)}.1`);
    Deno.mkdirSync(`${dir}/.ledger.1234567.1`);
    const pipe = `${dir}/.ended.${idOf(3)}.1`;
    await new Deno.Command("mkfifo", { args: [pipe] }).output();
    assertEquals(fresh(dir), [0, 0]);
  }));

Deno.test("read() reads a ledger to its end that is slow to read, but not again at once", () =>
  withDir((dir) => {
    const write = (n: number) => {
      const lines = Array.from({ length: 9_000 }, (_, i) => `${n}.${i}: 1\n`);
      for (let i = 0; i < 6; i++) {
        const text = lines.map((line) => `${i}.${line}`).join("");
        const bytes = lastValues(10 * n + i, text, 1, true);
        writeLastValues(dir, idOf(10 * n + i), 1, bytes, 0o644);
      }
      takeIn(dir, uid, Infinity, { sync: false });
    };
    const reader = new EndedReader();
    const table = new NameTable();
    const read = () => {
      const { ledgers, late } = reader.read(dir, namesIn(dir), table, 0);
      return [ledgers.map(({ info }) => info.count), late.size];
    };
    write(1);
    assertEquals([read(), read()], [[[6], 0], [[6], 0]]);
    write(2);
    // The one of before stands in its place.
    assertEquals(read(), [[6], 1]);
    return Promise.resolve();
  }));

Deno.test("a ledger keeps the start of the first process in it, if it knows those of all", () =>
  withDir((dir) => {
    const leaveAt = (process: number, start: number, lines = "n: 1\n") => {
      const bytes = lastValues(process, lines, 1, true);
      const text = new TextDecoder().decode(bytes)
        .replace('"start":1.5', `"start":${start}`)
        .replace(/# crc32[^]*/, "");
      const content = encode(`${text}# EOF: ${encode(text).length}\n`);
      writeLastValues(dir, idOf(process), 1, seal(content), 0o644);
      takeIn(dir, uid);
      return head(dir).start;
    };
    // It has counted nothing.
    assertEquals(leaveAt(1, 2.5, 'g: 1\n# gauge ["g"]: 1\n'), undefined);
    assertEquals(leaveAt(2, 7.5), 7.5);
    assertEquals(leaveAt(3, 9), 7.5);
    assertEquals(leaveAt(4, 3.25), 3.25);
    assertEquals(leaveAt(5, 2, 'g: 1\n# gauge ["g"]: 1\n'), 3.25);
    // A start of which nothing is known is that of all.
    assertEquals(leaveAt(6, 0), undefined);
    assertEquals(leaveAt(7, 9), undefined);
    assertEquals(fresh(dir)[0], 5);
    return Promise.resolve();
  }));
