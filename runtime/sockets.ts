/**
 * TCP connections and UDP sockets, alike on Deno, Node and Bun.
 *
 * Opens sockets, sets timers that do not outlive their purpose.
 *
 * @module
 */

import { createSocket } from "node:dgram";
import type { LookupAddress } from "node:dns";
import { lookup } from "node:dns/promises";
import { connect as connectSocket } from "node:net";
import { hostname as osHostname } from "node:os";

/** The name of this host. Deno asks for `--allow-sys=hostname`. */
export function hostname(): string {
  return osHostname();
}

/** A TCP connection that is only written to. */
export interface Connection {
  /** Whether the connection is still open, as far as is known. */
  readonly open: boolean;
  /** Resolves once the operating system has taken the bytes. Must be awaited before the next call. */
  write(bytes: Uint8Array): Promise<void>;
  /** Closes the connection at once. Bytes that were written are still delivered. */
  close(): void;
}

/**
 * Connects to a TCP server. Aborting the signal closes the connection.
 *
 * @param patience How long connecting or one write may take, in milliseconds.
 */
export function connect(
  host: string,
  port: number,
  signal: AbortSignal,
  patience: number,
): Promise<Connection> {
  const socket = connectSocket({ host, port });
  let failure: Error | undefined;
  let failed: ((error: Error) => void) | undefined;
  const fail = (error: Error) => {
    failure ??= error;
    socket.destroy();
    signal.removeEventListener("abort", abort);
    failed?.(failure);
  };
  const abort = () => fail(new Error("it took too long"));
  socket.on("error", fail);
  socket.on("end", () => fail(new Error("the connection was closed")));
  socket.on("close", () => fail(new Error("the connection was closed")));
  // The server's bytes are ignored, but only reading shows that it has hung up.
  socket.resume();
  if (signal.aborted) abort();
  else signal.addEventListener("abort", abort);

  /** Waits for `start` to call back, or for the socket to fail. */
  const until = (what: string, start: (done: () => void) => void) =>
    new Promise<void>((resolve, reject) => {
      const timer = setTimeout(
        () => fail(new Error(`${what} took more than ${patience} ms`)),
        patience,
      );
      failed = (error) => {
        clearTimeout(timer);
        failed = undefined;
        reject(error);
      };
      if (failure !== undefined) return failed(failure);
      start(() => {
        clearTimeout(timer);
        failed = undefined;
        resolve();
      });
    });
  const connection: Connection = {
    get open() {
      return failure === undefined;
    },
    write: (bytes) =>
      until(
        "writing",
        (done) => socket.write(bytes, (error) => error ? fail(error) : done()),
      ),
    close: () => fail(new Error("the connection was closed")),
  };
  return until("connecting", (done) => socket.once("connect", done))
    .then(() => connection);
}

/** A way to send datagrams. */
export interface DatagramSender {
  /** Resolves once the operating system has taken the datagram. */
  send(bytes: Uint8Array): Promise<void>;
  /** Closes the socket. */
  close(): void;
}

/**
 * Opens a UDP socket. Does not find out whether a server is listening. Aborting
 * the signal ends the wait for the address.
 */
export async function openUdp(
  host: string,
  port: number,
  signal: AbortSignal,
): Promise<DatagramSender> {
  const { address, family } = await new Promise<LookupAddress>(
    (resolve, reject) => {
      const abort = () => reject(new Error("it took too long"));
      if (signal.aborted) return abort();
      signal.addEventListener("abort", abort);
      lookup(host).then(resolve, reject).finally(() =>
        signal.removeEventListener("abort", abort)
      );
    },
  );
  const socket = createSocket(family === 6 ? "udp6" : "udp4");
  // `send` reports its own errors.
  socket.on("error", () => {});
  return {
    send: (bytes) =>
      new Promise((resolve, reject) => {
        socket.send(
          bytes,
          port,
          address,
          (error) => error ? reject(error) : resolve(),
        );
      }),
    close: () => socket.close(),
  };
}
