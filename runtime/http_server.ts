/**
 * The HTTP server of a program, on every runtime.
 *
 * It is Node's server on Deno too, since `Deno.serve` has no time limits: it
 * keeps connections that never send a request (tried with 2.9).
 *
 * Listens on a port and for signals.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import {
  createServer,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from "node:http";
import { createServer as createTlsServer } from "node:https";
import { connect, type Socket } from "node:net";
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import type { Address, Answer, Answerer, Asked } from "./command_line.ts";

/** How long a client may take to send its request, in milliseconds. */
const REQUEST_MS = 10_000;

/** How long a client may take to read a piece of its answer, in milliseconds. */
const PIECE_MS = 10_000;

/** How long a client may take to read its whole answer, in milliseconds. */
const ANSWER_MS = 60_000;

/** How much of an answer is handed to the system at once, in bytes. */
const PIECE_BYTES = 65_536;

/** How many requests of one connection may wait for their turn. */
const MAX_QUEUE = 100;

/** How many connections may wait to be accepted. */
const BACKLOG = 1024;

/** How long requests wait for more connections at most, in milliseconds. */
const GATHER_MS = 100;

/** After how many turns of the event loop without one no connection waits. */
const IDLE_TURNS = 2;

/** How often it is checked that connections are accepted, in milliseconds. */
const CHECK_MS = 3_000;

/** How long a connection may take to be accepted, in milliseconds. */
const ACCEPT_MS = 3_000;

/** How long requests may take after the signal to end, in milliseconds. */
const CLOSE_MS = 1_000;

/**
 * What a request asks for.
 *
 * @throws {TypeError} If its host is none, or not the one of its URL.
 */
export function toAsked(
  { method = "GET", url = "/", headers }: Pick<
    IncomingMessage,
    "method" | "url" | "headers"
  >,
): Asked {
  const { host = "localhost" } = headers;
  // Concatenated, since `//other/stats` resolved against the host would name
  // another host.
  const { href, host: named, username, password } = new URL(
    url.startsWith("/") ? `http://${host}${url}` : url,
  );
  const isHost = !/[\s/?#@\\]/.test(host) && username + password === "";
  if (!isHost || named !== new URL(`http://${host}`).host) {
    throw new TypeError("The host must be the one of the header");
  }
  return {
    method,
    url: href,
    headers: { get: (name) => `${headers[name.toLowerCase()] ?? ""}` || null },
  };
}

/** Resolves when the answer may be written further, or never will be. */
function drained(outgoing: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    if (outgoing.destroyed) return resolve();
    const end = () => {
      outgoing.off("drain", end).off("close", end);
      resolve();
    };
    outgoing.on("drain", end).on("close", end);
  });
}

/** Resolves when the system has all of the answer, or the client has gone. */
async function write(
  outgoing: ServerResponse,
  { status, headers, body }: Answer,
): Promise<void> {
  const closed = new Promise<void>((resolve) => {
    outgoing.on("finish", resolve).on("close", resolve);
    if (outgoing.destroyed || outgoing.socket === null) resolve();
  });
  outgoing.writeHead(status, headers);
  const length = body?.length ?? 0;
  const pieceAt = (at: number) =>
    Buffer.from(body!.buffer, body!.byteOffset + at, piece(length, at));
  let at = 0;
  // In pieces, so that a client that reads slowly is told from one that does
  // not read.
  for (; at + PIECE_BYTES < length; at += PIECE_BYTES) {
    if (outgoing.destroyed) return;
    if (!outgoing.write(pieceAt(at))) await drained(outgoing);
  }
  if (length === 0) outgoing.end();
  else outgoing.end(pieceAt(at));
  await closed;
}

const piece = (length: number, at: number) =>
  Math.min(PIECE_BYTES, length - at);

/**
 * Lets a server accept the connections that wait. The runtimes accept a few in
 * each turn of the event loop (Node one, Deno 128), and reading the pipes makes a
 * turn long: of 500 clients some waited three seconds for their first answer.
 */
export class Gathering {
  /** How many connections there have been. */
  accepted = 0;
  readonly #limit: number;
  #running: Promise<void> | undefined;

  /** @param limit How long to wait at most, in milliseconds. */
  constructor(limit = GATHER_MS) {
    this.#limit = limit;
  }

  /** Resolves when no further connection waits. */
  done(): Promise<void> {
    return this.#running ??= this.#run().finally(() =>
      this.#running = undefined
    );
  }

  async #run(): Promise<void> {
    const end = performance.now() + this.#limit;
    for (let idle = 0; idle < IDLE_TURNS && performance.now() < end; idle++) {
      const before = this.accepted;
      // Not setImmediate(), whose turns look for no connection on Deno.
      await sleep(0);
      if (this.accepted !== before) idle = -1;
    }
  }
}

