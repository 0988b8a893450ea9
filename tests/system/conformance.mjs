/**
 * What statvent promises on every runtime: the same file for Node, Bun and Deno.
 *
 * Run it in a folder where `import "statvent"` works, with the runtime under
 * test. It starts real programs with that runtime, reads their pipes with
 * `cat`, and prints `N passed, N failed` at the end.
 *
 * `STATVENT_RUN` is how that runtime runs a file, `STATVENT_SERVE` how it runs
 * the web service: JSON lists of words.
 */
import { deepStrictEqual as equal, match, ok } from "node:assert";
import { Buffer } from "node:buffer";
import { spawn, spawnSync } from "node:child_process";
import {
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import process from "node:process";

// Not a literal, since only where the package is installed there is one.
const COLLECT = "statvent/collect";
const { Collector } = await import(COLLECT);

const run = JSON.parse(process.env.STATVENT_RUN ?? `["${process.execPath}"]`);
const serve = JSON.parse(process.env.STATVENT_SERVE ?? "[]");
const isDeno = "Deno" in globalThis;
const isBun = "Bun" in globalThis;

/** The last values of a process that has ended. */
const ENDED = /^\.ended\.[0-9a-f]{32}\.\d+$/;
/** A generation of the ledger, also one that a thread was writing when its process ended. */
const LEDGER = /^\.ledger\.\d+\.(\d+|[0-9a-f-]{36}\.new)$/;

const tests = [];
const test = (name, body) => tests.push([name, body]);

/** A place for a test's programs and pipes, and how to run and read them. */
class Place {
  dir = mkdtempSync(`${tmpdir()}/statvent-conformance-`);
  children = [];
  #files = 0;

  /** Writes a program with the public API in scope. */
  write(text, suffix = "mjs") {
    // In this folder, where `statvent` resolves.
    const file = `${process.cwd()}/program-${process.pid}-${this
      .#files++}.${suffix}`;
    const api =
      "config, counter, describe, distribution, gauge, getAll, incr, record, set, startRecorder";
    const head = suffix === "cjs"
      ? `const { ${api} } = require("statvent");`
      : `import process from "node:process"; import { ${api} } from "statvent";`;
    writeFileSync(
      file,
      `${head} config.pipeDir = "${this.dir}/pipes";\n${text}\n`,
    );
    this.files.push(file);
    return file;
  }
  files = [];

  /** Starts a program that was written, or written here. */
  start(text, { env = {}, suffix } = {}) {
    const file = /^\/[^\n]*js$/.test(text) ? text : this.write(text, suffix);
    const [command, ...args] = [...run, file];
    const child = spawn(command, args, {
      env: { ...process.env, NO_COLOR: "1", ...env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    const program = { child, pid: child.pid, stdout: "", stderr: "" };
    child.stdout.on("data", (data) => program.stdout += data);
    child.stderr.on("data", (data) => program.stderr += data);
    program.path = `${this.dir}/pipes/${child.pid}.stats`;
    program.ended = new Promise((resolve) =>
      child.on("close", (code, signal) => resolve({ code, signal }))
    );
    this.children.push(program);
    return program;
  }

  /** Starts a program and waits until it has printed a word. */
  async startUntil(word, text, { patience, ...options } = {}) {
    const program = this.start(text, options);
    let over;
    program.ended.then((end) => over = end);
    await until(`${word} of ${text}`, () => {
      if (over && !program.stdout.includes(word)) {
        throw new Error(`ended with ${over.code}: ${program.stderr}`);
      }
      return program.stdout.includes(word);
    }, patience);
    return program;
  }

  /** The names in the pipe directory, sorted. */
  all() {
    try {
      return readdirSync(`${this.dir}/pipes`).sort();
    } catch {
      return [];
    }
  }

  /** The names of what living processes have, and killed ones leave behind. */
  names() {
    return this.all().filter((name) => !ENDED.test(name) && !LEDGER.test(name));
  }

  /** The stats of all processes by name, as a new service adds them up. */
  async collect() {
    const pipeDir = `${this.dir}/pipes`;
    const collector = new Collector({ pipeDir, deadline: 5000 });
    const { table, ids, values } = await collector.collect();
    return Object.fromEntries(
      Array.from(ids, (id, i) => [table.names[id], values[i]]),
    );
  }

  async remove() {
    for (const { child, ended } of this.children) {
      child.kill("SIGKILL");
      await ended;
    }
    for (const file of this.files) rmSync(file, { force: true });
    rmSync(this.dir, { recursive: true, force: true });
  }
}

async function until(what, probe, patience = 15_000) {
  for (const end = Date.now() + patience; Date.now() < end;) {
    const result = await probe();
    if (result) return result;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  throw new Error(`not seen: ${what}`);
}

/** What `cat` prints. Not in this process, which must go on. */
async function cat(path) {
  const child = spawn("timeout", ["5", "cat", path]);
  let text = "";
  child.stdout.on("data", (data) => text += data);
  const code = await new Promise((resolve) => child.on("close", resolve));
  if (code !== 0) throw new Error(`cat ${path}: ${code}`);
  return text;
}

const PROCESS =
  /^# process \{"id":"[0-9a-f]{32}","start":\d+(\.\d+)?,"name":"[^"\n]*","runtime":"\w+ [\d.]+"\}: \d+\.\d+\n/m;

const SEQ = /^# seq: ([1-9]\d*)\n(?=# EOF: |$)/m;

/** A whole snapshot without its `# process`, `# seq` and `# EOF`, which must be right. */
function body(snapshot) {
  const start = snapshot.lastIndexOf("# EOF: ");
  const text = snapshot.slice(0, start);
  equal(snapshot.slice(start), `# EOF: ${Buffer.byteLength(text)}\n`);
  match(text, PROCESS);
  match(text, SEQ);
  return text.replace(PROCESS, "").replace(SEQ, "");
}

/** The stats that `cat` shows, as text by name. */
async function read(path) {
  const lines = (await cat(path)).trimEnd().split("\n");
  match(lines.pop(), /^# EOF: \d+$/);
  return Object.fromEntries(
    lines.filter((line) => !line.startsWith("# ")).map((line) => {
      const colon = line.lastIndexOf(": ");
      return [line.slice(0, colon), line.slice(colon + 2)];
    }),
  );
}

/** The `id` in a snapshot and its `# seq`. */
function identity(snapshot) {
  const { id } = JSON.parse(/^# process (.*): [\d.]+$/m.exec(snapshot)[1]);
  return [id, Number(SEQ.exec(snapshot)[1])];
}

const LIVE = `setInterval(() => {}, 1e6); console.log("live");`;

test("the developer API counts, sets, records and refuses", async (place) => {
  const program = place.start(`
    incr("a"); incr("a", 2); set("b", 1.5); incr("b", 0.5);
    counter("c").incr(); gauge("d").set(-4); gauge("d").incr();
    for (let i = 1; i <= 150; i++) record("r.{0}", i);
    distribution("s.{0}").record(3);
    const errors = [];
    for (const bad of [() => incr("a\\nb"), () => incr("a", NaN), () => set("a", "5"), () => record("r", 1), () => config.windowSize = 0]) {
      try { bad(); } catch (error) { errors.push(error.constructor.name); }
    }
    console.log(JSON.stringify([getAll(), errors]));`);
  equal((await program.ended).code, 0, program.stderr);
  equal(JSON.parse(program.stdout), [
    {
      "a": 3,
      "b": 2,
      "c": 1,
      "d": -3,
      "r.median": 100,
      "r.95th": 145,
      "r.99th": 149,
      "r.100th": 150,
      "r.mean": 100.5,
      "s.median": 3,
      "s.95th": 3,
      "s.99th": 3,
      "s.100th": 3,
      "s.mean": 3,
    },
    ["TypeError", "RangeError", "TypeError", "TypeError", "RangeError"],
  ]);
});

test("cat reads the pipe, again and again", async (place) => {
  const program = await place.startUntil(
    "live",
    `incr("a", 3); set("b", 0.5); await startRecorder(); ${LIVE}`,
  );
  for (let i = 0; i < 30; i++) {
    equal(
      body(await cat(program.path)),
      'a: 3\nb: 0.5\n# gauge ["b"]: 1\n',
    );
  }
  equal(program.stderr, "");
});

test("cat reads the pipe while the main thread hangs", async (place) => {
  const program = await place.startUntil(
    "live",
    `await startRecorder(); console.log("live");
     setTimeout(() => { for (let i = 0;; i++) { incr("turns"); if (i === 1000) incr("during"); } }, 50);`,
  );
  await until("during", async () => (await read(program.path)).during);
  const first = await read(program.path);
  // On a loaded machine the thread may not have turned in between.
  await until(
    "more turns",
    async () => Number((await read(program.path)).turns) > Number(first.turns),
  );
});

test("worker threads count into the one pipe, hung and ended ones included", async (place) => {
  const thread = place.write(`
    import { parentPort, workerData } from "node:worker_threads";
    for (let i = 0; i < 1000; i++) incr("count");
    parentPort.postMessage("done");
    if (workerData === "hang") for (;;);`);
  const program = await place.startUntil(
    "live",
    `import { Worker } from "node:worker_threads";
     import { pathToFileURL } from "node:url";
     incr("count", 0);
     const start = (workerData) => new Promise((resolve) => {
       const worker = new Worker(pathToFileURL("${thread}"), { workerData });
       worker.once("message", () => resolve(worker));
     });
     await start("end");
     await startRecorder();
     await start("end"); await start("hang");
     const killed = await start("stay"); await killed.terminate();
     console.log("live"); setInterval(() => {}, 1e6);`,
  );
  await until(
    "all counts",
    async () => (await read(program.path)).count === "4000",
  );
});

test("threads that come and go leave the totals, and neither memory nor mappings", async (place) => {
  const thread = place.write(`
    import { parentPort, workerData } from "node:worker_threads";
    for (let i = 0; i < 20; i++) incr("count." + i);
    set("gauge", 2); for (let i = 1; i <= 300; i++) record("r.{0}", i);
    if (workerData % 2) { parentPort.postMessage(""); setInterval(() => {}, 1e6); }`);
  const [half, all] = [60, 140];
  const program = await place.startUntil(
    "live",
    `import { readFileSync } from "node:fs";
     import { Worker } from "node:worker_threads";
     import { pathToFileURL } from "node:url";
     await startRecorder();
     const run = (workerData) => new Promise((resolve) => {
       const worker = new Worker(pathToFileURL("${thread}"), { workerData });
       worker.once("message", () => worker.terminate());
       worker.once("exit", resolve);
     });
     const measure = () => ({
       maps: readFileSync("/proc/self/maps", "utf8").split("\\n").length,
       vm: +/VmSize:\\s+(\\d+)/.exec(readFileSync("/proc/self/status", "utf8"))[1],
     });
     let falls = 0, last = 0, first;
     for (let i = 0; i < ${all}; i++) {
       if (i === ${half}) first = measure();
       await run(i);
       const count = getAll()["count.19"] ?? 0;
       if (count < last || count > i + 1) falls++;
       last = count;
     }
     const { maps, vm } = measure();
     console.log(JSON.stringify([falls, maps - first.maps, vm - first.vm]));
     console.log("live"); setInterval(() => {}, 1e6);`,
    // Deno needs 80 ms for a thread on a loaded machine.
    { patience: 60_000 },
  );
  const [falls, maps, vm] = JSON.parse(program.stdout.split("\n")[0]);
  equal(falls, 0);
  // A slab of a gibibyte for each would take 480 mappings and 176 GB.
  ok(maps < 200, `${maps} mappings more`);
  ok(vm < 10e6, `${vm} kB of address space more`);
  const stats = await until("all counts", async () => {
    const stats = await read(program.path);
    return stats["count.19"] === `${all}` && stats;
  });
  equal(stats.gauge, `${2 * all}`);
  const histogram = /^# histogram .*"r\.\{0\}".*"sum":(\d+)/m.exec(
    await cat(program.path),
  );
  equal(histogram?.[1], `${45150 * all}`);
});

test("child processes have a pipe each", async (place) => {
  const child = place.write(
    `incr("child"); await startRecorder(); process.send("ready"); setInterval(() => {}, 1e6);`,
  );
  const parent = await place.startUntil(
    "live",
    `import { fork } from "node:child_process";
     incr("parent"); await startRecorder();
     const children = [1, 2, 3].map(() => fork("${child}"));
     await Promise.all(children.map((child) => new Promise((resolve) => child.once("message", resolve))));
     process.on("SIGTERM", () => { for (const child of children) child.kill("SIGKILL"); process.exit(); });
     console.log("live");`,
  );
  const pipes = place.names().filter((name) => name.endsWith(".stats"));
  equal(pipes.length, 4);
  const all = await Promise.all(
    pipes.map((name) => read(`${place.dir}/pipes/${name}`)),
  );
  equal(all.filter(({ child }) => child === "1").length, 3);
  equal(all.filter(({ parent }) => parent === "1").length, 1);
  process.kill(parent.child.pid, "SIGTERM");
  await parent.ended;
});

if (!isDeno) {
  test("the workers of a cluster have a pipe each", async (place) => {
    const primary = await place.startUntil(
      "live",
      `import cluster from "node:cluster";
       await startRecorder();
       if (cluster.isPrimary) {
         incr("primary");
         for (let i = 0; i < 2; i++) cluster.fork();
         let ready = 0;
         cluster.on("message", () => { if (++ready === 2) console.log("live"); });
         process.on("SIGTERM", () => { for (const worker of Object.values(cluster.workers)) worker.process.kill("SIGKILL"); process.exit(); });
       } else { incr("worker"); process.send("ready"); }`,
    );
    const pipes = place.names().filter((name) => name.endsWith(".stats"));
    const all = await Promise.all(
      pipes.map((name) => read(`${place.dir}/pipes/${name}`)),
    );
    equal(all.map((stats) => Object.keys(stats)[0]).sort(), [
      "primary",
      "worker",
      "worker",
    ]);
    process.kill(primary.child.pid, "SIGTERM");
    await primary.ended;
  });
}

// How a program ends after `startRecorder()`, and how it looks from outside.
const ends = {
  "the end of the program": ["", 0],
  "the end of the program after a while": [
    "await new Promise((resolve) => setTimeout(resolve, 400));",
    0,
  ],
  "process.exit()": ["process.exit(3);", 3],
  "an error that nobody caught": [`throw new Error("mine");`, 1],
  "an error in a timer": [
    `setTimeout(() => { throw new Error("mine"); }, 10);`,
    1,
  ],
  "a promise that nobody caught": [
    `Promise.reject(new Error("mine")); await new Promise((resolve) => setTimeout(resolve, 1000));`,
    1,
  ],
  "SIGTERM with a handler of its own": [
    `process.on("SIGTERM", () => process.exit(5)); process.kill(process.pid, "SIGTERM"); setInterval(() => {}, 1e6);`,
    5,
  ],
  "stop()": [
    `const recorder = await startRecorder(); await recorder.stop(); await recorder.stop();`,
    0,
  ],
  "stop() and another start": [
    `await (await startRecorder()).stop(); await startRecorder();`,
    0,
  ],
};
for (const [how, [text, code]] of Object.entries(ends)) {
  test(`nothing is left, and nothing hangs, after ${how}`, async (place) => {
    const program = place.start(
      `incr("a"); await startRecorder(); console.log("live"); ${text}`,
    );
    const end = await Promise.race([
      program.ended,
      new Promise((resolve) => setTimeout(resolve, 10_000, "hangs")),
    ]);
    equal(end, { code, signal: null }, program.stderr);
    equal(program.stdout, "live\n");
    if (code !== 1) equal(program.stderr, "");
    // Deno does not say whether an error ends the program, so that these stay
    // until the next reader has found it dead.
    const left = isDeno && code === 1 ? ["alive", "checkpoint"] : [];
    equal(place.names().map((name) => name.split(".").at(-1)), left);
    equal(await place.collect(), { a: 1 });
    equal(place.names(), []);
  });
}

/** Whether a sign of life says that its process lives. */
function isAlive(path) {
  // Not by this runtime, since Deno would wait for a reader.
  return spawnSync("dd", [
    "if=/dev/null",
    `of=${path}`,
    "oflag=nonblock",
    "conv=nocreat,notrunc",
  ]).status === 0;
}

test("a process keeps its identity and numbers its snapshots", async (place) => {
  const programs = await Promise.all(
    [1, 2].map(() =>
      place.startUntil("live", `incr("a"); await startRecorder(); ${LIVE}`)
    ),
  );
  const ids = [];
  for (const { path } of programs) {
    const [id, first] = identity(await cat(path));
    for (let i = 0, last = first; i < 5; i++) {
      const [same, seq] = identity(await cat(path));
      equal(same, id);
      ok(seq > last, `${seq} after ${last}`);
      last = seq;
    }
    ids.push(id);
  }
  ok(ids[0] !== ids[1]);
});

test("a killed process is known to be dead, and counts with its checkpoint", async (place) => {
  const program = await place.startUntil(
    "live",
    `incr("a", 3); set("g", 5); record("r.{0}", 2); await startRecorder(); ${LIVE}`,
  );
  const [id] = identity(await cat(program.path));
  const own = `${place.dir}/pipes/.${program.pid}.${id}`;
  ok(isAlive(`${own}.alive`));
  await until("a checkpoint", () => {
    const name = `.${program.pid}.${id}.checkpoint`;
    return place.all().includes(name) &&
      readFileSync(`${own}.checkpoint`, "utf8").includes("\na: 3\n");
  });
  process.kill(program.pid, "SIGKILL");
  await program.ended;
  ok(!isAlive(`${own}.alive`));
  equal(await place.collect(), { a: 3 });
  equal(place.names(), []);
  // Who comes later counts it too.
  equal(await place.collect(), { a: 3 });
});

test("labels, descriptions and kinds are what the pipe says", async (place) => {
  const program = await place.startUntil(
    "live",
    `describe("q", { help: "Jobs that wait", unit: "jobs", merge: "max" });
     incr("hits", 2, { code: 200, ok: true }); incr("hits", 1, { ok: "true", code: "200" });
     counter("hits", { labels: { code: 503 } }).incr(); set("q", 5); gauge("down").incr(-1); incr("up", -2);
     record("ms.{0}", 3, { t: 'a"b' });
     await startRecorder(); ${LIVE}`,
  );
  const window =
    '# window {"name":"ms.{0}{t=\\"a\\\\\\"b\\"}","percentiles":[[50,"ms.median{t=\\"a\\\\\\"b\\"}"],';
  const text = body(await cat(program.path));
  equal(
    text.split("\n").filter((line) => !line.startsWith("ms.")).slice(0, 8),
    [
      'hits{code="200",ok="true"}: 3',
      'hits{code="503"}: 1',
      "q: 5",
      "down: -1",
      "up: -2",
      '# gauge ["q","down","up"]: 3',
      '# describe {"name":"q","help":"Jobs that wait","unit":"jobs","merge":"max"}: 1',
      text.split("\n").find((line) => line.startsWith(window)),
    ],
  );
  match(
    text,
    /^# histogram .*"sum":3,.*"positive":\[\[25,1\]\],"negative":\[\]\}: 1\n/m,
  );
});

test("a program says its name, what it runs on and when it started", async (place) => {
  const before = Date.now() / 1000;
  for (
    const [text, name] of [["", /^program-\d+-\d+\.mjs$/], [
      `config.processName = 'my "p"';`,
      /^my "p"$/,
    ]]
  ) {
    const program = await place.startUntil(
      "live",
      `${text} incr("a"); await startRecorder(); ${LIVE}`,
    );
    const json = /^# process (.*): [\d.]+$/m.exec(await cat(program.path))[1];
    const info = JSON.parse(json);
    match(info.name, name);
    const [runtime, version] = isDeno
      ? ["deno", globalThis.Deno.version.deno]
      : isBun
      ? ["bun", process.versions.bun]
      : ["node", process.versions.node];
    equal(info.runtime, `${runtime} ${version}`);
    ok(info.start > before - 1 && info.start < Date.now() / 1000, json);
  }
});

test("a program in an endless loop is said to be stalled, for longer and longer, one that turns is not", async (place) => {
  const stalled = async (program) =>
    Number(/^# process .*: ([\d.]+)$/m.exec(await cat(program.path))[1]);
  const free = await place.startUntil(
    "live",
    `incr("a"); await startRecorder(); ${LIVE}`,
  );
  for (let i = 0; i < 5; i++) ok(await stalled(free) < 0.5);
  const hung = await place.startUntil(
    "live",
    `incr("a"); await startRecorder(); console.log("live"); setTimeout(() => { for (;;); }, 50);`,
  );
  await until("a stall", async () => await stalled(hung) > 0.2);
  const first = await stalled(hung);
  await until("a longer one", async () => await stalled(hung) > first + 0.2);
  ok(await stalled(free) < 0.5);
});

// What counts at the very end, and what is handed over.
const last = {
  "when it has nothing more to do": ["", 1],
  "by process.exit()": [`incr("a"); process.exit();`, 2],
  "in the middle of a turn, by process.exit()": [
    `setTimeout(() => { incr("a", 5); process.exit(); incr("a", 100); }, 20); setInterval(() => {}, 1e6);`,
    6,
  ],
  ...(isDeno ? { "by Deno.exit()": [`incr("a", 2); Deno.exit();`, 3] } : {
    "in a listener of its own for the exit": [
      `process.on("exit", () => incr("a", 10)); process.once("exit", () => incr("a", 20));`,
      31,
    ],
    "in listeners from before, and in those that listeners add": [
      `process.prependListener("exit", () => { incr("a", 10); process.on("exit", () => incr("a", 1000)); });`,
      11,
    ],
    "after an error that nobody caught, in a listener": [
      `process.on("exit", () => incr("a", 10)); throw new Error("mine");`,
      11,
    ],
  }),
  "after its recorder was stopped": [
    `await (await startRecorder()).stop(); incr("a", 7);`,
    8,
  ],
};
for (const [how, [text, a]] of Object.entries(last)) {
  test(`a program hands over what it has counted ${how}`, async (place) => {
    const program = place.start(
      `incr("a"); set("g", 5); record("r.{0}", 2); await startRecorder(); ${text}`,
    );
    await program.ended;
    equal(place.names(), []);
    equal(await place.collect(), { a }, program.stderr);
  });
}

test("programs that end one after the other add up, and a thread that has ended counts", async (place) => {
  const thread = place.write(`incr("a", 100);`);
  for (let i = 1; i <= 3; i++) {
    const program = place.start(
      `import { Worker } from "node:worker_threads";
       import { pathToFileURL } from "node:url";
       incr("a"); await startRecorder();
       await new Promise((resolve) => new Worker(pathToFileURL("${thread}")).on("exit", resolve));
       while (getAll().a !== 101) await new Promise((resolve) => setTimeout(resolve, 1));`,
    );
    equal((await program.ended).code, 0, program.stderr);
    equal((await place.collect()).a, 101 * i);
  }
});

test("SIGTERM without a handler ends the program at once, also while it hangs", async (place) => {
  for (const rest of [LIVE, `console.log("live"); for (;;);`]) {
    const program = await place.startUntil(
      "live",
      `await startRecorder(); ${rest}`,
    );
    process.kill(program.child.pid, "SIGTERM");
    const { code, signal } = await program.ended;
    ok(signal === "SIGTERM" || code === 143, `${code} ${signal}`);
  }
});

test("a program whose pipe and directory were deleted is healed, and ends", async (place) => {
  const program = await place.startUntil(
    "live",
    `incr("a"); await startRecorder(); process.on("SIGTERM", () => process.exit(0)); ${LIVE}`,
  );
  const pipe = () => place.names().includes(`${program.pid}.stats`);
  for (const path of [program.path, `${place.dir}/pipes`]) {
    for (const pause of [0, 400]) {
      await new Promise((resolve) => setTimeout(resolve, pause));
      rmSync(path, { recursive: true });
      await until("a new pipe", pipe, 1500);
      await until(
        "a reader's answer",
        async () => body(await cat(program.path)) === "a: 1\n",
      );
    }
  }
  rmSync(`${place.dir}/pipes`, { recursive: true });
  process.kill(program.child.pid, "SIGTERM");
  const end = await Promise.race([
    program.ended,
    new Promise((resolve) => setTimeout(resolve, 10_000, "hangs")),
  ]);
  equal(end, { code: 0, signal: null });
});

test("a thread that started the recorder can be terminated", async (place) => {
  const thread = place.write(`
    import { parentPort } from "node:worker_threads";
    incr("thread"); await startRecorder(); parentPort.postMessage("ready"); setInterval(() => {}, 1e6);`);
  const program = await place.startUntil(
    "live",
    `import { Worker } from "node:worker_threads";
     import { pathToFileURL } from "node:url";
     const worker = new Worker(pathToFileURL("${thread}"));
     await new Promise((resolve) => worker.once("message", resolve));
     console.log("live");
     process.on("SIGTERM", async () => { await worker.terminate(); console.log("terminated"); process.exit(0); });
     setInterval(() => {}, 1e6);`,
  );
  equal(body(await cat(program.path)), "thread: 1\n");
  process.kill(program.child.pid, "SIGTERM");
  const end = await Promise.race([
    program.ended,
    new Promise((resolve) => setTimeout(resolve, 10_000, "hangs")),
  ]);
  equal([end, program.stdout], [
    { code: 0, signal: null },
    "live\nterminated\n",
  ]);
});

test("threads that start the recorder at the same time share one", async (place) => {
  const thread = place.write(`
    import { parentPort } from "node:worker_threads";
    incr("thread"); await startRecorder(); parentPort.postMessage("ready"); setInterval(() => {}, 1e6);`);
  const program = await place.startUntil(
    "live",
    `import { Worker } from "node:worker_threads";
     import { pathToFileURL } from "node:url";
     incr("main");
     const workers = [1, 2, 3].map(() => new Worker(pathToFileURL("${thread}")));
     await Promise.all([startRecorder(), ...workers.map((worker) => new Promise((resolve) => worker.once("message", resolve)))]);
     console.log("live");
     process.on("SIGTERM", async () => {
       for (const worker of workers) await worker.terminate();
       // A thread of a thread may live on for a moment on a loaded machine.
       await new Promise((resolve) => setTimeout(resolve, 500));
       // Whichever it was that served, now it is this one.
       await startRecorder();
       console.log("alone");
     });
     process.on("SIGINT", () => process.exit(0));
     setInterval(() => {}, 1e6);`,
  );
  await until("all", async () => (await read(program.path)).thread === "3");
  equal(place.names().filter((name) => name.endsWith(".stats")).length, 1);
  // Deno does not say when the threads of a thread have ended.
  if (isDeno) return;
  process.kill(program.pid, "SIGTERM");
  await until("alone", () => program.stdout.includes("alone"));
  equal(await read(program.path), { main: "1", thread: "3" });
  process.kill(program.pid, "SIGINT");
  equal(await program.ended, { code: 0, signal: null }, program.stderr);
  equal(place.names(), []);
});

test("starting and stopping again and again leaves no file open", async (place) => {
  const program = place.start(`
    import { readdirSync } from "node:fs";
    const files = () => readdirSync("/proc/self/fd").length;
    await (await startRecorder()).stop();
    const before = files();
    for (let i = 0; i < 10; i++) await (await startRecorder()).stop();
    // The runtime closes what a thread had when it gets to it.
    for (let i = 0; i < 200 && files() - before >= 5; i++) {
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    console.log(files() - before);`);
  equal((await program.ended).code, 0, program.stderr);
  ok(Number(program.stdout) < 5, program.stdout);
});

test("the recorder holds none of the threads that do the program's I/O", async (place) => {
  // With one thread in the pool, this hangs if that is held.
  const program = place.start(
    `import { readFile } from "node:fs/promises";
     await startRecorder();
     for (let i = 0; i < 20; i++) await readFile(process.argv[1]);
     console.log("read"); process.exit(0);`,
    { env: { UV_THREADPOOL_SIZE: "1" } },
  );
  const end = await Promise.race([
    program.ended,
    new Promise((resolve) => setTimeout(resolve, 10_000, "hangs")),
  ]);
  equal(
    [end, program.stdout],
    [{ code: 0, signal: null }, "read\n"],
    program.stderr,
  );
});

test("the recorder says why it cannot start, and the program goes on", async (place) => {
  writeFileSync(`${place.dir}/pipes`, "a file");
  const program = place.start(`
    try { await startRecorder(); } catch (error) { console.log(error.message); }
    incr("a"); console.log(getAll().a);`);
  equal((await program.ended).code, 0, program.stderr);
  equal(
    program.stdout,
    `Cannot start the recorder: ${place.dir}/pipes must be a directory, but there is a file; remove it or set config.pipeDir or STATVENT_PIPE_DIR\n1\n`,
  );
});

/** Starts the web service and waits until it says where it is. */
async function startService(place) {
  const [command, ...args] = [...serve, "-p", "0", "-d", `${place.dir}/pipes`];
  const child = spawn(command, args, {
    env: { ...process.env, NO_COLOR: "1" },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const service = { child, stdout: "", stderr: "" };
  child.stdout.on("data", (data) => service.stdout += data);
  child.stderr.on("data", (data) => service.stderr += data);
  service.ended = new Promise((resolve) =>
    child.on("close", (code, signal) => resolve({ code, signal }))
  );
  place.children.push(service);
  service.url = await until(
    "the service's address",
    () => /http:\/\/\S+/.exec(service.stdout)?.[0],
  );
  return service;
}

test("the web service answers over a socket for all, hung ones included, within its deadline", async (place) => {
  const programs = await Promise.all([1, 2, 3, 4].map((n) =>
    place.startUntil(
      "live",
      `incr("n", ${n}); for (let i = 1; i <= 100; i++) record("r.{0}", i + ${
        100 * (n - 1)
      });
       await startRecorder(); console.log("live");
       ${
        n === 4
          ? "setTimeout(() => { for (;;); }, 20);"
          : "setInterval(() => {}, 1e6);"
      }`,
    )
  ));
  const service = await startService(place);
  await fetch(service.url);
  for (let i = 0; i < 10; i++) {
    const start = performance.now();
    const response = await fetch(service.url);
    const { stats, processes } = await response.json();
    ok(performance.now() - start < 1000);
    const { ok: turning, hung, ...others } = processes;
    equal(turning + hung, 4);
    equal(others, { unknown: 0, timeout: 0, invalid: 0, dead: 0 });
    equal(stats, {
      "n": 10,
      "r.median": 200,
      "r.95th": 380,
      "r.99th": 396,
      "r.100th": 400,
      "r.mean": 200.5,
      "r.count": 400,
      "r.sum": 80200,
    });
  }
  const other = async (path) =>
    await (await fetch(new URL(path, service.url))).text();
  const listed = JSON.parse(await other("processes")).processes;
  const metrics = await other("metrics");
  for (const { pid } of programs) {
    const { usage } = listed.find((one) => one.pid === pid);
    ok(usage.cpu > 0 && usage.memory > 1e7 && usage.openFiles > 3);
    const sample = new RegExp(
      `^process_resident_memory_bytes\\{.*pid="${pid}".*\\} (\\d+)$`,
      "m",
    );
    ok(Math.abs(Number(sample.exec(metrics)[1]) / usage.memory - 1) < 0.5);
  }
  process.kill(programs[0].pid, "SIGKILL");
  await programs[0].ended;
  const { ok: turning, hung, ...others } =
    (await (await fetch(service.url)).json()).processes;
  equal(turning + hung, 3);
  equal(others, { unknown: 0, timeout: 0, invalid: 0, dead: 1 });
  equal((await fetch(`${service.url}x`)).status, 404);
  equal((await fetch(service.url, { method: "POST", body: "x" })).status, 405);
  const head = await fetch(service.url, { method: "HEAD" });
  equal([head.status, await head.text()], [200, ""]);
  ok(Number(head.headers.get("content-length")) > 50);
  const etag = head.headers.get("etag");
  equal(
    (await fetch(service.url, { headers: { "if-none-match": etag } })).status,
    304,
  );
  process.kill(service.child.pid, "SIGINT");
  equal(await service.ended, { code: 0, signal: null });
  // One may take its time at the start.
  ok(
    service.stdout.startsWith(
      `Serving stats on ${service.url}\nReading 4 programs in ${place.dir}/pipes`,
    ),
    service.stdout,
  );
});

test("the web service bears slow clients, huge headers and aborted requests", async (place) => {
  const { connect } = await import("node:net");
  await place.startUntil(
    "live",
    `incr("n"); await startRecorder(); ${LIVE}`,
  );
  const service = await startService(place);
  const { port } = new URL(service.url);
  const answers = async () =>
    equal((await (await fetch(service.url)).json()).stats, { n: 1 });
  const open = () =>
    new Promise((resolve) => {
      const socket = connect(Number(port), "127.0.0.1", () => resolve(socket));
      socket.on("error", () => {});
    });
  /** What the service sends until it closes the connection. */
  const all = (socket) =>
    new Promise((resolve) => {
      let text = "";
      socket.on("data", (data) => text += data);
      socket.on("close", () => resolve(text));
    });
  const slow = await open();
  slow.write("GET /stats HTTP/1.1\r\nHost: localhost\r\nX-Slow: ");
  await answers();
  const huge = await open();
  const hugeAnswer = all(huge);
  huge.write(
    `GET /stats HTTP/1.1\r\nHost: localhost\r\nX-Huge: ${
      "x".repeat(1_000_000)
    }\r\n\r\n`,
  );
  const text = await hugeAnswer;
  // Refused, or the connection closed before the answer could be read.
  ok(text === "" || /^HTTP\/1\.1 (431|400)/.test(text), text);
  await answers();
  for (let i = 0; i < 50; i++) {
    const socket = await open();
    socket.write("GET /stats HTTP/1.1\r\nHost: localhost\r\n\r\n");
    socket.destroy();
  }
  const odd = await open();
  const oddAnswer = all(odd);
  odd.write("GET /stats HTTP/1.1\r\nHost: a b\r\nConnection: close\r\n\r\n");
  match(await oddAnswer, /^(HTTP\/1\.1 400|$)/);
  await answers();
  process.kill(service.child.pid, "SIGTERM");
  equal(await service.ended, { code: 0, signal: null });
  equal(service.stderr, "");
  slow.destroy();
});

test("the web service exits with 2 and one line for wrong flags", () => {
  const [command, ...args] = [...serve, "--prot", "1"];
  const { status, stdout, stderr } = spawnSync(command, args, {
    encoding: "utf8",
  });
  equal([status, stdout, stderr], [
    2,
    "",
    "statvent: unknown flag --prot; see --help\n",
  ]);
});

if (!isDeno && !isBun && Number(process.versions.node.split(".")[0]) >= 22) {
  test("a CommonJS program can require it", async (place) => {
    const program = await place.startUntil(
      "live",
      `incr("a"); require("statvent/web").createHandler(); startRecorder().then(() => { ${LIVE} });`,
      { suffix: "cjs" },
    );
    equal(body(await cat(program.path)), "a: 1\n");
  });
}

let passed = 0;
let failed = 0;
for (const [name, body] of tests) {
  const place = new Place();
  try {
    await body(place);
    passed++;
    console.log(`ok: ${name}`);
  } catch (error) {
    failed++;
    console.log(`FAILED: ${name}\n${error.stack}`);
  } finally {
    await place.remove();
  }
}
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed > 0 ? 1 : 0);
