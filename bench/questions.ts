/**
 * The questions, each with its programs and targets.
 *
 * @module
 */

import { SHAPE_WORDS } from "./calls.ts";
import { atMost, below, type Limit, NO_MORE, within } from "./limits.ts";

/** A program of this folder and its arguments. */
export type Program = readonly [file: string, ...args: string[]];

/** A target of a question. */
export interface Target {
  /** The beginning of the measurements' names; all by default. */
  readonly what?: string;
  /** The other side: `floor`, or the beginning of the peers' names. */
  readonly against: string;
  readonly limit: Limit;
}

/** A question. */
export interface Question {
  readonly title: string;
  /** What a reader of the answer has to know, line by line. */
  readonly notes: readonly string[];
  readonly programs: readonly Program[];
  /** The number of processes that run each program; 1 by default. */
  readonly processes?: number;
  readonly targets: readonly Target[];
  /** The measurements in `docs/benchmarks.md`, with their names there. */
  readonly summary: Readonly<Record<string, string>>;
}

/** The sides of a comparison that are no libraries. */
export const CONTROLS: ReadonlySet<string> = new Set([
  "floor",
  "Map.get and += 1",
  "another program is read",
  "the straight line",
]);

/** A program in each shape of calls, in several processes, since each compiles its code differently. */
function inAllShapes(file: string): Pick<Question, "programs" | "processes"> {
  const programs = SHAPE_WORDS.map((word): Program => [file, word]);
  return { programs, processes: 3 };
}

