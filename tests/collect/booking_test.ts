import { assertEquals } from "@std/assert";
import { Booking } from "../../collect/booking.ts";
import { NameTable } from "../../format/snapshot.ts";
import { SnapshotParser } from "../../format/snapshot_parser.ts";
import { runtime } from "../../runtime/runtime.ts";
import { idOf, lastValues } from "../helpers/last_values.ts";
import { namesIn, withDir } from "../helpers/program.ts";

Deno.test("book() has the disk get the last values of all that were killed, however many", () =>
  withDir(async (dir) => {
    const killed = Array.from({ length: 7 }, (_, n) => {
      const bytes = lastValues(n, `n: ${n}\n`, 3, false);
      const snapshot = new SnapshotParser(new NameTable()).parse(bytes);
      const owner = Deno.uid()!;
      return { key: `${n}`, id: idOf(n), seq: 3, owner, snapshot, bytes };
    });
    const { writeNew, syncAll } = runtime;
    const synced: string[] = [];
    let inBackground: Promise<void> | undefined;
    try {
      runtime.writeNew = (path, bytes, mode, sync) => {
        writeNew(path, bytes, mode, sync);
        // It has its name soon.
        if (sync) synced.push(path.replace(/[^.]*\.new$/, "3"));
      };
      runtime.syncAll = (paths) => {
        synced.push(...paths);
        return inBackground = syncAll(paths);
      };
      assertEquals(new Booking().book(dir, killed).size, 7);
      await inBackground;
    } finally {
      Object.assign(runtime, { writeNew, syncAll });
    }
    const booked = killed.map(({ id }) => `.ended.${id}.3`);
    assertEquals(namesIn(dir), booked);
    assertEquals(synced.sort(), booked.map((name) => `${dir}/${name}`));
  }));
