/**
 * The questions: what answers each, and what is to be reached.
 *
 * @module
 */

import { SHAPE_WORDS } from "./calls.ts";
import { atMost, below, type Limit, NO_MORE, within } from "./limits.ts";

/** A program of this folder and its arguments. */
export type Program = readonly [file: string, ...args: string[]];

/** What is to be reached. */
export interface Target {
  /** How the names of what it is about begin; all by default. */
  readonly what?: string;
  /** Who statvent is compared with: `floor`, or how the names of peers begin. */
  readonly against: string;
  readonly limit: Limit;
}

/** A question. */
export interface Question {
  readonly title: string;
  /** What has to be known to read the answer, one line each. */
  readonly notes: readonly string[];
  readonly programs: readonly Program[];
  /** In how many processes each program is run: 1 by default. */
  readonly processes?: number;
  readonly targets: readonly Target[];
  /** The measurements that `docs/benchmarks.md` shows, with their names there. */
  readonly summary: Readonly<Record<string, string>>;
}

/** What statvent is compared with besides other libraries. */
export const CONTROLS: ReadonlySet<string> = new Set([
  "floor",
  "Map.get and += 1",
  "another program is read",
  "the straight line",
]);

/** A program for each order of writes, several times: code comes out differently in each process. */
function inAllShapes(file: string): Pick<Question, "programs" | "processes"> {
  const programs = SHAPE_WORDS.map((word): Program => [file, word]);
  return { programs, processes: 3 };
}

/** In the order of their numbers, from 1 on. */
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
      "with each call only, so it does the same in both.",
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
      "+=, as doubles with ++. hot-shots calls in bursts of 1 000 and waits for the",
      "last to be sent.",
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
      "The floor keeps the last values in a ring, and counts all in a sum and in",
      "buckets, which none of the peers does: in plain memory, with no bounds that",
      "anybody agrees on, and neither the least nor the greatest. statvent and",
      "sketches-js have their buckets already, as in a program that has run for a",
      "while.",
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
      "What the kernel says of the process that is read, 100 times a second.",
      "prom-client's is asked for registry.metrics(). The floor is a thread that waits",
      "in open() and writes as many bytes, always the same; for the main thread, the",
      "same program, unread; for the text, a copy of its bytes.",
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
      "is that nobody reads. That another program is read shows what it costs that",
      "the cores are busy. prom-client's /metrics is served by the program itself.",
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
      "statvent parses bytes, which have other values each time. The floor decodes",
      "them and splits them into lines; for what only writes, it copies the bytes.",
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
      "From the request to the text of /metrics. The floor reads as many files of the",
      "same size. A line to the peers' process and back is in their times.",
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
      "What the kernel says of all threads. The floor is the same program without a",
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
      "Writers in C of 20 stats each, with two pipes that they use in turn. The",
      "floor reads as many small files. The line is the one that has the least",
      "relative distances, squared.",
    ],
    programs: [["many.ts"]],
    targets: [{ against: "the straight line", limit: within(1 / 4) }],
    summary: {
      "the slope: each process more": "one answer, for each further process",
    },
  },
];
