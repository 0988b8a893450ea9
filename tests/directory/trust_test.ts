import { assertEquals, assertStringIncludes } from "@std/assert";
import { lchownSync } from "node:fs";
import { dangerOf } from "../../directory/trust.ts";
import { withDir } from "../helpers/program.ts";

const uid = Deno.uid()!;

const isRoot = uid === 0;

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
