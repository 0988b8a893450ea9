/**
 * Writes stats as the bytes of one snapshot.
 *
 * Keeps its buffer and the encoded names from one snapshot to the next.
 *
 * Pure: no clock, no I/O.
 *
 * @module
 */

import {
  CRC32,
  DESCRIBE,
  EOF,
  GAUGES,
  HISTOGRAM,
  LAST_SET,
  LEDGER,
  PROCESS,
  RESTS,
  SEQ,
  UNKNOWNS,
  WINDOW,
} from "./annotation_words.ts";
import { COMMA, NEWLINE } from "./ascii.ts";
import { ByteBuffer } from "./byte_buffer.ts";
import { ScalarLines, type Scalars } from "./scalar_lines.ts";
import type { Description, DistributionNames } from "../model/descriptions.ts";
import { type Buckets, countOf, type Histogram } from "../model/histogram.ts";
import type { LedgerInfo, ProcessInfo } from "../model/identity.ts";
import { IS_GAUGE } from "../model/marks.ts";
import { jsonLine } from "../model/names.ts";
import { mean, percentile } from "../percentile.ts";

const encoder = new TextEncoder();

/** A distribution to write. */
export interface DistributionSource {
  /** Its names. Their encoded text is cached by this object. */
  readonly description: DistributionNames;
  /** Whether a fractional value was ever recorded. */
  readonly fractional: boolean;
  /** The window, in ascending order. */
  sorted(): Float64Array;
  /** All values ever recorded; `undefined` if they are not known. */
  histogram(): Histogram | undefined;
}

/** The content of a snapshot. */
export interface SnapshotSource extends Scalars {
  /** Whether each counter or gauge is fractional, and whether it is a gauge. */
  readonly marks: Uint8Array;
  /** When gauges that note it were last set, in milliseconds since 1970, by their places. */
  readonly times: ReadonlyMap<number, number>;
  /**
   * What rounding has taken from counters, with their names, if the snapshot is
   * the sum of several processes; that of distributions is then written too.
   */
  readonly rests?: readonly (readonly [string, number])[];
  /** The distributions. */
  readonly recorded: ReadonlyMap<string, DistributionSource>;
  /** The descriptions of stats, by name without labels. */
  readonly descriptions: ReadonlyMap<string, Description>;
  /** The names of stats whose kind is not known. */
  readonly unknowns?: readonly string[];
  /**
   * The process whose stats these are. The text that is made of it is kept for
   * this object, but for `stalled`.
   */
  readonly process?: ProcessInfo;
  /** The ledger, if the snapshot is one. */
  readonly ledger?: LedgerInfo;
}

/** What is written of a source, and around it. */
export interface WriteOptions {
  /**
   * Whether to send windows, and the lines that show them. Files have none: of
   * an ended process only counters and histograms count. By default `true`.
   */
  readonly windows?: boolean;
  /** The number of the snapshot, which grows within a process. */
  readonly seq?: number;
  /** The CRC-32 of bytes, as eight hexadecimal digits, for a snapshot that is to carry its checksum. */
  readonly crc32?: (bytes: Uint8Array) => string;
}

const NO_WINDOW = new Float64Array(0);

/** The lines of a distribution without their numbers. */
interface DistributionText {
  readonly percentiles: readonly (readonly [number, Uint8Array])[];
  readonly mean: Uint8Array;
  /** The annotation up to the first value. */
  readonly window: Uint8Array;
  /** The annotation up to the scale. */
  readonly histogram: Uint8Array;
}

const WINDOW_END = encoder.encode("]}: ");
const SEQ_START = encoder.encode(`${SEQ}: `);
const EOF_START = encoder.encode(`${EOF}: `);
const JSON_END = encoder.encode("}: ");
const RUN_START = encoder.encode("[");
const RUN_END = encoder.encode("]");

function keyText(key: string): Uint8Array {
  return encoder.encode(`,"${key}":`);
}

const [SUM_KEY, MIN_KEY, MAX_KEY, ZEROS_KEY, POSITIVE_KEY, NEGATIVE_KEY] = [
  "sum",
  "min",
  "max",
  "zeros",
  "positive",
  "negative",
].map(keyText);

function encodeRecorded(description: DistributionNames): DistributionText {
  const { name, percentiles, mean } = description;
  const line = (name: string) => encoder.encode(`${name}: `);
  const head = jsonLine({ name, percentiles, mean });
  return {
    percentiles: percentiles.map(([p, name]) => [p, line(name)]),
    mean: line(mean ?? ""),
    window: encoder.encode(`${WINDOW}${head.slice(0, -1)},"values":[`),
    histogram: encoder.encode(
      `${HISTOGRAM}${jsonLine({ name }).slice(0, -1)},"scale":`,
    ),
  };
}