/** The questions in the order of their numbers, from 1 on. */
export const QUESTIONS: readonly Question[] = [
  {
    title: "incr and set by handle",
    notes: ["The floor is cells[place]++, or = v, in shared memory."],
    ...inAllShapes("write_by_handle.ts"),
    targets: [
      {
        what: "handle.incr(), 100 stats",
        against: "prom-client",
        limit: atMost(1),
      },
      {
        what: "handle.set(v), 100 stats",
        against: "prom-client",
        limit: atMost(1),
      },
      {
        what: "handle.incr(), 10 000 stats",
        against: "prom-client",
        limit: atMost(1 / 3),
      },
      {
        what: "handle.set(v), 10 000 stats",
        against: "prom-client",
        limit: atMost(1 / 3),
      },
    ],
    summary: {
      "handle.incr(), 100 stats at random": "`counter.incr()`",
      "handle.set(v), 100 stats at random": "`gauge.set(v)`",
    },
  },
  {
    title: "incr with two labels",
    notes: [
      "The floor is cells[place]++ in shared memory. OpenTelemetry takes attributes",
      "with each call only, so both of its rows measure the same.",
    ],
    ...inAllShapes("write_labelled.ts"),
    targets: ["prom-client", "OpenTelemetry"].map((against) => ({
      what: "labels in the handle",
      against,
      limit: atMost(1 / 40),
    })),
    summary: {
      "labels in the handle, 100 stats at random":
        "`counter.incr()` of a handle with two labels",
      "labels in the call, 100 stats at random":
        "`incr(name, 1, labels)` with two labels",
    },
  },
  {
    title: "incr by name",
    notes: [
      "The floor is cells[map.get(name)]++. V8 adds whole numbers as integers with",
      "+=, as doubles with ++. hot-shots sends bursts of 1 000 and waits for the last",
      "datagram.",
    ],
    ...inAllShapes("write_by_name.ts"),
    targets: [
      {
        what: "incr(name), 100 stats",
        against: "OpenTelemetry",
        limit: atMost(1 / 3),
      },
      { what: "incr(name), 100 stats", against: "floor", limit: atMost(1.15) },
    ],
    summary: {
      "incr(name), 100 stats at random": "`incr(name)`",
    },
  },
  {
    title: "record by handle",
    notes: [
      "The floor keeps the last values in a ring, a sum and buckets, in plain memory,",
      "without standard bounds, a minimum or a maximum. No peer keeps all of these.",
      "The buckets of statvent and sketches-js exist already, as in a program that has",
      "run for a while.",
    ],
    ...inAllShapes("write_recorded.ts"),
    targets: [
      { against: "prom-client histogram", limit: atMost(1 / 10) },
      { against: "prom-client summary", limit: atMost(1 / 100) },
      { against: "OpenTelemetry", limit: atMost(1 / 10) },
      { against: "hdr-histogram-js", limit: atMost(1 / 10) },
    ],
    summary: {
      "handle.record(v), 100 stats at random": "`distribution.record(v)`",
    },
  },
  {
    title: "Processor time of one read",
    notes: [
      "The kernel's figures for a process that is read 100 times a second. prom-client",
      "answers with registry.metrics(). The floor is a thread that waits in open() and",
      "writes as many constant bytes; for the main thread, a program without readers;",
      "for the text, a copy of its bytes.",
    ],
    programs: [["reading.ts"], ["snapshot.ts"]],
    targets: [
      {
        what: "whole process",
        against: "prom-client",
        limit: atMost(1 / 20),
      },
      { what: "main thread", against: "floor", limit: NO_MORE },
      { what: "the text", against: "prom-client", limit: atMost(1 / 20) },
    ],
    summary: {
      "whole process, 10000 stats": "processor time of one read, 10 000 stats",
      "main thread, 10000 stats": "main thread's part of that",
    },
  },
  {
    title: "The longest pause of the main thread in a second with 100 reads",
    notes: [
      "From one turn of the event loop to the next, with a timer of 1 ms. The floor",
      "has no readers. Reading another program shows what busy cores cost.",
      "prom-client's /metrics is served by the program itself.",
    ],
    programs: [["pauses.ts"]],
    targets: [
      { against: "another program is read", limit: NO_MORE },
    ],
    summary: {
      "10000 stats": "longest pause of the main thread, 100 reads a second",
    },
  },
  {
    title: "Snapshots of many processes to one text",
    notes: [
      "statvent parses bytes that have other values each time. The floor decodes them",
      "and splits them into lines; where a row only writes, it copies the bytes.",
    ],
    programs: [["merging.ts"], ["scraping.ts"]],
    targets: [
      { what: "parse", against: "prom-client", limit: atMost(1 / 15) },
      { what: "parse", against: "OpenTelemetry", limit: atMost(1 / 15) },
    ],
    summary: {
      "parse, merge and write 64 snapshots of 1000 stats":
        "64 snapshots of 1 000 stats to one text",
    },
  },
  {
    title: "One answer over live processes, end to end",
    notes: [
      "From the request to the text of /metrics. The floor reads as many files of equal",
      "size. The times of the peers include a line to their process and back.",
    ],
    programs: [["host_answer.ts"]],
    targets: [
      { against: "prom-client", limit: atMost(1 / 10) },
      { against: "Python", limit: atMost(1 / 2) },
    ],
    summary: {
      "64 processes of 1000 stats":
        "one answer over 64 processes of 1 000 stats",
    },
  },
  {
    title: "A recorder that is idle for a minute",
    notes: [
      "The kernel's figures for all threads. The floor is the program without a",
      "recorder.",
    ],
    programs: [["idle.ts"]],
    targets: [{ against: "floor", limit: NO_MORE }],
    summary: {
      "never read, processor time": "processor time of an idle recorder",
    },
  },
  {
    title: "Resident memory",
    notes: [
      "Beyond that of an empty program, after one read. The floor is a program that",
      "counts with statvent and has a thread that does nothing.",
    ],
    programs: [["memory.ts"]],
    targets: ["prom-client", "OpenTelemetry"].map((against) => ({
      against,
      limit: below(1 / 2),
    })),
    summary: {
      "1000 stats": "resident memory, 1 000 stats",
    },
  },
  {
    title: "Import and startRecorder() until the pipe can be read",
    notes: [
      "Against the import of the peers. The floor starts a thread that does nothing;",
      "for the import alone, it imports nothing.",
    ],
    programs: [["importing.ts"]],
    targets: [{ against: "prom-client", limit: below(1) }],
    summary: {
      "import and startRecorder()": "import and `startRecorder()`",
    },
  },
  {
    title: "One answer over 1 to 1 000 small processes",
    notes: [
      "Writers in C of 20 stats each, which use two pipes in turn. The floor reads as",
      "many small files. The straight line has the least squared relative distances.",
    ],
    programs: [["many.ts"]],
    targets: [{ against: "the straight line", limit: within(1 / 4) }],
    summary: {
      "the slope: each process more": "one answer, for each further process",
    },
  },
];
