/**
 * The web service: all stats of a host, merged, as JSON.
 *
 * `deno run -A jsr:@statvent/statvent/web` serves it on port 7828; see `--help`.
 * `deno serve -A jsr:@statvent/statvent/web` works too.
 *
 * @module
 */

import { ifNoneMatch } from "@std/http/etag";
import { Collector, type CollectorOptions, type HostStats } from "./collect.ts";
import { formatNumber, show } from "./lines.ts";
import { normalizePath, serve } from "./serve.ts";
import { startAsProgram } from "./serve_deno.ts";

export type { CollectorOptions };

/** What to serve, and where. */
export interface HandlerOptions extends CollectorOptions {
  /** The path of the stats, `/stats` by default. */
  path?: string;
}

/** Answers a request. */
export type Handler = (request: Request) => Promise<Response>;

const FORMATS = ["json", "prettyjson"];

/**
 * Makes a request handler that serves the stats of this host. It needs nothing
 * but web standards, so it mounts in any server.
 *
 * `GET` and `HEAD` of the path answer with
 * `{"stats": {…}, "processes": {"ok": …, "dead": …, "timeout": …, "invalid": …},
 * "timestamp": <seconds>}`, `?format=prettyjson` with the same in lines.
 * Requests that come while the pipes are being read share what is read.
 *
 * @example Beside other routes
 * ```ts
 * import { createHandler } from "@statvent/statvent/web";
 * import { assertEquals } from "@std/assert";
 *
 * const pipeDir = await Deno.makeTempDir();
 * const handler = createHandler({ pipeDir });
 * const response = await handler(new Request("http://localhost/stats"));
 * assertEquals((await response.json()).stats, {});
 * await Deno.remove(pipeDir);
 * ```
 *
 * @param options What to serve.
 * @returns The handler. It answers errors too, and never throws.
 * @throws {TypeError} If the path does not begin with a slash, or has a query.
 * @throws {RangeError} If the deadline is not a positive number.
 */
export function createHandler(options: HandlerOptions = {}): Handler {
  const path = normalizePath(options.path ?? "/stats");
  if (path === undefined) {
    throw new TypeError(
      `Cannot serve: the path must begin with "/" and have no query, got ${
        show(options.path)
      }`,
    );
  }
  const collector = new Collector(options);
  let reading: Promise<HostStats> | undefined;
  const collect = () =>
    reading ??= collector.collect().finally(() => reading = undefined);

  return async (request) => {
    const head = request.method === "HEAD";
    if (!URL.canParse(request.url)) {
      const message = "Cannot read the request: its host must be one";
      return answer(400, { message }, head);
    }
    const url = new URL(request.url);
    if (url.pathname !== path) {
      const message = "The requested resource was not found";
      return answer(404, { message, path: url.pathname }, head);
    }
    if (request.method !== "GET" && !head) {
      const message = `Cannot ${request.method} the stats: use GET or HEAD`;
      return answer(405, { message }, head, { allow: "GET, HEAD" });
    }
    const format = url.searchParams.get("format") ?? "json";
    if (!FORMATS.includes(format)) {
      const message =
        `Cannot serve this format: it must be json or prettyjson, got ${
          show(format)
        }`;
      return answer(400, { message }, head);
    }
    try {
      return await answerStats(request, await collect(), format);
    } catch (error) {
      return answer(500, { message: (error as Error).message }, head);
    }
  };
}

function answer(
  status: number,
  body: unknown,
  head: boolean,
  headers?: Record<string, string>,
): Response {
  return respond(status, `${JSON.stringify(body)}\n`, head, headers);
}

function respond(
  status: number,
  text: string,
  head: boolean,
  headers?: Record<string, string>,
): Response {
  const bytes = new TextEncoder().encode(text);
  return new Response(head ? null : bytes, {
    status,
    headers: {
      "content-type": "application/json",
      "content-length": `${bytes.length}`,
      "cache-control": "no-cache",
      ...headers,
    },
  });
}

async function answerStats(
  request: Request,
  { stats, processes }: HostStats,
  format: string,
): Promise<Response> {
  const pretty = format === "prettyjson";
  const lines = [...stats].map(([name, { value, fractional }]) =>
    `${JSON.stringify(name)}: ${formatNumber(value, fractional)}`
  );
  const content = [
    `"stats": ${object(lines, pretty ? "  " : undefined)}`,
    `"processes": ${
      object(
        Object.entries(processes).map(([state, n]) => `"${state}": ${n}`),
      )
    }`,
  ];
  const etag = await weakTag(content.join());
  if (!ifNoneMatch(request.headers.get("if-none-match"), etag)) {
    return new Response(null, {
      status: 304,
      headers: { etag, "cache-control": "no-cache" },
    });
  }
  content.push(`"timestamp": ${Date.now() / 1000}`);
  const text = object(content, pretty ? "" : undefined);
  return respond(200, `${text}\n`, request.method === "HEAD", { etag });
}

/**
 * The tag of an answer. Weak, since its timestamp is left out: what counts is
 * whether the stats have changed. That of `@std/http` does not run on Node 20.
 */
async function weakTag(content: string): Promise<string> {
  const bytes = new TextEncoder().encode(content);
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  const hex = (byte: number) => byte.toString(16).padStart(2, "0");
  return `W/"${Array.from(digest.subarray(0, 16), hex).join("")}"`;
}

/** Writes a JSON object, on lines of its own if there is an indent. */
function object(members: readonly string[], indent?: string): string {
  if (indent === undefined || members.length === 0) {
    return `{${members.join(", ")}}`;
  }
  const start = `\n${indent}  `;
  return `{${start}${members.join(`,${start}`)}\n${indent}}`;
}

let handler: Handler | undefined;
const service = {
  /** Answers a request with the default options. */
  fetch: (request: Request): Promise<Response> =>
    (handler ??= createHandler())(request),
};

/** What `deno serve` looks for. */
const entry: { fetch: Handler } | undefined =
  import.meta.main && "Deno" in globalThis
    ? startAsProgram(service, (host) => serve(host, createHandler))
    : service;

export default entry;