/** How long the names on one line may be. Readers take lines of 2 MiB. */
const MAX_LINE_LENGTH = 2 ** 18;

/** How many values of a window stand on one line. */
const MAX_LINE_VALUES = 50_000;

/** Splits a list, so that no part makes a line that is too long. */
function chunksOf<T>(all: readonly T[], nameOf: (one: T) => string): T[][] {
  const chunks: T[][] = [];
  let room = 0;
  for (const one of all) {
    // With room for what stands around a name in JSON.
    const length = nameOf(one).length + 30;
    if (length > room) {
      chunks.push([]);
      room = MAX_LINE_LENGTH;
    }
    chunks.at(-1)!.push(one);
    room -= length;
  }
  return chunks;
}

/** Writes snapshots of one source, one after the other. */
export class SnapshotWriter {
  readonly #out = new ByteBuffer();
  readonly #scalars = new ScalarLines();
  readonly #recorded: Map<DistributionNames, DistributionText> = new Map();
  // The lines that list the gauges, and how many gauges they list.
  #gauges: Uint8Array = new Uint8Array(0);
  #gaugeCount = 0;
  // The line of the process, up to its number.
  #process: ProcessInfo | undefined;
  #identity: Uint8Array = new Uint8Array(0);

  /**
   * Writes one snapshot.
   *
   * @param source What to write. Always the same object.
   * @param annotations Whether to send more than the lines of statvent 1.0.
   * @param options What to leave out, and what to add if annotations are sent.
   * @returns The bytes, in a buffer that the next call reuses.
   */
  write(
    source: SnapshotSource,
    annotations: boolean,
    options: WriteOptions = {},
  ): Uint8Array<ArrayBuffer> {
    const { windows = true } = options;
    const out = this.#out;
    this.#scalars.write(out, source);
    const recorded = [...source.recorded.values()].map((stat) => {
      const { description } = stat;
      let text = this.#recorded.get(description);
      if (text === undefined) {
        text = encodeRecorded(description);
        this.#recorded.set(description, text);
      }
      return { stat, text, window: windows ? stat.sorted() : NO_WINDOW };
    });
    for (const { stat, text, window } of recorded) {
      this.#writeShown(text, window, stat.fractional);
    }
    if (annotations) {
      this.#writeAnnotations(source);
      const rests: [string, number][] = [];
      for (const { stat, text, window } of recorded) {
        this.#writeWindow(text, window, stat.fractional);
        const histogram = stat.histogram();
        if (histogram === undefined) continue;
        this.#writeHistogram(text, histogram, stat.fractional);
        const { rest = 0 } = histogram;
        if (source.rests !== undefined && rest !== 0) {
          rests.push([stat.description.name, rest]);
        }
      }
      for (const sums of chunksOf(rests, ([name]) => name)) {
        this.#annotate(RESTS, { stats: [], sums }, sums.length);
      }
      this.#writeEnd(options);
    }
    return out.bytes.subarray(0, out.length);
  }

