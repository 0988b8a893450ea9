/**
 * Foreign and malformed files in the pipe directory: they are bounded, counted,
 * named once, and change no other number.
 *
 * @module
 */

import {
  assert,
  assertEquals,
  assertMatch,
  assertStringIncludes,
} from "@std/assert";
import { writeLastValues } from "../../ended/last_values.ts";
import { Collector, countStates, merge, toMap } from "../../collect.ts";
import { inStates } from "../helpers/host.ts";
import { withEnd } from "../helpers/text.ts";
import {
  killShell,
  ledgerIn,
  LIVE,
  startProgram,
  startShell,
  until,
  withDir,
} from "../helpers/program.ts";
import { idOf, lastValues } from "../helpers/last_values.ts";
import { cpuTime } from "../helpers/cpu_time.ts";

/** A shell that is served on a pipe of its own process id, as its text says. `$0` is the pipe. */
async function startWriter(
  dir: string,
  text: string,
): Promise<{ pid: number; end(): Promise<void> }> {
  const shell = startShell(
    `exec 2>/dev/null; pipe=$0/$$.stats; mkfifo "$pipe"; trap '' PIPE; ${text}`,
    dir,
  );
  await until("the pipe", async () => {
    try {
      return (await Deno.lstat(`${dir}/${shell.pid}.stats`)) !== undefined;
    } catch {
      return false;
    }
  });
  return { pid: shell.pid, end: () => killShell(shell) };
}

/** A shell's text that gives every reader the contents of a file. */
async function serving(dir: string, text: string | Uint8Array<ArrayBuffer>) {
  const file = await Deno.makeTempFile({ dir, prefix: ".text-" });
  await (typeof text === "string"
    ? Deno.writeTextFile(file, text)
    : Deno.writeFile(file, text));
  return `next=$0/.$$.next; while :; do mkfifo "$next"; { mv -f "$next" "$pipe"; cat '${file}'; } >"$pipe"; done`;
}

const window = (values: string, count: string) =>
  withEnd(
    `evil.median: 1\n# window {"name":"evil.{0}","percentiles":[[50,"evil.median"]],"mean":"evil.mean","values":[${values}]}: ${count}\n`,
  );

/** What a pipe sends, and what becomes of it. */
const PIPES: Record<
  string,
  [text: string | Uint8Array<ArrayBuffer>, state: string, why: string]
> = {
  "invalid UTF-8": [
    new Uint8Array([0x61, 0xff, 0x3a, 0x20, 0x31, 0x0a]),
    "invalid",
    "it must be UTF-8",
  ],
  "a number beyond all": [
    withEnd("a: 1e999\n"),
    "invalid",
    'got "a: 1e999"',
  ],
  "a hexadecimal number": [
    withEnd("a: 0x10\n"),
    "invalid",
    'got "a: 0x10"',
  ],
  "a first line that is cut": ["5\na: 1\n", "invalid", 'got "5"'],
  "a number with underscores": [
    withEnd("a: 1_000\n"),
    "invalid",
    'got "a: 1_000"',
  ],
  "two signs": [withEnd("a: --5\n"), "invalid", 'got "a: --5"'],
  "a line without a number": [withEnd("evil: \n"), "invalid", 'got "evil: "'],
  "a line without an end": ["evil: 1", "invalid", "last line"],
  "an end that is not the end": [
    "evil: 1\n# EOF: 8\nevil: 1\n# EOF: 17\n",
    "timeout",
    "",
  ],
  "an end inside": [
    withEnd("evil: 1\n# EOF: 8\nevil: 1\n"),
    "invalid",
    "# EOF must be the last line",
  ],
  "a window that counts wrong": [window("1,2", "3"), "invalid", "a window"],
  "a window without an end": [window("1,2,", "2"), "invalid", "a window"],
  "an annotation that is no JSON": [
    withEnd("evil: 1\n# gauge [: 1\n"),
    "invalid",
    "well-formed",
  ],
  "a histogram that counts wrong": [
    withEnd(
      'evil: 1\n# histogram {"name":"e","scale":4,"sum":1,"min":1,"max":1,"zeros":0,"positive":[[0,1]],"negative":[]}: 2\n',
    ),
    "invalid",
    "well-formed",
  ],
  "buckets without end": [
    withEnd(
      'evil: 1\n# histogram {"name":"e","scale":4,"sum":1,"min":1,"max":1,"zeros":0,"positive":[[1e308,1]],"negative":[]}: 1\n',
    ),
    "invalid",
    "well-formed",
  ],
  "a name of a megabyte": [
    `${"x".repeat(2 ** 20)}: 1\n`,
    "invalid",
    "no name may be so long",
  ],
};

