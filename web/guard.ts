/**
 * Access control: refuses requests from clients that may not read the stats.
 *
 * Pure: no clock, no I/O.
 *
 * @module
 */

import { show } from "../model/show.ts";
import type {
  Answer,
  Answerer,
  Asked,
  Handler,
} from "../runtime/command_line.ts";
import { jsonAnswer, toResponse } from "./respond.ts";

/** Which clients may read. */
export interface GuardOptions {
  /**
   * Whether the service listens on loopback only. Then a request must name an
   * address or `localhost` as its host, so that a web page cannot read the stats
   * by pointing its own domain at this address (DNS rebinding).
   */
  readonly loopback: boolean;
  /** The token that clients must send as `Authorization: Bearer <token>`, if any. */
  readonly token: string | undefined;
}

/** Whether only this host can reach an address. */
export function isLoopback(address: string): boolean {
  const url = `http://${address.includes(":") ? `[${address}]` : address}`;
  if (!URL.canParse(url)) return false;
  // A URL normalizes addresses such as 127.1 and 0:0:0:0:0:0:0:1.
  const { hostname } = new URL(url);
  return /^(127\.[\d.]+|\[::1\]|\[::ffff:7f[\da-f]{2}:[\da-f]+\]|localhost)$/
    .test(hostname);
}

/** Whether the host of a URL is an address or `localhost`, which no domain owner controls. */
function isOwn(hostname: string): boolean {
  return /^(\d{1,3}(\.\d{1,3}){3}|\[[\da-f:.]+\]|(.+\.)?localhost)$/
    .test(hostname);
}

async function digest(text: string): Promise<Uint8Array> {
  const bytes = new TextEncoder().encode(text);
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
}

/** Compares in a time that does not depend on where the digests differ. */
function isSameDigest(a: Uint8Array, b: Uint8Array): boolean {
  return a.reduce((sum, byte, i) => sum | (byte ^ b[i]), 0) === 0;
}

/** Makes a function that answers requests that must not be answered further. */
function gate(
  { loopback, token }: GuardOptions,
): (request: Asked) => Promise<Answer | undefined> {
  const wanted = token === undefined ? undefined : digest(token);
  return async ({ url, headers }) => {
    if (loopback && URL.canParse(url)) {
      const { hostname } = new URL(url);
      if (!isOwn(hostname)) {
        const message = `Cannot serve the host ${
          show(hostname)
        }: it must be an address or localhost`;
        return jsonAnswer(403, { message });
      }
    }
    if (wanted === undefined) return undefined;
    const [, given = ""] = /^bearer +(.*)$/i.exec(
      headers.get("authorization") ?? "",
    ) ?? [];
    if (isSameDigest(await digest(given), await wanted)) return undefined;
    const message =
      "Cannot serve without the token: send it as Authorization: Bearer TOKEN";
    return jsonAnswer(401, { message }, { "www-authenticate": "Bearer" });
  };
}

/** Wraps what answers, so that only requests that may be answered reach it. */
export function guardAnswers(
  answerer: Answerer,
  options: GuardOptions,
): Answerer {
  const refuse = gate(options);
  return async (request) => await refuse(request) ?? await answerer(request);
}

/**
 * Wraps a handler, so that only requests that may be answered reach it. The web
 * service does so; a server of your own needs it if it can be reached by clients
 * that may not read the stats.
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
 * @param handler The handler that answers.
 * @param options Which clients may read.
 * @returns The guarded handler.
 */
export function guard(handler: Handler, options: GuardOptions): Handler {
  const refuse = gate(options);
  return async (request) => {
    const refusal = await refuse(request);
    return refusal === undefined ? await handler(request) : toResponse(refusal);
  };
}
