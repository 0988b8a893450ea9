/**
 * Graphite's two protocols: lines of text, and pickles.
 *
 * A server that was unreachable gets the newest values first. Points wait for it
 * up to a bound; beyond that the oldest are given up. A point counts as sent once
 * the operating system has taken it, so a server that vanishes without closing
 * the connection loses sent points that it has not read.
 *
 * Opens a connection when points wait, and keeps it.
 *
 * @module
 */

import type { LabelledName } from "../model/labels.ts";
import { connect, type Connection } from "../runtime/sockets.ts";
import type { NameCache } from "./name_cache.ts";
import type { Tick } from "./points.ts";
import type { Sender } from "./sender.ts";

/** How many points wait for a server at most: 21 MB of memory, as measured. */
const MAX_WAITING = 1_000_000;

// Carbon closes the connection on a line of more than 16,384 bytes.
const MAX_PATH_LENGTH = 4096;

/** The size at which a piece is sent. Carbon takes pickles up to 1 MiB. */
const PIECE_BYTES = 65_536;

// Carbon splits lines at control characters, and a query to Graphite gives the
// other characters a meaning of its own.
const UNFIT = /[*?{}[\](),;"'\\|]|\p{Cc}/gu;

/**
 * Makes a dotted name fit for Graphite, as scales does: spaces become `-`;
 * slashes and characters with a meaning in Graphite become `_`.
 */
export function graphitePath(name: string): string {
  return name.split(".").map((level) =>
    level.trim().replace(/\s/g, "-").replaceAll("/", "_")
      .replace(UNFIT, "_") || "_"
  ).join(".");
}

/**
 * The path of a series, with its labels as tags.
 *
 * @param prefix The prefix of the name, with its dot.
 */
export function graphiteSeries(
  prefix: string,
  { family, labels }: LabelledName,
): string {
  const tags = labels.map(([key, value]) => {
    // Carbon stores the path under the tag "name".
    const tag = key === "name" ? "name_" : key;
    const text = value.trim().replace(/\s/g, "-")
      .replace(/^~|[;"]|\p{Cc}/gu, "_");
    return `;${tag}=${text || "_"}`;
  });
  return `${prefix}${graphitePath(family)}${tags.join("")}`;
}

/** Points of one time. Points from `next` on wait to be sent. */
interface Batch {
  /** The time, in seconds since 1970. */
  readonly time: number;
  readonly paths: readonly string[];
  readonly values: Float64Array;
  next: number;
}

/** Writes points, from `next` on, until the piece is large enough. */
type Encode = (batch: Batch) => { bytes: Uint8Array; end: number };

const encoder = new TextEncoder();

/** Writes points as lines. */
export function encodeLines(
  { time, paths, values, next }: Batch,
): { bytes: Uint8Array; end: number } {
  let text = "";
  let end = next;
  while (end < paths.length && text.length < PIECE_BYTES) {
    text += `${paths[end]} ${values[end++]} ${time}\n`;
  }
  return { bytes: encoder.encode(text), end };
}

// The opcodes of a pickle of protocol 2.
const PROTO_2 = [0x80, 2];
const EMPTY_LIST = 0x5d;
const MARK = 0x28;
const BINUNICODE = 0x58;
const BININT = 0x4a;
const BINFLOAT = 0x47;
const TUPLE2 = 0x86;
const APPENDS = 0x65;
const STOP = 0x2e;

/** The bytes of a point besides its path: 5 before it, 5 and 9 for the numbers, 2 for the tuples. */
const POINT_BYTES = 21;

/**
 * Writes points as the length and the pickle of `[(path, (time, value)), …]`.
 */
export function encodePickle(
  { time, paths, values, next }: Batch,
): { bytes: Uint8Array; end: number } {
  // A path takes at most three bytes for each of its characters.
  const bytes = new Uint8Array(
    PIECE_BYTES + 3 * MAX_PATH_LENGTH + POINT_BYTES + 16,
  );
  const view = new DataView(bytes.buffer);
  let at = 4;
  const op = (...codes: number[]) => {
    for (const code of codes) bytes[at++] = code;
  };
  op(...PROTO_2, EMPTY_LIST, MARK);
  let end = next;
  while (end < paths.length && at < PIECE_BYTES) {
    op(BINUNICODE);
    const { written } = encoder.encodeInto(
      paths[end],
      bytes.subarray(at + 4),
    );
    view.setUint32(at, written, true);
    at += 4 + written;
    if (time < 2 ** 31) {
      op(BININT);
      view.setInt32(at, time, true);
      at += 4;
    } else {
      op(BINFLOAT);
      view.setFloat64(at, time);
      at += 8;
    }
    op(BINFLOAT);
    view.setFloat64(at, values[end++]);
    at += 8;
    op(TUPLE2, TUPLE2);
  }
  op(APPENDS, STOP);
  view.setUint32(0, at - 4);
  return { bytes: bytes.subarray(0, at), end };
}

/** Sends to a Graphite server. */
export class GraphiteSender implements Sender {
  waiting = 0;
  sent = 0;
  dropped = 0;
  readonly #host: string;
  readonly #port: number;
  readonly #encode: Encode;
  readonly #paths: NameCache<string>;
  readonly #patience: number;
  readonly #maxWaiting: number;
  /** The waiting batches, the oldest first. */
  readonly #batches: Batch[] = [];
  #connection: Connection | undefined;

  constructor(
    host: string,
    port: number,
    encode: Encode,
    paths: NameCache<string>,
    patience: number,
    maxWaiting: number = MAX_WAITING,
  ) {
    this.#host = host;
    this.#port = port;
    this.#encode = encode;
    this.#paths = paths;
    this.#patience = patience;
    this.#maxWaiting = maxWaiting;
  }

  offer({ time, host, points }: Tick): void {
    const paths: string[] = [];
    const values = new Float64Array(points.length);
    for (const { id, value } of points) {
      const path = this.#paths.get(host.table, id);
      if (path.length > MAX_PATH_LENGTH) continue;
      values[paths.length] = value;
      paths.push(path);
    }
    this.dropped += points.length - paths.length;
    if (paths.length > 0) {
      const seconds = Math.floor(time / 1000);
      this.#batches.push({ time: seconds, paths, values, next: 0 });
    }
    this.waiting += paths.length;
    while (this.waiting > this.#maxWaiting && this.#batches.length > 1) {
      const { paths, next } = this.#batches.shift()!;
      this.dropped += paths.length - next;
      this.waiting -= paths.length - next;
    }
  }

  async send(signal: AbortSignal): Promise<undefined> {
    if (!this.#connection?.open) {
      this.#connection = await connect(
        this.#host,
        this.#port,
        signal,
        this.#patience,
      );
    }
    const batch = this.#batches.at(-1)!;
    const { bytes, end } = this.#encode(batch);
    // A piece whose write fails is sent again. The server keeps one value for each
    // time, so it does no harm if it had the piece already.
    await this.#connection.write(bytes);
    const index = this.#batches.indexOf(batch);
    // The batch was given up meanwhile, and is counted as dropped.
    if (index === -1) return;
    this.sent += end - batch.next;
    this.waiting -= end - batch.next;
    batch.next = end;
    if (end === batch.paths.length) this.#batches.splice(index, 1);
  }

  close(): void {
    this.#connection?.close();
    this.#connection = undefined;
  }
}