for (const [what, [text, state, why]] of Object.entries(PIPES)) {
  Deno.test(`collect() takes nothing from a pipe with ${what}`, () =>
    withDir(async (dir) => {
      await using good = await startProgram(
        `incr("good", 3); await startRecorder(); ${LIVE}`,
        { dir },
      );
      await good.printed("live");
      const writer = await startWriter(dir, await serving(dir, text));
      try {
        const lines: string[] = [];
        const log = (line: string) => lines.push(line);
        // On a loaded machine a text may take its time.
        const deadline = state === "timeout" ? 500 : 5000;
        const collector = new Collector({ pipeDir: dir, deadline, log });
        for (let i = 0; i < 3; i++) {
          const host = await collector.collect();
          assertEquals([...toMap(host).keys()], ["good"]);
          const [bad] = host.processes.filter(({ pid }) => pid === writer.pid);
          assertEquals(bad.state, state);
          assertStringIncludes(bad.error!, why);
        }
        assertEquals(lines.length, 1, lines.join("\n"));
        assertStringIncludes(lines[0], `${dir}/${writer.pid}.stats: `);
      } finally {
        await writer.end();
      }
    }));
}

Deno.test("collect() takes names that mean something to JavaScript for names", () =>
  withDir(async (dir) => {
    const names = ["__proto__", "constructor", "toString", "hasOwnProperty"];
    const text = withEnd(
      names.map((name) => `${name}: 1\n`).join("") +
        `# gauge ${
          JSON.stringify(names)
        }: 4\n# last [["__proto__",1]]: 1\n# describe {"name":"__proto__","merge":"max"}: 1\n`,
    );
    const writer = await startWriter(dir, await serving(dir, text));
    try {
      const host = await new Collector({ pipeDir: dir, deadline: 2000 })
        .collect();
      assertEquals(
        [...toMap(host)].map(([name, { value }]) => [name, value]),
        names.map((name) => [name, 1]),
      );
    } finally {
      await writer.end();
    }
  }));

/** Pipes that never end, by what a shell does. */
const ENDLESS: Record<string, string> = {
  "never closes": `exec 3>"$pipe"; sleep 60`,
  "sends without end": `yes 'evil: 1' >"$pipe"; sleep 60`,
  "sends a line of a gigabyte":
    `head -c 1000000000 /dev/zero | tr '\\0' x >"$pipe"; sleep 60`,
  "sends a byte a second":
    `{ while :; do printf x; sleep 1; done; } >"$pipe"; sleep 60`,
};

for (const [what, text] of Object.entries(ENDLESS)) {
  Deno.test(`collect() answers by its deadline although a pipe ${what}`, () =>
    withDir(async (dir) => {
      await using good = await startProgram(
        `incr("good", 3); await startRecorder(); ${LIVE}`,
        { dir },
      );
      await good.printed("live");
      const writer = await startWriter(dir, text);
      try {
        const collector = new Collector({ pipeDir: dir, deadline: 300 });
        for (let i = 0; i < 2; i++) {
          const start = performance.now();
          const host = await collector.collect();
          const ms = performance.now() - start;
          // A loaded machine adds to the 300 ms; what never ends must not.
          assert(ms < 5000, `${ms} ms`);
          assertEquals([...toMap(host).keys()], ["good"]);
          const [bad] = host.processes.filter(({ pid }) => pid === writer.pid);
          assert(bad.state === "timeout" || bad.state === "invalid", bad.state);
        }
      } finally {
        await writer.end();
      }
    }));
}

