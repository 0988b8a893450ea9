/**
 * What the web service answers besides stats, and the counts and sums that it
 * shows among them.
 *
 * @module
 */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { createHandler } from "../../web.ts";
import { LIVE, startProgram, until, withDir } from "../helpers/program.ts";

/** Asks a handler. */
function asking(options: Parameters<typeof createHandler>[0]) {
  const handler = createHandler({ deadline: 5_000, ...options });
  return (path: string, init?: RequestInit) =>
    handler(new Request(`http://localhost${path}`, init));
}

Deno.test("/ says what there is, as text or as JSON, and everything that it names is there", () =>
  withDir(async (dir) => {
    const ask = asking({ pipeDir: dir, path: "/a/stats" });
    for (const path of ["/", "/a/"]) {
      const text = await (await ask(path)).text();
      const [first, ...lines] = text.trimEnd().split("\n");
      assert(/^statvent \d/.test(first), first);
      const paths = lines.map((line) => line.split(" ")[0]);
      assertEquals(paths, [
        "/a/stats",
        "/a/processes",
        "/a/metrics",
        "/a/healthz",
      ]);
      const headers = { accept: "application/json" };
      const answer = await ask(path, { headers });
      assertEquals(answer.headers.get("content-type"), "application/json");
      assertEquals(Object.keys(await answer.json()), paths);
      for (const path of paths) {
        const { status, body } = await ask(path);
        assertEquals(status, 200);
        await body?.cancel();
      }
    }
    const browser = { accept: "text/html,application/xhtml+xml,*/*;q=0.8" };
    const page = await ask("/", { headers: browser });
    assertStringIncludes(page.headers.get("content-type")!, "text/plain");
    await page.body?.cancel();
    const post = await ask("/", { method: "POST" });
    assertEquals(post.status, 405);
    await post.body?.cancel();
    // The stats themselves may be there.
    const root = await asking({ pipeDir: dir, path: "/" })("/");
    assertEquals((await root.json()).stats, {});
  }));

Deno.test("/healthz says whether the directory can be read", () =>
  withDir(async (parent) => {
    const pipeDir = `${parent}/pipes`;
    const ask = asking({ pipeDir });
    const isOk = async () => {
      const answer = await ask("/healthz");
      assertEquals([answer.status, await answer.json()], [200, {
        status: "ok",
      }]);
      const head = await ask("/healthz", { method: "HEAD" });
      assertEquals([head.status, await head.text()], [200, ""]);
    };
    // The first program makes it.
    await isOk();
    Deno.mkdirSync(pipeDir);
    await isOk();
    Deno.removeSync(pipeDir);
    Deno.writeTextFileSync(pipeDir, "");
    const answer = await ask("/healthz");
    assertEquals(answer.status, 503);
    assertStringIncludes((await answer.json()).message, "must be readable");
    const head = await ask("/healthz", { method: "HEAD" });
    assertEquals([head.status, await head.text()], [503, ""]);
  }));

Deno.test("parameters against caches are ignored, on every path, and others are not", () =>
  withDir(async (dir) => {
    const ask = asking({ pipeDir: dir });
    for (const path of ["/", "/stats", "/processes", "/metrics", "/healthz"]) {
      const status = async (query: string) => {
        const answer = await ask(`${path}?${query}`);
        await answer.body?.cancel();
        return answer.status;
      };
      assertEquals(await status("_=1767225600&cb=2&_=3"), 200, path);
      assertEquals(await status("__=1"), 400, path);
      assertEquals(await status("CB=1"), 400, path);
    }
  }));

Deno.test("/stats has the count and the sum of what was recorded, behind its mean, but overwrites no stat", () =>
  withDir(async (dir) => {
    await using program = await startProgram(
      `for (let i = 1; i <= 300; i++) record("db.{0}.ms", i);
       record("own.{0}", 1.5, { a: "b" }); record("own.{0}", -2, { a: "b" });
       incr("z.count", 77); record("z.{0}", 5);
       await startRecorder(); ${LIVE}`,
      { dir },
    );
    await program.printed("live");
    const ask = asking({ pipeDir: dir });
    const stats = async (query = ""): Promise<Record<string, number>> =>
      (await (await ask(`/stats${query}`)).json()).stats;
    await until("the values", async () => "z.mean" in await stats());
    const all = await stats();
    assertEquals([all["db.count.ms"], all["db.sum.ms"]], [300, 45150]);
    assertEquals(
      [all['own.count{a="b"}'], all['own.sum{a="b"}']],
      [2, -0.5],
    );
    assertEquals([all["z.count"], all["z.sum"]], [77, 5]);
    const names = Object.keys(all);
    const at = names.indexOf("db.mean.ms");
    assertEquals(names.slice(at + 1, at + 3), ["db.count.ms", "db.sum.ms"]);
    assertEquals(await stats("?match=*.count.*"), { "db.count.ms": 300 });
    assertEquals(await stats("?query=db.sum.ms > 45000"), {
      "db.sum.ms": 45150,
    });
    assertEquals(await stats("?aggr=max&match=db.count.*"), {});
    const each = await stats("?by=process") as unknown as Record<
      string,
      Record<string, number>
    >;
    assertEquals(each[program.pid]["db.count.ms"], 300);
    // Another program that merges makes them of the histogram.
    const text = await (await ask("/stats?format=text")).text();
    assert(!text.includes("db.count.ms"), text);
  }));
