/**
 * Parses snapshots, as they come from a pipe.
 *
 * A process's next snapshot mostly has the same names in the same order as its
 * last one. So a parser keeps the last text and compares: where the bytes are
 * equal, no name is decoded or looked up.
 *
 * Pure: no clock, no I/O.
 *
 * @module
 */

import { parseAnnotation } from "./annotation_parser.ts";
import { EOF } from "./annotation_words.ts";
import { Annotations, type KnownAnnotation } from "./annotations.ts";
import { HASH, NEWLINE, SPACE } from "./ascii.ts";
import {
  isSame,
  numberEnd,
  numberFractional,
  readAnyNumber,
  readNumber,
} from "./byte_reader.ts";
import {
  LateError,
  NameTable,
  type Snapshot,
  SnapshotError,
} from "./snapshot.ts";
import { type Columns, type Places, StatLines } from "./stat_lines.ts";
import { COUNTER, GAUGE, SHOWN, UNKNOWN } from "../model/kinds.ts";
import { ANNOTATION } from "../model/names.ts";
import type { Stat } from "../model/numbers.ts";

function toSnapshot(
  table: NameTable,
  columns: Columns,
  kinds: Uint8Array,
  annotations: Annotations | undefined,
): Snapshot {
  const { ids, values, fractional, bad } = columns;
  return {
    annotated: annotations !== undefined,
    table,
    ids,
    values,
    fractional,
    bad,
    kinds,
    recorded: annotations?.recorded ?? [],
    descriptions: annotations?.descriptions ?? new Map(),
    lastSet: annotations?.lastSet ?? new Map(),
    rests: annotations?.rests ?? new Map(),
    seq: annotations?.seq,
    process: annotations?.process,
    ledger: annotations?.ledger,
    get stats() {
      const stats = new Map<string, Stat>();
      for (const [i, id] of ids.entries()) {
        stats.set(table.names[id], {
          value: values[i],
          fractional: fractional[i] === 1,
        });
      }
      return stats;
    },
  };
}

/** How many lines are parsed between two questions whether it is late. */
const LINES_AT_ONCE = 4_096;

// A pipe holds its bytes in pages, so if two readers share a snapshot, the part
// of each, except for the end, consists of whole pages. Sizes of larger pages
// are multiples of this one.
const PAGE_BYTES = 4096;

/** The length of the longest correct last line, with room to spare. */
const MAX_EOF_BYTES = 30;

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const latin1 = new TextDecoder("latin1");

/** The stat lines of a text, which the next text is compared to. */
interface Layout extends Places {
  readonly bytes: Uint8Array;
  readonly annotated: boolean;
  readonly ids: Int32Array;
  kinds: Uint8Array;
  /** {@linkcode Annotations.structure}, from which the kinds were made. */
  structure: readonly unknown[] | undefined;
}

/** Parses the snapshots of one process, one after the other. */
export class SnapshotParser {
  readonly #table: NameTable;
  #layout: Layout | undefined;
  #known: KnownAnnotation[] = [];

  constructor(table: NameTable) {
    this.#table = table;
  }

  /**
   * Parses one snapshot.
   *
   * @param bytes All bytes between opening the pipe and its end. They are kept,
   * and must not be changed.
   * @param isLate Whether to give up. Asked now and then.
   * @returns The snapshot.
   * @throws {SnapshotError} If the bytes are not one whole snapshot.
   * @throws {LateError} If `isLate` said so.
   */
  parse(bytes: Uint8Array, isLate: () => boolean = () => false): Snapshot {
    const end = endOf(bytes);
    return this.#parseLike(bytes, end, isLate) ??
      this.#parseAny(bytes, end, isLate);
  }

  /** Forgets the last snapshot. */
  forget(): void {
    this.#layout = undefined;
    this.#known = [];
  }