Deno.test("collect() answers by its deadline although pipes have a million names, or values", () =>
  withDir(async (dir) => {
    await using good = await startProgram(
      `incr("good", 3); await startRecorder(); ${LIVE}`,
      { dir },
    );
    await good.printed("live");
    const names = Array.from({ length: 1e6 }, (_, i) => `n${i}: 1\n`).join("");
    const values = Array.from({ length: 1e6 }, (_, i) => i).join();
    const writers = [
      await startWriter(dir, await serving(dir, withEnd(names))),
      await startWriter(dir, await serving(dir, window(values, "1000000"))),
    ];
    try {
      const collector = new Collector({ pipeDir: dir, deadline: 500 });
      for (let i = 0; i < 3; i++) {
        const start = performance.now();
        const host = await collector.collect();
        const ms = performance.now() - start;
        assert(ms < 10_000, `${ms} ms`);
        assertEquals(toMap(host).get("good"), { value: 3, fractional: false });
      }
    } finally {
      for (const writer of writers) await writer.end();
    }
  }));

Deno.test("a line of a simple writer without a number costs only itself, is counted and logged once", () =>
  withDir(async (dir) => {
    const writer = await startWriter(
      dir,
      await serving(dir, "load: nan\nhits:5\nstate: \u202eup\nhits: 2\n"),
    );
    const lines: string[] = [];
    const collector = new Collector({
      pipeDir: dir,
      deadline: 5000,
      log: (line) => lines.push(line),
    });
    const expected = { value: 7, fractional: false };
    try {
      for (let i = 0; i < 3; i++) {
        const read = await collector.read();
        assertEquals([...toMap(merge(read))], [["hits", expected]]);
        const [{ state, badLines, error }] = read.processes!;
        assertEquals([state, badLines, error], ["unknown", 2, undefined]);
        assertEquals(read.badLines, 2);
      }
      assertEquals(lines, [
        `${dir}/${writer.pid}.stats: Lines without a number, such as "load: nan", count for nothing`,
      ]);
    } finally {
      await writer.end();
    }
  }));

Deno.test("collect() counts what is no pipe, and leaves it there", () =>
  withDir(async (dir) => {
    const sleepers = Array.from(
      { length: 5 },
      () => startShell("exec sleep 60", ""),
    );
    try {
      const path = (i: number) => `${dir}/${sleepers[i].pid}.stats`;
      const secret = `${dir}/secret`;
      await Deno.writeTextFile(secret, "stolen: 1\n");
      await Deno.symlink(secret, path(0));
      await Deno.writeTextFile(path(1), "planted: 1\n");
      await Deno.mkdir(path(2));
      using _socket = Deno.listen({ transport: "unix", path: path(3) });
      await Deno.symlink("/dev/zero", path(4));
      // Of no process at all.
      for (const name of ["app", "0", "-1", "\x1b"]) {
        await Deno.writeTextFile(`${dir}/${name}.stats`, "planted: 1\n");
      }
      await Deno.writeTextFile(`${dir}/4194303.stats`, "planted: 1\n");
      const before = [...Deno.readDirSync(dir)].length;
      const lines: string[] = [];
      const collector = new Collector({
        pipeDir: dir,
        deadline: 300,
        log: (line) => lines.push(line),
      });
      for (let i = 0; i < 2; i++) {
        const host = await collector.collect();
        assertEquals(toMap(host).size, 0);
        assertEquals(countStates(host.processes), inStates({ invalid: 10 }));
      }
      assertEquals(lines.length, 10);
      assertEquals([...Deno.readDirSync(dir)].length, before);
    } finally {
      for (const sleeper of sleepers) await killShell(sleeper);
    }
  }));

