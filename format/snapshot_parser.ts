/**
 * Reads snapshots, as they come from a pipe.
 *
 * Most lines of a process's next snapshot have the names that they had in its
 * last one, in the same order. So a parser keeps the last text and compares:
 * where the bytes are the same, no name is decoded or looked up.
 *
 * Pure: no clock, no I/O.
 *
 * @module
 */

import {
  Annotations,
  type KnownAnnotation,
  parseAnnotation,
  type ParsedDistribution,
} from "./annotation_parser.ts";
import { EOF } from "./annotation_words.ts";
import { COLON, HASH, NEWLINE, SPACE } from "./ascii.ts";
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
import type { Description } from "../model/descriptions.ts";
import type { LedgerInfo, ProcessInfo } from "../model/identity.ts";
import { COUNTER, GAUGE, SHOWN, UNKNOWN } from "../model/kinds.ts";
import { ANNOTATION, MAX_NAME_LENGTH } from "../model/names.ts";
import { add, parsePaddedNumber, type Stat } from "../model/numbers.ts";
import { show } from "../model/show.ts";

export type { ParsedDistribution };

/** The plain lines of a snapshot. */
interface Lines {
  readonly ids: Int32Array;
  readonly values: Float64Array;
  readonly fractional: Uint8Array;
}

class ParsedSnapshot implements Snapshot {
  readonly annotated: boolean;
  readonly table: NameTable;
  readonly ids: Int32Array;
  readonly values: Float64Array;
  readonly fractional: Uint8Array;
  readonly kinds: Uint8Array;
  readonly recorded: readonly ParsedDistribution[];
  readonly descriptions: ReadonlyMap<string, Description>;
  readonly lastSet: ReadonlyMap<string, number>;
  readonly seq: number | undefined;
  readonly process: ProcessInfo | undefined;
  readonly ledger: LedgerInfo | undefined;

  constructor(
    table: NameTable,
    lines: Lines,
    kinds: Uint8Array,
    annotations: Annotations | undefined,
  ) {
    this.annotated = annotations !== undefined;
    this.table = table;
    this.ids = lines.ids;
    this.values = lines.values;
    this.fractional = lines.fractional;
    this.kinds = kinds;
    this.recorded = annotations?.recorded ?? [];
    this.descriptions = annotations?.descriptions ?? new Map();
    this.lastSet = annotations?.lastSet ?? new Map();
    this.seq = annotations?.seq;
    this.process = annotations?.process;
    this.ledger = annotations?.ledger;
  }

  get stats(): Map<string, Stat> {
    const stats = new Map<string, Stat>();
    for (const [i, id] of this.ids.entries()) {
      stats.set(this.table.names[id], {
        value: this.values[i],
        fractional: this.fractional[i] === 1,
      });
    }
    return stats;
  }
}

/** After how many lines the time is looked at. */
const LINES_AT_ONCE = 4_096;

// A pipe holds its bytes in pages, so what one of two readers gets of a
// snapshot, except for its end, is made of whole pages. Larger pages are
// multiples of this.
const PAGE_BYTES = 4096;

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const latin1 = new TextDecoder("latin1");

/** The plain lines of a text, which the next text may have too. */
interface Layout {
  readonly bytes: Uint8Array;
  readonly annotated: boolean;
  readonly ids: Int32Array;
  /** Where each line's name starts. */
  readonly starts: Int32Array;
  /** Where its number starts. */
  readonly ends: Int32Array;
  kinds: Uint8Array;
  structure: readonly unknown[] | undefined;
}

/** The bytes that stand before a correct last line, or -1 if there is none. */
function endOf(bytes: Uint8Array): number {
  const start = bytes.lastIndexOf(NEWLINE, bytes.length - 2) + 1;
  if (bytes.length - start > 30) return -1;
  const match = /^# EOF: (\d{1,15})\n$/.exec(
    latin1.decode(bytes.subarray(start)),
  );
  return match !== null && Number(match[1]) === start ? start : -1;
}

/** Reads the snapshots of one process, one after the other. */
export class SnapshotParser {
  readonly #table: NameTable;
  #layout: Layout | undefined;
  #known: KnownAnnotation[] = [];

  constructor(table: NameTable) {
    this.#table = table;
  }