  #writeEnd({ seq, crc32 }: WriteOptions): void {
    const out = this.#out;
    if (seq !== undefined) {
      out.text(SEQ_START);
      out.number(seq, false);
      out.char(NEWLINE);
    }
    if (crc32 !== undefined) {
      const { length } = out;
      this.#annotate(CRC32, [crc32(out.bytes.subarray(0, length))], length);
    }
    const before = out.length;
    out.text(EOF_START);
    out.number(before, false);
    out.char(NEWLINE);
  }

  #writeShown(
    text: DistributionText,
    sorted: Float64Array,
    fractional: boolean,
  ): void {
    if (sorted.length === 0) return;
    const out = this.#out;
    for (const [p, line] of text.percentiles) {
      out.text(line);
      out.number(percentile(sorted, p), fractional);
      out.char(NEWLINE);
    }
    // A mean is seldom a whole number, so it always has a decimal point.
    out.text(text.mean);
    out.number(mean(sorted), true);
    out.char(NEWLINE);
  }

  #writeAnnotations(source: SnapshotSource): void {
    const { names, marks, times, descriptions, unknowns } = source;
    const { process, ledger } = source;
    if (process !== undefined) this.#writeProcess(process);
    if (ledger !== undefined) {
      this.#annotate(LEDGER, ledger, ledger.ended.length);
    }
    let count = 0;
    for (let i = 0; i < names.length; i++) {
      if ((marks[i] & IS_GAUGE) !== 0) count++;
    }
    if (count !== this.#gaugeCount) {
      const gauges = names.filter((_, i) => (marks[i] & IS_GAUGE) !== 0);
      this.#gauges = encoder.encode(
        chunksOf(gauges, (name) => name).map((some) =>
          `${GAUGES}${jsonLine(some)}: ${some.length}\n`
        ).join(""),
      );
      this.#gaugeCount = count;
    }
    if (count > 0) this.#out.text(this.#gauges);
    for (const some of chunksOf(unknowns ?? [], (name) => name)) {
      this.#annotate(UNKNOWNS, some, some.length);
    }
    for (const [name, description] of descriptions) {
      this.#annotate(DESCRIBE, { name, ...description }, 1);
    }
    const pairs = [...times].map(([place, ms]) =>
      [names[place], ms / 1000] as const
    );
    for (const some of chunksOf(pairs, ([name]) => name)) {
      this.#annotate(LAST_SET, some, some.length);
    }
    for (const stats of chunksOf(source.rests ?? [], ([name]) => name)) {
      this.#annotate(RESTS, { stats, sums: [] }, stats.length);
    }
  }

  #writeProcess(process: ProcessInfo): void {
    const { stalled, id, ...rest } = process;
    if (process !== this.#process) {
      this.#process = process;
      // The id comes first, whatever the order of the object's fields.
      const identity = { id, ...rest };
      this.#identity = encoder.encode(`${PROCESS}${jsonLine(identity)}: `);
    }
    const out = this.#out;
    out.text(this.#identity);
    // Every line has a number.
    if (stalled === undefined) out.number(-1, false);
    else out.number(stalled, true);
    out.char(NEWLINE);
  }

  #annotate(annotation: string, content: unknown, number: number): void {
    const out = this.#out;
    out.text(encoder.encode(`${annotation}${jsonLine(content)}: `));
    out.number(number, false);
    out.char(NEWLINE);
  }

  #writeWindow(
    text: DistributionText,
    sorted: Float64Array,
    fractional: boolean,
  ): void {
    const out = this.#out;
    for (let start = 0; start < sorted.length; start += MAX_LINE_VALUES) {
      const end = Math.min(start + MAX_LINE_VALUES, sorted.length);
      out.text(text.window);
      for (let i = start; i < end; i++) {
        if (i > start) out.char(COMMA);
        out.number(sorted[i], fractional);
      }
      out.text(WINDOW_END);
      out.number(end - start, false);
      out.char(NEWLINE);
    }
  }

  #writeHistogram(
    text: DistributionText,
    histogram: Histogram,
    fractional: boolean,
  ): void {
    const count = countOf(histogram);
    // A thread may be writing its very first value, of which only a part has
    // arrived in memory.
    if (count === 0 || !(histogram.min <= histogram.max)) return;
    const out = this.#out;
    out.text(text.histogram);
    out.number(histogram.scale, false);
    for (
      const [key, value] of [
        [SUM_KEY, histogram.sum],
        [MIN_KEY, histogram.min],
        [MAX_KEY, histogram.max],
      ] as const
    ) {
      out.text(key);
      out.number(value, fractional);
    }
    out.text(ZEROS_KEY);
    out.number(histogram.zeros, false);
    out.text(POSITIVE_KEY);
    this.#writeBuckets(histogram.positive);
    out.text(NEGATIVE_KEY);
    this.#writeBuckets(histogram.negative);
    out.text(JSON_END);
    out.number(count, false);
    out.char(NEWLINE);
  }

  /** Writes runs of neighbouring buckets: the index of the first, and the count of each. */
  #writeBuckets(buckets: Buckets): void {
    const out = this.#out;
    const indexes = Float64Array.from(buckets.keys()).sort();
    out.text(RUN_START);
    for (let i = 0; i < indexes.length; i++) {
      const isNext = i > 0 && indexes[i] === indexes[i - 1] + 1;
      if (!isNext) {
        if (i > 0) {
          out.text(RUN_END);
          out.char(COMMA);
        }
        out.text(RUN_START);
        out.number(indexes[i], false);
      }
      out.char(COMMA);
      out.number(buckets.get(indexes[i])!, false);
    }
    if (indexes.length > 0) out.text(RUN_END);
    out.text(RUN_END);
  }
}