Deno.test("collect() lets no pipe that lies change what others have said", () =>
  withDir(async (dir) => {
    await using good = await startProgram(
      `incr("n", 5); set("g", 7); for (const i of [1, 2]) record("r.{0}", i);
       await startRecorder(); ${LIVE}`,
      { dir },
    );
    await good.printed("live");
    const max = '"merge":"max"}: 1\n';
    const lies = withEnd(
      'n: 1\ng: 1\nevil: 1\n# gauge ["n","g"]: 2\n' +
        `# describe {"name":"n",${max}# describe {"name":"g",${max}` +
        '# window {"name":"x","percentiles":[[50,"g"]],"mean":"n","values":[9]}: 1\n' +
        '# histogram {"name":"r.{0}","scale":-10,"sum":1,"min":1,"max":1,"zeros":0,"positive":[[-1,1]],"negative":[]}: 1\n',
    );
    // Another start each time, and so another process each time.
    const restarting =
      `i=0; next=$0/.$$.next; while :; do i=$((i+1)); mkfifo "$next"; { mv -f "$next" "$pipe"; ` +
      `t="n: 1\n# process {\\"start\\":$i}: 0.0\n"; printf "$t"; printf '# EOF: %d\n' $(printf "$t" | wc -c); } >"$pipe"; done`;
    const writers = [
      await startWriter(dir, await serving(dir, lies)),
      await startWriter(dir, restarting),
    ];
    try {
      const collector = new Collector({ pipeDir: dir, deadline: 5000 });
      for (let times = 1; times <= 80; times++) {
        const host = await collector.collect();
        const { ok, unknown } = countStates(host.processes);
        assertEquals([ok, unknown], [2, 1]);
        const { n, g } = Object.fromEntries(toMap(host));
        // Each adds what it says, and nothing else: of those that were, too.
        assertEquals([n.value, g.value], [5 + 9 + times, 7 + 9]);
        const [{ histogram }] = host.recorded;
        assertEquals(histogram!.scale, 4);
        assertEquals([...histogram!.positive], [[-1, 2], [15, 1]]);
      }
    } finally {
      for (const writer of writers) await writer.end();
    }
  }));

/** Names with which a directory may be filled. */
const FLOODS = [
  "N.stats",
  "xN.stats",
  ".N.starting",
  ".ended.N000000000000000000000000.1",
  ".ledger.N.1",
];

for (const flood of FLOODS) {
  Deno.test(`collect() goes on counting although there are 8 000 files such as ${flood}`, () =>
    withDir(async (dir) => {
      await using good = await startProgram(
        `incr("good", 3); await startRecorder(); ${LIVE}`,
        { dir },
      );
      await good.printed("live");
      const uid = Deno.uid()!;
      const values = lastValues(1, "good: 4\n", 1, true);
      writeLastValues(dir, idOf(1), 1, values, 0o644);
      const lines: string[] = [];
      const log = (line: string) => lines.push(line);
      const collector = new Collector({ pipeDir: dir, log });
      const good7 = async () =>
        assertEquals(
          toMap(await collector.collect()).get("good")?.value,
          7,
        );
      await until(
        "the pipe",
        async () => toMap(await collector.collect()).get("good")?.value === 7,
      );
      for (let i = 0; i < 8_000; i++) {
        // Of no process, and of no user.
        const name = flood.replace("N", `${42_000_000 + i}`);
        Deno.writeTextFileSync(`${dir}/${name}`, "");
      }
      let least = Infinity;
      for (let i = 0; i < 3; i++) {
        const start = cpuTime();
        await good7();
        least = Math.min(least, cpuTime() - start);
      }
      // What is not the collector's own work only adds to it.
      assert(least < 2_000, `${least} ms of processor time`);
      assert(lines.length <= 50, lines.slice(0, 60).join("\n"));
      assertEquals(ledgerIn(dir, uid) !== undefined, true);
    }));
}

Deno.test("collect() logs no more than some lines a minute, whatever is planted", () =>
  withDir(async (pipeDir) => {
    const lines: string[] = [];
    const log = (line: string) => lines.push(line);
    const collector = new Collector({ pipeDir, deadline: 5000, log });
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