  /**
   * Reads one snapshot.
   *
   * @param bytes All that came between opening the pipe and its end. Kept, and
   * must not be changed.
   * @param isLate Whether to give up. Asked now and then.
   * @returns The snapshot.
   * @throws {SnapshotError} If the bytes are not one whole snapshot.
   * @throws {LateError} If it was given up.
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

  /** Reads a snapshot that has the plain lines of the last one; `undefined` if it has others. */
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
    const lines = { ids, values, fractional };
    if (end === -1) {
      return at === bytes.length
        ? new ParsedSnapshot(this.#table, lines, layout.kinds, undefined)
        : undefined;
    }
    const annotations = new Annotations();
    if (!this.#parseAnnotations(bytes, at, end, annotations, isLate)) return;
    return this.#complete(lines, annotations);
  }

  /** Reads any snapshot. */
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
    try {
      decoder.decode(bytes);
    } catch {
      throw fail("it must be UTF-8");
    }
    if (bytes[bytes.length - 1] !== NEWLINE) {
      throw fail("its last line must be complete");
    }
    if (torn) {
      throw fail(
        annotated
          ? `its last line must be a true ${EOF}`
          : "without annotations, whole pages may be a part of it",
      );
    }

    const textEnd = end === -1 ? bytes.length : end;
    const places = new Map<number, number>();
    const starts: number[] = [];
    const ends: number[] = [];
    const values: number[] = [];
    const fractional: number[] = [];
    let plainEnd = 0;
    const annotations = annotated ? new Annotations() : undefined;
    const known: KnownAnnotation[] = [];
    let lines = 0;
    for (let start = 0, seen = 1; start < textEnd; seen++) {
      if (seen % LINES_AT_ONCE === 0 && isLate()) throw new LateError();
      const lineEnd = bytes.indexOf(NEWLINE, start);
      if (bytes[start] === HASH && bytes[start + 1] === SPACE) {
        if (isLate()) throw new LateError();
        const line = bytes.subarray(start, lineEnd + 1);
        const annotation = parseAnnotation(line, this.#known[known.length]);
        if (typeof annotation === "string") throw fail(annotation);
        annotation.apply(annotations!);
        known.push(annotation);
      } else {
        let colon = lineEnd - 2;
        while (
          colon >= start &&
          (bytes[colon] !== COLON || bytes[colon + 1] !== SPACE)
        ) colon--;
        const text = latin1.decode(bytes.subarray(colon + 2, lineEnd));
        const stat = parsePaddedNumber(text);
        if (colon < start || stat === undefined) {
          const line = decoder.decode(bytes.subarray(start, lineEnd));
          throw fail(
            `every line must be "<name>: <number>", got ${show(line)}`,
          );
        }
        const name = decoder.decode(bytes.subarray(start, colon));
        if (name.length > MAX_NAME_LENGTH) {
          throw fail(`no name may be so long, got ${show(name)}`);
        }
        const id = this.#table.idOf(name);
        const place = places.get(id);
        if (place === undefined) {
          places.set(id, values.length);
          starts.push(start);
          ends.push(colon + 2);
          values.push(stat.value);
          fractional.push(stat.fractional ? 1 : 0);
        } else {
          values[place] = add(values[place], stat.value);
          if (stat.fractional) fractional[place] = 1;
        }
        lines++;
        plainEnd = lineEnd + 1;
      }
      start = lineEnd + 1;
    }

    const ids = Int32Array.from(places.keys());
    this.#known = known;
    // A name on two lines, or a plain line behind an annotation, is rare.
    if (lines === ids.length && isBefore(plainEnd, known, textEnd)) {
      this.#layout = {
        bytes,
        annotated,
        ids,
        starts: Int32Array.from(starts),
        ends: Int32Array.from(ends),
        kinds: new Uint8Array(ids.length).fill(UNKNOWN),
        structure: undefined,
      };
    }
    const columns = {
      ids,
      values: Float64Array.from(values),
      fractional: Uint8Array.from(fractional),
    };
    return annotations === undefined
      ? new ParsedSnapshot(
        this.#table,
        columns,
        new Uint8Array(ids.length).fill(UNKNOWN),
        undefined,
      )
      : this.#complete(columns, annotations);
  }

  /** Reads lines that are all annotations. Returns whether they were. */
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
      if (bytes[start] !== HASH || bytes[start + 1] !== SPACE) return false;
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
      // Said by the slow way, with what is wrong.
      if (typeof annotation === "string") return false;
      annotation.apply(to);
      all.push(annotation);
      start = lineEnd;
    }
    this.#known = all;
    return true;
  }

  #complete(
    lines: Lines,
    annotations: Annotations,
  ): Snapshot {
    annotations.joinWindows();
    const { structure } = annotations;
    const layout = this.#layout;
    let kinds = layout?.kinds;
    if (
      kinds === undefined || layout!.structure === undefined ||
      layout!.structure.length !== structure.length ||
      layout!.structure.some((part, i) => part !== structure[i])
    ) {
      kinds = this.#kindsOf(lines.ids, annotations);
      if (layout !== undefined) {
        layout.kinds = kinds;
        layout.structure = structure;
      }
    }
    return new ParsedSnapshot(this.#table, lines, kinds, annotations);
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

/** Whether the plain lines, which end at `plainEnd`, stand before all annotations. */
function isBefore(
  plainEnd: number,
  known: readonly KnownAnnotation[],
  textEnd: number,
): boolean {
  return plainEnd +
      known.reduce((sum, { bytes }) => sum + bytes.length, 0) === textEnd;
}

/** Whether there is a line that begins as annotations do, in bytes that may be anything. */
function hasAnnotation(bytes: Uint8Array): boolean {
  const text = latin1.decode(bytes);
  return text.startsWith(ANNOTATION) || text.includes(`\n${ANNOTATION}`);
}

/**
 * Reads one snapshot, as it came from a pipe.
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
 * @param bytes All that came between opening the pipe and its end.
 * @returns The stats. A name that stands on several lines has their sum.
 * @throws {SnapshotError} If the bytes are not one whole snapshot.
 */
export function parseSnapshot(bytes: Uint8Array): Snapshot {
  return new SnapshotParser(new NameTable()).parse(bytes);
}