  /** Parses a snapshot that has the stats of the last one; `undefined` if it has others. */
  #parseLike(
    bytes: Uint8Array,
    end: number,
    isLate: () => boolean,
  ): Snapshot | undefined {
    const layout = this.#layout;
    if (layout === undefined || layout.annotated !== (end !== -1)) return;
    if (end === -1 && bytes.length % PAGE_BYTES === 0) return;
    const { ids, starts, ends, bytes: last } = layout;
    const values = new Float64Array(ids.length);
    const fractional = new Uint8Array(ids.length);
    let at = 0;
    for (let i = 0; i < ids.length; i++) {
      const start = starts[i];
      const nameEnd = ends[i];
      if (!isSame(bytes, at, last, start, nameEnd)) return;
      at += nameEnd - start;
      let value = readNumber(bytes, at);
      if (bytes[numberEnd] !== NEWLINE) {
        value = readAnyNumber(bytes, at);
        if (value !== value) return;
      }
      values[i] = value;
      fractional[i] = numberFractional ? 1 : 0;
      at = numberEnd + 1;
    }
    const columns = { ids, values, fractional };
    if (end === -1) {
      return at === bytes.length
        ? toSnapshot(this.#table, columns, layout.kinds, undefined)
        : undefined;
    }
    const annotations = new Annotations();
    if (!this.#parseAnnotations(bytes, at, end, annotations, isLate)) return;
    return this.#complete(columns, annotations);
  }

  /** Parses any snapshot. */
  #parseAny(
    bytes: Uint8Array,
    end: number,
    isLate: () => boolean,
  ): Snapshot {
    this.#layout = undefined;
    const annotated = end !== -1 || hasAnnotation(bytes);
    const torn = annotated ? end === -1 : bytes.length % PAGE_BYTES === 0;
    const fail = (why: string) =>
      new SnapshotError(`Cannot read a snapshot: ${why}`, annotated, torn);
    const why = whyNotWhole(bytes, annotated, torn);
    if (why !== undefined) throw fail(why);
    const textEnd = end === -1 ? bytes.length : end;
    const lines = new StatLines(bytes, this.#table);
    const annotations = annotated ? new Annotations() : undefined;
    const known: KnownAnnotation[] = [];
    for (let start = 0, seen = 1; start < textEnd; seen++) {
      if (seen % LINES_AT_ONCE === 0 && isLate()) throw new LateError();
      const lineEnd = bytes.indexOf(NEWLINE, start);
      if (isAnnotation(bytes, start)) {
        if (isLate()) throw new LateError();
        const line = bytes.subarray(start, lineEnd + 1);
        const annotation = parseAnnotation(line, this.#known[known.length]);
        if (typeof annotation === "string") throw fail(annotation);
        annotation.apply(annotations!);
        known.push(annotation);
      } else {
        const why = annotated
          ? lines.add(start, lineEnd)
          : lines.addSimple(start, lineEnd);
        if (why !== undefined) throw fail(why);
      }
      start = lineEnd + 1;
    }
    this.#known = known;
    const columns = lines.toColumns();
    const { ids } = columns;
    const kinds = new Uint8Array(ids.length).fill(UNKNOWN);
    // A name on two lines, a stat behind an annotation, or a line without a
    // number is rare.
    const isPlain = lines.count === ids.length && lines.bad === undefined;
    if (isPlain && isBefore(lines.end, known, textEnd)) {
      this.#layout = {
        bytes,
        annotated,
        ids,
        ...lines.toPlaces(),
        kinds,
        structure: undefined,
      };
    }
    return annotations === undefined
      ? toSnapshot(this.#table, columns, kinds, undefined)
      : this.#complete(columns, annotations);
  }

  /** Parses lines that should be annotations. Returns whether all are well-formed ones. */
  #parseAnnotations(
    bytes: Uint8Array,
    start: number,
    end: number,
    to: Annotations,
    isLate: () => boolean,
  ): boolean {
    const all: KnownAnnotation[] = [];
    while (start < end) {
      if (isLate()) throw new LateError();
      if (!isAnnotation(bytes, start)) return false;
      const last = this.#known[all.length];
      const length = last?.bytes.length ?? 0;
      if (
        last !== undefined && start + length <= end &&
        isSame(bytes, start, last.bytes, 0, length)
      ) {
        last.apply(to);
        all.push(last);
        start += length;
        continue;
      }
      const lineEnd = bytes.indexOf(NEWLINE, start) + 1;
      const annotation = parseAnnotation(bytes.subarray(start, lineEnd), last);
      // The slow path reports what is wrong.
      if (typeof annotation === "string") return false;
      annotation.apply(to);
      all.push(annotation);
      start = lineEnd;
    }
    this.#known = all;
    return true;
  }

  /** Makes the snapshot, whose kinds are those of the last one if nothing about them has changed. */
  #complete(
    columns: Columns,
    annotations: Annotations,
  ): Snapshot {
    annotations.joinWindows();
    annotations.addRests();
    const { structure } = annotations;
    const layout = this.#layout;
    let kinds = layout?.kinds;
    if (
      kinds === undefined || layout!.structure === undefined ||
      layout!.structure.length !== structure.length ||
      layout!.structure.some((part, i) => part !== structure[i])
    ) {
      kinds = this.#kindsOf(columns.ids, annotations);
      if (layout !== undefined) {
        layout.kinds = kinds;
        layout.structure = structure;
      }
    }
    return toSnapshot(this.#table, columns, kinds, annotations);
  }

  #kindsOf(ids: Int32Array, annotations: Annotations): Uint8Array {
    const kinds = new Uint8Array(ids.length).fill(COUNTER);
    if (annotations.structure.length === 0) return kinds;
    const places = new Map<string, number>();
    for (const [i, id] of ids.entries()) places.set(this.#table.names[id], i);
    const mark = (names: readonly string[], kind: number) => {
      for (const name of names) {
        const place = places.get(name);
        if (place !== undefined) kinds[place] = kind;
      }
    };
    for (const names of annotations.unknowns) mark(names, UNKNOWN);
    for (const names of annotations.gauges) mark(names, GAUGE);
    for (const { description: { percentiles, mean } } of annotations.recorded) {
      mark(percentiles.map(([, name]) => name), SHOWN);
      if (mean !== undefined) mark([mean], SHOWN);
    }
    return kinds;
  }
}

function isAnnotation(bytes: Uint8Array, start: number): boolean {
  return bytes[start] === HASH && bytes[start + 1] === SPACE;
}

/** Why bytes are not one whole snapshot, for a person; `undefined` if they seem to be. */
function whyNotWhole(
  bytes: Uint8Array,
  annotated: boolean,
  torn: boolean,
): string | undefined {
  try {
    decoder.decode(bytes);
  } catch {
    return "it must be UTF-8";
  }
  if (bytes[bytes.length - 1] !== NEWLINE) {
    return "its last line must be complete";
  }
  if (!torn) return undefined;
  return annotated
    ? `its last line must be a true ${EOF}`
    : "without annotations, whole pages may be a part of it";
}

/** The offset of a correct last line, or -1 if there is none. */
function endOf(bytes: Uint8Array): number {
  const start = bytes.lastIndexOf(NEWLINE, bytes.length - 2) + 1;
  if (bytes.length - start > MAX_EOF_BYTES) return -1;
  const match = /^# EOF: (\d{1,15})\n$/.exec(
    latin1.decode(bytes.subarray(start)),
  );
  return match !== null && Number(match[1]) === start ? start : -1;
}

