import { assertEquals, assertThrows } from "@std/assert";
import { checkpointPath } from "../../directory/file_names.ts";
import { alivePath } from "../../directory/file_names.ts";
import { book, bookDead } from "../../ended/booking.ts";
import { removeDead } from "../../ended/remove_dead.ts";
import {
  encodeHeader,
  encodeSlot,
  slotBytesFor,
} from "../../ended/checkpoint.ts";
import { EndedReader } from "../../ended/ended_reader.ts";
import { noteMissed, writeLastValues } from "../../ended/last_values.ts";
import { takeIn } from "../../ended/ledger_writer.ts";
import { NameTable } from "../../format/snapshot.ts";
import { runtime } from "../../runtime/runtime.ts";
import { idOf, lastValues } from "../helpers/last_values.ts";
import { namesIn, until, withDir } from "../helpers/program.ts";
import { whole } from "../helpers/text.ts";

const uid = Deno.uid()!;

const isRoot = uid === 0;

const dead = { id: idOf(1), base: "7", owner: uid };

/** Writes the checkpoint of the process with two snapshots. */
function writeCheckpoint(dir: string, seqs: [number, number]): void {
  const slots = seqs.map((seq) => lastValues(1, `n: ${seq}\n`, seq, false));
  const slotBytes = slotBytesFor(slots[0].length);
  using file = Deno.openSync(checkpointPath(dir, dead.base, dead.id), {
    create: true,
    write: true,
  });
  file.writeSync(encodeHeader(slotBytes));
  for (const [i, bytes] of slots.entries()) {
    const checkpoint = {
      seq: seqs[i],
      bytes: bytes as Uint8Array<ArrayBuffer>,
    };
    const placed = encodeSlot(checkpoint, i, slotBytes)!;
    file.seekSync(placed.offset, Deno.SeekMode.Start);
    file.writeSync(placed.bytes);
  }
}

/** What counts of the process. */
function booked(dir: string) {
  const { ended } = new EndedReader()
    .read(dir, namesIn(dir), new NameTable());
  return ended.map(({ seq, final, owner, snapshot }) =>
    [seq, final, owner, snapshot.stats.get("n")!.value] as const
  );
}

/** A snapshot as it came from the pipe. */
const fromPipe = (seq: number) => ({
  seq,
  bytes: whole(
    `n: ${seq}\n# process {"id":"${dead.id}","start":1.5}: 0.0\n# seq: ${seq}\n`,
  ),
});

Deno.test("book() takes the newer of checkpoint and known values, and never goes back", () =>
  withDir((dir) => {
    assertEquals(book(dir, dead), undefined);
    writeCheckpoint(dir, [4, 3]);
    assertEquals(book(dir, dead, fromPipe(2)), 4);
    assertEquals(booked(dir), [[4, false, uid, 4]]);
    // Another service has read more.
    assertEquals(book(dir, dead, fromPipe(6)), 6);
    assertEquals(booked(dir), [[6, false, uid, 6]]);
    for (const known of [undefined, fromPipe(5), fromPipe(6)]) {
      assertEquals(book(dir, dead, known), 6);
    }
    assertEquals(
      namesIn(dir).filter((name) => name.startsWith(".ended")),
      [`.ended.${dead.id}.6`],
    );
    return Promise.resolve();
  }));

Deno.test("book() does not count on a file that is damaged, nor on a checkpoint of somebody else", () =>
  withDir((dir) => {
    writeCheckpoint(dir, [4, 3]);
    Deno.writeTextFileSync(`${dir}/.ended.${dead.id}.9`, "");
    assertEquals(book(dir, dead), 4);
    assertEquals(booked(dir), [[4, false, uid, 4]]);
    assertEquals(book(dir, { ...dead, id: idOf(2) }), undefined);
    const stolen = checkpointPath(dir, dead.base, idOf(3));
    Deno.copyFileSync(checkpointPath(dir, dead.base, dead.id), stolen);
    assertEquals(book(dir, { ...dead, id: idOf(3) }), undefined);
    return Promise.resolve();
  }));

Deno.test("bookDead() counts a process as killed of which nothing is known, and as missed if its checkpoint is damaged", () =>
  withDir(async (dir) => {
    const sign = alivePath(dir, dead.base, dead.id);
    const values = () => {
      bookDead(dir, namesIn(dir), uid);
      assertEquals(namesIn(dir).some((name) => name.endsWith("alive")), false);
      const { ended, missed } = new EndedReader()
        .read(dir, namesIn(dir), new NameTable());
      return [ended.map(({ seq, final }) => [seq, final]), missed.get(uid)];
    };
    await shell(`mkfifo "$1"`, sign).output();
    assertEquals(values(), [[[0, false]], undefined]);
    Deno.removeSync(`${dir}/.ended.${dead.id}.0`);
    await shell(`mkfifo "$1"`, sign).output();
    writeCheckpoint(dir, [4, 3]);
    const checkpoint = checkpointPath(dir, dead.base, dead.id);
    Deno.truncateSync(checkpoint, 50);
    assertEquals(values(), [[[0, false]], 1]);
    // Whoever has read it raises it.
    await shell(`mkfifo "$1"`, sign).output();
    assertEquals(book(dir, dead, fromPipe(1)), 1);
    assertEquals(values(), [[[1, false]], 1]);
    assertEquals(namesIn(dir), [
      `.ended.${dead.id}.1`,
      `.ledger.${uid}.missed`,
    ]);
  }));