/** Answers the requests of each connection one after another. */
function serial(
  answerer: Answerer,
  headers: Readonly<Record<string, string>>,
  gathering: Gathering,
): (incoming: IncomingMessage, outgoing: ServerResponse) => void {
  const queues = new WeakMap<Socket, { length: number; last: Promise<void> }>();
  const answer = async (incoming: IncomingMessage): Promise<Answer> => {
    let asked;
    try {
      asked = toAsked(incoming);
    } catch {
      return { status: 400, headers, body: null };
    }
    await gathering.done();
    return await answerer(asked);
  };
  return (incoming, outgoing) => {
    const { socket } = incoming;
    let queue = queues.get(socket);
    if (queue === undefined) {
      queues.set(socket, queue = { length: 0, last: Promise.resolve() });
    }
    if (++queue.length > MAX_QUEUE) return void socket.destroy();
    const { last } = queue;
    queue.last = (async () => {
      await last;
      // A client that has gone is not worth a read.
      if (!socket.destroyed) {
        const timer = setTimeout(() => socket.destroy(), ANSWER_MS);
        try {
          await write(outgoing, await answer(incoming));
        } catch {
          socket.destroy();
        }
        clearTimeout(timer);
      }
      queue.length--;
    })();
  };
}

function makeServer(
  answerer: Answerer,
  tls: Address["tls"],
  headers: Readonly<Record<string, string>>,
): { server: Server; gathering: Gathering } {
  // A client that is slow to send its request gets 408, one whose headers are
  // huge 431, both from the server itself.
  const options = {
    headersTimeout: REQUEST_MS,
    requestTimeout: REQUEST_MS,
    connectionsCheckingInterval: 1_000,
  };
  const gathering = new Gathering();
  const serve = serial(answerer, headers, gathering);
  const server = tls === undefined
    ? createServer(options, serve)
    : createTlsServer({ ...options, ...tls }, serve);
  // Ends connections in which nothing is written nor read for so long.
  server.timeout = PIECE_MS;
  server.on("connection", () => gathering.accepted++);
  return { server, gathering };
}

/** Whether a connection to a port of this host can be made, and is accepted. */
async function accepts(
  ip: string,
  port: number,
  gathering: Gathering,
): Promise<boolean> {
  const before = gathering.accepted;
  const host = ip === "0.0.0.0" ? "127.0.0.1" : ip === "::" ? "::1" : ip;
  const socket = connect({ host, port });
  let isOver = false;
  socket.on("error", () => isOver = true);
  const end = performance.now() + ACCEPT_MS;
  while (gathering.accepted === before && performance.now() < end && !isOver) {
    await sleep(10);
  }
  socket.destroy();
  return gathering.accepted !== before;
}

/**
 * Resolves when a server no longer accepts connections. Deno's never does again
 * once it had no file left for one (tried with 2.9), and reports no error.
 */
async function stuck(
  ip: string,
  port: number,
  gathering: Gathering,
  isStopped: () => boolean,
): Promise<void> {
  let before;
  do {
    before = gathering.accepted;
    await sleep(CHECK_MS, undefined, { ref: false });
  } while (
    !isStopped() &&
    (gathering.accepted !== before || await accepts(ip, port, gathering))
  );
}

/** Listens as {@linkcode Program.listen} says. */
export async function listen(
  answerer: Answerer,
  { ip, port, tls }: Address,
  headers: Readonly<Record<string, string>>,
  onListen: (port: number) => Promise<void>,
): Promise<void> {
  const servers = new Set<Server>();
  let isStopped = false;
  const stopped = new Promise<void>((resolve) => {
    const stop = () => {
      isStopped = true;
      // A second signal kills the program at once.
      for (const signal of SIGNALS) process.off(signal, stop);
      resolve();
    };
    for (const signal of SIGNALS) process.on(signal, stop);
  });
  let open: number | undefined;
  let isReported = false;
  while (!isStopped) {
    const { server, gathering } = makeServer(answerer, tls, headers);
    try {
      const actual = await opened(server, ip, open ?? port);
      servers.add(server);
      if (open === undefined) await onListen(actual);
      open = actual;
    } catch (error) {
      if (open === undefined) throw error;
    }
    await Promise.race([
      stopped,
      stuck(ip, open, gathering, () => isStopped),
    ]);
    if (isStopped) break;
    // Reported once, until a connection comes through again.
    if (gathering.accepted > 0) isReported = false;
    if (!isReported) {
      console.error("statvent: too many open files; listening again");
    }
    isReported = true;
    retire(server).then(() => servers.delete(server));
  }
  await closed(servers);
}

/**
 * Closes a server, and its connections when their requests should have come: a
 * closed server no longer ends those whose clients send a byte now and then.
 */
async function retire(server: Server): Promise<void> {
  server.close();
  await sleep(REQUEST_MS, undefined, { ref: false });
  server.closeAllConnections();
}

const SIGNALS = ["SIGINT", "SIGTERM"] as const;

/** Opens a port. Returns its number. */
function opened(server: Server, host: string, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen({ port, host, backlog: BACKLOG }, () => {
      server.off("error", reject);
      const address = server.address();
      resolve(typeof address === "object" && address ? address.port : port);
    });
  });
}

/** Closes servers. Clients that have not sent a whole request get no answer. */
async function closed(servers: Iterable<Server>): Promise<void> {
  const all = Array.from(servers, (server) =>
    new Promise<void>((resolve) => {
      server.close(() => resolve());
      server.closeIdleConnections();
    }));
  await Promise.race([
    Promise.all(all),
    sleep(CLOSE_MS, undefined, { ref: false }),
  ]);
  for (const server of servers) server.closeAllConnections();
}
