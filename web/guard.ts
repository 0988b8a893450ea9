/**
 * Lets only those through who may read the stats of this host.
 *
 * Pure: no clock, no I/O.
 *
 * @module
 */

import { show } from "../model/show.ts";
import type { Handler } from "../runtime/program.ts";
import { ALWAYS } from "./respond.ts";

/** Who may read. */
export interface GuardOptions {
  /**
   * Whether the service listens on loopback only. Then a request must name an
   * address or `localhost` as its host: a page from elsewhere that has its own
   * name point to this address gets nothing.
   */
  readonly loopback: boolean;
  /** What a client must send as `Authorization: Bearer <token>`, if there is one. */
  readonly token: string | undefined;
}

/** Whether an address is one that only this host can reach. */
export function isLoopback(address: string): boolean {
  const url = `http://${address.includes(":") ? `[${address}]` : address}`;
  if (!URL.canParse(url)) return false;
  // In its one form: 127.1 and 0:0:0:0:0:0:0:1 are too.
  const { hostname } = new URL(url);
  return /^(127\.[\d.]+|\[::1\]|\[::ffff:7f[\da-f]{2}:[\da-f]+\]|localhost)$/
    .test(hostname);
}

/** Whether a host of a URL is an address or `localhost`, so that nobody else can have it. */
function isOwn(hostname: string): boolean {
  return /^(\d{1,3}(\.\d{1,3}){3}|\[[\da-f:.]+\]|(.+\.)?localhost)$/
    .test(hostname);
}

async function digest(text: string): Promise<Uint8Array> {
  const bytes = new TextEncoder().encode(text);
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
}

/** Compares in a time that tells nothing of where two texts differ. */
async function isSameSecret(a: string, b: string): Promise<boolean> {
  const [digestA, digestB] = await Promise.all([digest(a), digest(b)]);
  return digestA.reduce((sum, byte, i) => sum | (byte ^ digestB[i]), 0) === 0;
}

function refuse(
  status: number,
  message: string,
  headers?: Record<string, string>,
): Response {
  return Response.json({ message }, {
    status,
    headers: { ...ALWAYS, ...headers },
  });
}

/**
 * Makes a handler that asks another one if the request may be answered. The
 * web service has one; a server of your own needs it where not everybody may
 * read who reaches it.
 *
 * @example In a server of your own
 * ```ts
 * import { createHandler, guard } from "@statvent/statvent/web";
 * import { assertEquals } from "@std/assert";
 *
 * const handler = guard(createHandler(), { loopback: true, token: "secret" });
 * const url = "http://127.0.0.1:8000/stats";
 * assertEquals((await handler(new Request(url))).status, 401);
 * ```
 *
 * @param handler The other one.
 * @param options Who may read.
 * @returns The handler.
 */
export function guard(
  handler: Handler,
  { loopback, token }: GuardOptions,
): Handler {
  return async (request) => {
    if (loopback && URL.canParse(request.url)) {
      const { hostname } = new URL(request.url);
      if (!isOwn(hostname)) {
        return refuse(
          403,
          `Cannot serve the host ${
            show(hostname)
          }: it must be an address or localhost`,
        );
      }
    }
    if (token !== undefined) {
      const [, given = ""] = /^bearer +(.*)$/i.exec(
        request.headers.get("authorization") ?? "",
      ) ?? [];
      if (!await isSameSecret(given, token)) {
        return refuse(
          401,
          "Cannot serve without the token: send it as Authorization: Bearer TOKEN",
          { "www-authenticate": "Bearer" },
        );
      }
    }
    return await handler(request);
  };
}
