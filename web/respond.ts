/**
 * Answers, with the headers that all of them have.
 *
 * Pure: no clock, no I/O.
 *
 * @module
 */

import { ifNoneMatch } from "@std/http/etag";
import { printable } from "../model/printable.ts";
import type { Answer, Asked } from "../runtime/command_line.ts";

const encoder = new TextEncoder();

/** The headers of all answers. A stat may have any name, so no answer may be run as a page. */
export const ALWAYS = {
  "cache-control": "no-cache",
  "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
  "cross-origin-resource-policy": "same-origin",
  "x-content-type-options": "nosniff",
};

/** An answer with a value as JSON. */
export function jsonAnswer(
  status: number,
  value: unknown,
  headers?: Record<string, string>,
): Answer {
  const bytes = encoder.encode(`${printable(JSON.stringify(value))}\n`);
  return bytesAnswer(status, bytes, headers);
}

/** An answer with bytes, which are JSON unless the headers say otherwise. */
export function bytesAnswer(
  status: number,
  body: Uint8Array<ArrayBuffer>,
  headers?: Record<string, string>,
): Answer {
  return {
    status,
    headers: {
      "content-type": "application/json",
      "content-length": `${body.length}`,
      ...ALWAYS,
      ...headers,
    },
    body,
  };
}

/**
 * An answer with `bytes` and `after`, whose entity tag covers `bytes`.
 *
 * @param after What does not count as a change, such as the time.
 */
export async function taggedAnswer(
  bytes: Uint8Array<ArrayBuffer>,
  headers: Record<string, string>,
  after: Uint8Array = new Uint8Array(0),
): Promise<Answer> {
  const etag = await weakTag(bytes);
  const all = new Uint8Array(bytes.length + after.length);
  all.set(bytes);
  all.set(after, bytes.length);
  return bytesAnswer(200, all, { etag, ...headers });
}

/** The answer for a client that may have it already, or wants only its head. */
export function fit(
  answer: Answer,
  { method, headers }: Asked,
): Answer {
  const { status, headers: { etag } } = answer;
  const given = etag === undefined ? null : headers.get("if-none-match");
  if (given !== null && status === 200 && !ifNoneMatch(given, etag)) {
    return { status: 304, headers: { ...ALWAYS, etag }, body: null };
  }
  return method === "HEAD" ? { ...answer, body: null } : answer;
}

/** An answer in web standards. */
export function toResponse({ body, ...init }: Answer): Response {
  return new Response(body, init);
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
