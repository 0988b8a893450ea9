/**
 * What Python makes of what statvent does as Python does it.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { compileGlob } from "../../model/glob.ts";
import type { PushTarget } from "../../push.ts";
import { hasProgram, until } from "../helpers/program.ts";
import { hostOf, NOW, python, start, TcpSink } from "../helpers/push.ts";

const hasPython = await hasProgram("python3", "--version");

if (!hasPython) console.log("skipped: there is no python3");

Deno.test("compileGlob() matches what Python's fnmatch matches", {
  ignore: !hasPython,
}, async () => {
  const atoms = ["a", "*", "?", "[ab]", "[!a]", "[]b]", "[!]]", "[", "[a-c.]"];
  atoms.push("[c-a]", "]", "!", ".", "[-a]", "[!", "[\\]", "[^a]");
  const globs = ["", ...atoms];
  for (const a of atoms) {
    for (const b of atoms) {
      globs.push(a + b, `*${a}*${b}`, `${a}*${b}?`);
    }
  }
  const alphabet = ["a", "b", ".", "]", "[", "!", "\\", "^", "😀"];
  const texts = ["", "\n", "abcab", "a.b.c", ...alphabet];
  for (const a of alphabet) {
    for (const b of alphabet) texts.push(a + b, `a${a}b${b}`);
  }
  const expected = await python(
    `import fnmatch, json, sys
globs, texts = json.load(sys.stdin)
print(json.dumps([[int(fnmatch.fnmatchcase(t, g)) for t in texts] for g in globs]))`,
    new TextEncoder().encode(JSON.stringify([globs, texts])),
  );
  const actual = globs.map((glob) => {
    const matches = compileGlob(glob);
    return texts.map((text) => Number(matches(text)));
  });
  assertEquals(actual, expected);
});

Deno.test("startPush() sends pickles that Python reads", {
  ignore: !hasPython,
}, async () => {
  await using server = new TcpSink();
  // Enough for several pieces.
  const stats = Object.fromEntries(
    Array.from({ length: 3_000 }, (_, i) => [`ü.${i}`, [i / 8] as [number]]),
  );
  const target: PushTarget = {
    protocol: "graphite-pickle",
    host: "127.0.0.1",
    port: server.port,
  };
  for (const time of [NOW, 2 ** 31 * 1000]) {
    server.clear();
    const { clock, push } = start([target], () => hostOf(stats));
    clock.time = time;
    await push.stop();
    await until(
      "all",
      () => server.received.length === 1 && server.connections === 0,
    );
    const pieces = await python(
      `import json, pickle, struct, sys
data = sys.stdin.buffer.read()
out = []
while data:
    size, = struct.unpack("!L", data[:4])
    assert size <= 2 ** 17
    out.append(pickle.loads(data[4:4 + size]))
    data = data[4 + size:]
print(json.dumps(out))`,
      server.received[0],
    ) as unknown[][];
    assert(pieces.length > 1);
    assertEquals(
      pieces.flat(),
      Array.from({ length: 3_000 }, (_, i) => [
        `web1.ü.${i}`,
        [time / 1000, i / 8],
      ]),
    );
    assertEquals(push.stats()[0].sent, 3_000);
  }
});
