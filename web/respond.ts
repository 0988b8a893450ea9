/**
 * Responses, with the headers that all of them have.
 *
 * Pure: no clock, no I/O.
 *
 * @module
 */

import { ifNoneMatch } from "@std/http/etag";

const encoder = new TextEncoder();

export function answer(
  status: number,
  body: unknown,
  head: boolean,
  headers?: Record<string, string>,
): Response {
  const bytes = encoder.encode(`${JSON.stringify(body)}\n`);
  return respond(status, bytes, head, headers);
}

export function respond(
  status: number,
  bytes: Uint8Array<ArrayBuffer>,
  head: boolean,
  headers?: Record<string, string>,
): Response {
  return new Response(head ? null : bytes, {
    status,
    headers: {
      "content-type": "application/json",
      "content-length": `${bytes.length}`,
      ...ALWAYS,
      ...headers,
    },
  });
}

/** Answers with `bytes` and `after`, or with 304 if the client has `bytes` already. */
export async function conditional(
  request: Request,
  bytes: Uint8Array<ArrayBuffer>,
  headers: Record<string, string>,
  after: Uint8Array = new Uint8Array(0),
): Promise<Response> {
  const etag = await weakTag(bytes);
  if (!ifNoneMatch(request.headers.get("if-none-match"), etag)) {
    return new Response(null, {
      status: 304,
      headers: { ...ALWAYS, etag },
    });
  }
  const all = new Uint8Array(bytes.length + after.length);
  all.set(bytes);
  all.set(after, bytes.length);
  return respond(200, all, request.method === "HEAD", { etag, ...headers });
}

/**
 * The entity tag of an answer. It is weak, since it does not cover the timestamp,
 * so that it changes only when the stats do. The one in `@std/http` does not run
 * on Node 20.
 */
async function weakTag(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  const hex = (byte: number) => byte.toString(16).padStart(2, "0");
  return `W/"${Array.from(digest.subarray(0, 16), hex).join("")}"`;
}

/** The headers of all answers. A stat may have any name, so no answer may be run as a page. */
export const ALWAYS = {
  "cache-control": "no-cache",
  "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
  "cross-origin-resource-policy": "same-origin",
  "x-content-type-options": "nosniff",
};