/** Whether the stat lines, which end at `statsEnd`, stand before all annotations. */
function isBefore(
  statsEnd: number,
  known: readonly KnownAnnotation[],
  textEnd: number,
): boolean {
  return statsEnd +
      known.reduce((sum, { bytes }) => sum + bytes.length, 0) === textEnd;
}

/** Whether any line begins like an annotation, in bytes that need not be UTF-8. */
function hasAnnotation(bytes: Uint8Array): boolean {
  const text = latin1.decode(bytes);
  return text.startsWith(ANNOTATION) || text.includes(`\n${ANNOTATION}`);
}

/**
 * Parses one snapshot, as it came from a pipe.
 *
 * @example A line of statvent 1.0
 * ```ts
 * import { parseSnapshot } from "@statvent/statvent/format";
 * import { assertEquals } from "@std/assert";
 *
 * const { stats } = parseSnapshot(new TextEncoder().encode("requests: 3\n"));
 * assertEquals(stats.get("requests"), { value: 3, fractional: false });
 * ```
 *
 * @param bytes All bytes between opening the pipe and its end.
 * @returns The stats. The value of a name on several lines is their sum.
 * @throws {SnapshotError} If the bytes are not one whole snapshot.
 */
export function parseSnapshot(bytes: Uint8Array): Snapshot {
  return new SnapshotParser(new NameTable()).parse(bytes);
}
