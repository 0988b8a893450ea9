/**
 * A program on Node and Bun.
 *
 * @module
 */

import { readFileSync } from "node:fs";
import {
  createServer,
  type IncomingMessage,
  type ServerResponse,
} from "node:http";
import { createServer as createTlsServer } from "node:https";
import process from "node:process";
import type { Program } from "./program.ts";

/** How long a client may take to send its request, in milliseconds. */
const REQUEST_MS = 10_000;

/** How long requests may take after the signal to end, in milliseconds. */
const CLOSE_MS = 1_000;

/**
 * Converts a request to that of web standards, without its body, which no
 * handler needs.
 *
 * @throws {TypeError} If it has no equivalent.
 */
export function toRequest(
  { method, url, headers, rawHeaders }: Pick<
    IncomingMessage,
    "method" | "url" | "headers" | "rawHeaders"
  >,
): Request {
  const pairs: [string, string][] = [];
  for (let i = 0; i < rawHeaders.length; i += 2) {
    pairs.push([rawHeaders[i], rawHeaders[i + 1]]);
  }
  const { host = "localhost" } = headers;
  // Concatenated, since `//other/stats` resolved against the host would name
  // another host.
  const href = url!.startsWith("/") ? `http://${host}${url}` : url!;
  const request = new Request(href, { method, headers: pairs });
  const isHost = !/[\s/?#@\\]/.test(host);
  if (!isHost || new URL(request.url).host !== new URL(`http://${host}`).host) {
    throw new TypeError("The host must be the one of the header");
  }
  return request;
}

/** The program on Node and Bun. */
export const nodeProgram: Program = {
  args: process.argv.slice(2),
  command: "npx statvent",
  print: (line) => console.log(line),
  printError: (line) => console.error(line),
  readText: (path) => readFileSync(path, "utf8"),
  exit: (code) => process.exit(code),
  listen: (handler, { ip, port, tls }, headers, onListen) => {
    // A client that is slow to send its headers gets 408, one whose headers
    // are huge 431, both from the server itself.
    const options = {
      headersTimeout: REQUEST_MS,
      requestTimeout: REQUEST_MS,
      connectionsCheckingInterval: 1_000,
    };
    const serve = async (
      incoming: IncomingMessage,
      outgoing: ServerResponse,
    ) => {
      let request;
      try {
        request = toRequest(incoming);
      } catch {
        // The host is invalid, or web standards forbid the method.
        return outgoing.writeHead(400, headers).end();
      }
      const response = await handler(request);
      const body = new Uint8Array(await response.arrayBuffer());
      // Writing to a client that has gone fails silently.
      outgoing.writeHead(response.status, [...response.headers].flat());
      outgoing.end(body);
    };
    const server = tls === undefined
      ? createServer(options, serve)
      : createTlsServer({ ...options, ...tls }, serve);
    return new Promise((resolve, reject) => {
      const stop = () => {
        // A second signal kills the program at once.
        for (const signal of signals) process.off(signal, stop);
        server.close(() => resolve());
        server.closeIdleConnections();
        // Clients that have not sent a whole request by then get no answer.
        setTimeout(() => server.closeAllConnections(), CLOSE_MS).unref();
      };
      const signals = ["SIGINT", "SIGTERM"] as const;
      for (const signal of signals) process.on(signal, stop);
      server.on("error", reject);
      server.listen(port, ip, () => {
        const address = server.address();
        onListen(typeof address === "object" && address ? address.port : port);
      });
    });
  },
};