Deno.test({
  name:
    "book() and takeIn() by root write for the user, and by others write nothing",
  ignore: !isRoot,
  fn: () =>
    withDir((dir) => {
      Deno.chmodSync(dir, 0o1777);
      const owner = 12_345;
      writeCheckpoint(dir, [4, 3]);
      const checkpoint = checkpointPath(dir, dead.base, dead.id);
      assertEquals(book(dir, { ...dead, owner }), undefined);
      Deno.chownSync(checkpoint, owner, owner);
      assertEquals(book(dir, { ...dead, owner }), 4);
      assertEquals(booked(dir), [[4, false, owner, 4]]);
      Deno.utimeSync(`${dir}/.ended.${dead.id}.4`, 1, 1);
      takeIn(dir, owner);
      const ledger = `${dir}/.ledger.${owner}.2`;
      assertEquals(Deno.statSync(ledger).uid, owner);
      noteMissed(dir, owner);
      assertEquals(Deno.statSync(`${dir}/.ledger.${owner}.missed`).uid, owner);
      return Promise.resolve();
    }),
});

const shell = (text: string, ...args: string[]) =>
  new Deno.Command("sh", { args: ["-c", text, "sh", ...args], stdin: "null" });

Deno.test("removeDead() removes all of a dead process, and nothing of a live one that has its base", () =>
  withDir(async (dir) => {
    const paths = [`${dir}/7.stats`, `${dir}/.7.${dead.id}.alive`];
    await shell(`mkfifo "$@"`, ...paths).output();
    writeCheckpoint(dir, [4, 3]);
    writeLastValues(dir, dead.id, 4, lastValues(1, "n: 4\n", 4, false), 0o644);
    removeDead(dir, [dead]);
    assertEquals(namesIn(dir), [`.ended.${dead.id}.4`]);
    // Another process with the base has started, and holds its sign of life.
    const sign = `${dir}/.7.${idOf(2)}.alive`;
    await shell(`mkfifo "$@"`, ...paths, sign).output();
    await using holder = shell(
      `exec 3<>"$1"; : > "$2"; exec sleep 60`,
      sign,
      `${dir}/held`,
    )
      .spawn();
    await until("the sign", () => namesIn(dir).includes("held"));
    removeDead(dir, [dead]);
    assertEquals(namesIn(dir), [
      `.7.${idOf(2)}.alive`,
      `.ended.${dead.id}.4`,
      "7.stats",
      "held",
    ]);
    holder.kill("SIGKILL");
  }));

Deno.test("removeDead() gives a pipe its name back that another process has published meanwhile", () =>
  withDir(async (dir) => {
    const pipe = `${dir}/7.stats`;
    const sign = alivePath(dir, dead.base, dead.id);
    await shell(`mkfifo "$1" "$2" "$3"`, pipe, `${dir}/other`, sign).output();
    const other = Deno.statSync(`${dir}/other`).ino;
    const { rename } = runtime;
    try {
      runtime.rename = (path, newPath) => {
        runtime.rename = rename;
        rename(`${dir}/other`, pipe);
        rename(path, newPath);
      };
      removeDead(dir, [dead]);
    } finally {
      runtime.rename = rename;
    }
    assertEquals(namesIn(dir), ["7.stats"]);
    assertEquals(Deno.statSync(pipe).ino, other);
  }));

Deno.test("files have their modes whatever the mask of the process, and their user can take them in", () =>
  withDir((dir) => {
    const mask = Deno.umask(0o777);
    try {
      const bytes = lastValues(1, "n: 4\n", 4, true);
      const path = writeLastValues(dir, dead.id, 4, bytes, 0o640);
      assertEquals(Deno.statSync(path).mode! & 0o777, 0o640);
      takeIn(dir, uid);
      const ledger = `${dir}/.ledger.${uid}.2`;
      assertEquals(Deno.statSync(ledger).mode! & 0o777, 0o640);
      noteMissed(dir, uid);
      noteMissed(dir, uid);
      const { mode, size } = Deno.statSync(`${dir}/.ledger.${uid}.missed`);
      assertEquals([mode! & 0o777, size], [0o644, 2]);
    } finally {
      Deno.umask(mask);
    }
    return Promise.resolve();
  }));

Deno.test("writeLastValues() leaves nothing where it fails", () =>
  withDir((dir) => {
    const { rename } = runtime;
    const bytes = lastValues(1, "n: 4\n", 4, true);
    try {
      runtime.rename = () => {
        throw Object.assign(new Error("no space"), { code: "ENOSPC" });
      };
      assertThrows(
        () => writeLastValues(dir, dead.id, 4, bytes, 0o644),
        Error,
        "no space",
      );
    } finally {
      runtime.rename = rename;
    }
    assertEquals(namesIn(dir), []);
    return Promise.resolve();
  }));
