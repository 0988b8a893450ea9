/**
 * The request handler, with the routes of the web service.
 *
 * Reads the pipes through a collector.
 *
 * @module
 */

import {
  type Collected,
  Collector,
  type CollectorOptions,
} from "../collect/collector.ts";
import type { HostStats } from "../collect/host_stats.ts";
import { toText } from "../collect/host_text.ts";
import { figureMetrics, figuresOf } from "./figures.ts";
import { merge } from "../collect/merge.ts";
import { mergePart, partsOf } from "../collect/parts.ts";
import { show } from "../model/show.ts";
import type {
  OwnMetric,
  PrometheusExposition,
} from "../prometheus/exposition.ts";
import { negotiate, type Negotiated } from "../prometheus/negotiate.ts";
import { serviceMetrics } from "../prometheus/service_metrics.ts";
import type {
  Answer,
  Answerer,
  Asked,
  Handler,
} from "../runtime/command_line.ts";
import { runtime } from "../runtime/runtime.ts";
import { Expositions } from "./expositions.ts";
import { withCountsAndSums } from "./counts_and_sums.ts";
import { answerIndex } from "./index_page.ts";
import { endOfJson, StatsJson } from "./json.ts";
import {
  checkKeys,
  filter,
  type MetricsQuery,
  parseMetricsQuery,
  parseQuery,
  type Query,
  QueryError,
} from "./query.ts";
import {
  bytesAnswer,
  fit,
  jsonAnswer,
  taggedAnswer,
  toResponse,
} from "./respond.ts";
import { SharedAnswers } from "./shared_answers.ts";

/** What to serve, and where. */
export interface HandlerOptions extends CollectorOptions {
  /**
   * The path of the stats, `/stats` by default. `processes` and `metrics` are
   * beside it, at `/processes` and `/metrics` by default.
   */
  path?: string;
  /**
   * How many series an answer to `/metrics?by=…` has at most, 50,000 by default.
   * A distribution counts as 50.
   */
  maxSeries?: number;
}

/**
 * Makes a request handler that serves the stats of this host. It needs nothing
 * but web standards, so it mounts in any server.
 *
 * `GET` and `HEAD` of the path answer with
 * `{"stats": {…}, "processes": {"ok": …, "hung": …, "unknown": …, "timeout": …,
 * "invalid": …, "dead": …}, "timestamp": <seconds>}`. Parameters select stats
 * and their form:
 * `?format=json|prettyjson|text`, `?match=http.*`, `?query=requests > 100`,
 * `?aggr=sum|min|max|mean`, `?by=process`, `?pid=1234`. Beside the path,
 * `processes` lists the processes and `metrics` answers Prometheus, with
 * `?by=name`, `?by=process`, `?match=` and `?query=` too. Requests that
 * arrive while the pipes are being read share the result.
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
 * @throws {RangeError} If the deadline is not a positive number, or `maxSeries`
 * not a whole number from 1 on.
 * @throws {Error} If the state file cannot be used.
 */
export function createHandler(options: HandlerOptions = {}): Handler {
  const path = checkPath(options.path ?? "/stats");
  const { maxSeries } = options;
  checkMaxSeries(maxSeries);
  const answerer = answererOf(new Collector(options), { path, maxSeries });
  return async (request) => toResponse(await answerer(request));
}

/** Where an answerer answers, and which metrics it adds. */
export interface Routing {
  /** The path of the stats, as {@linkcode normalizePath} returns it. */
  readonly path: string;
  /** More metrics of the service itself. */
  readonly own?: () => readonly OwnMetric[];
  /** As in {@linkcode HandlerOptions}. */
  readonly maxSeries?: number;
}

/** Answers requests with what a collector reads. */
export function answererOf(
  collector: Collector,
  { path, own = () => [], maxSeries }: Routing,
): Answerer {
  const json = new StatsJson();
  const expositions = new Expositions();
  const shared = new SharedAnswers();
  const routes = new Map<string, Route>([
    [beside(path, "processes"), async (_, parameters) => {
      checkKeys(parameters, []);
      const read = await collector.read();
      return shared.of(read, "processes", () => answerProcesses(read));
    }],
    [beside(path, "metrics"), async ({ headers }, parameters) => {
      const query = parseMetricsQuery(parameters);
      const read = await collector.read();
      const negotiated = negotiate(headers.get("accept"));
      const question = `?${parameters}`;
      return shared.of(
        read,
        `${negotiated.contentType} ${question}`,
        () =>
          answerMetrics({
            exposition: expositions.of(question),
            negotiated,
            query,
            read,
            maxSeries,
            own: [
              ...serviceMetrics(runtime.self),
              ...figureMetrics(read),
              ...own(),
            ],
          }),
      );
    }],
    [path, async (_, parameters) => {
      const query = parseQuery(parameters);
      const read = await collector.read();
      const question = `?${parameters}`;
      return shared.of(read, question, () => answerStats(query, read, json));
    }],
    [beside(path, "healthz"), async (_, parameters) => {
      checkKeys(parameters, []);
      return await answerHealth(collector);
    }],
  ]);
  const paths = new Map([
    [
      path,
      "the stats of all programs: ?format= ?match= ?query= ?aggr= ?by= ?pid=",
    ],
    [beside(path, "processes"), "the programs, and how they are"],
    [beside(path, "metrics"), "for Prometheus: ?by= ?match= ?query="],
    [beside(path, "healthz"), "for probes"],
  ]);
  for (const index of ["/", beside(path, "")]) {
    if (routes.has(index)) continue;
    // deno-lint-ignore require-await -- a route promises its answer
    routes.set(index, async ({ headers }, parameters) => {
      checkKeys(parameters, []);
      return answerIndex(paths, headers.get("accept"));
    });
  }
  return async (request) => fit(await dispatch(routes, request), request);
}

/**
 * Asks for what clients ask for, so that none of them waits for the first read,
 * which runs code for the first time and takes five times as long as others.
 */
export async function warmUp(answerer: Answerer, path: string): Promise<void> {
  const headers = new Headers();
  await Promise.all(
    [path, beside(path, "metrics")].map((path) =>
      answerer({ method: "GET", url: `http://localhost${path}`, headers })
    ),
  );
}

/** Answers a request for one path. */
type Route = (request: Asked, parameters: URLSearchParams) => Promise<Answer>;

/** Answers a request by its route, and every error too. */
async function dispatch(
  routes: ReadonlyMap<string, Route>,
  request: Asked,
): Promise<Answer> {
  const { method, url } = request;
  if (!URL.canParse(url)) {
    const message = "Cannot read the request: its host must be one";
    return jsonAnswer(400, { message });
  }
  const { pathname, searchParams } = new URL(url);
  // Clients add these to every URL, so that nothing between answers from a cache.
  for (const key of ["_", "cb"]) searchParams.delete(key);
  const route = routes.get(pathname);
  if (route === undefined) {
    const [processes, metrics, stats] = routes.keys();
    const message = `Cannot find the path ${
      show(pathname)
    }: there are ${stats}, ${processes} and ${metrics}`;
    return jsonAnswer(404, { message });
  }
  if (method !== "GET" && method !== "HEAD") {
    const message = `Cannot ${method} the stats: use GET or HEAD`;
    return jsonAnswer(405, { message }, { allow: "GET, HEAD" });
  }
  try {
    return await route(request, searchParams);
  } catch (error) {
    const { message } = error as Error;
    return jsonAnswer(error instanceof QueryError ? 400 : 500, { message });
  }
}

/** The path of the stats as requests name it, if nothing else is there. */
function checkPath(given: string): string {
  const path = normalizePath(given);
  if (path === undefined) {
    throw new TypeError(
      `Cannot serve: the path must begin with "/" and have no query, got ${
        show(given)
      }`,
    );
  }
  for (const name of ["processes", "metrics", "healthz"]) {
    if (beside(path, name) !== path) continue;
    throw new TypeError(
      `Cannot serve: the path of the stats must not be that of the ${name}, got ${
        show(path)
      }`,
    );
  }
  return path;
}

function checkMaxSeries(maxSeries: number | undefined): void {
  if (maxSeries === undefined) return;
  if (Number.isSafeInteger(maxSeries) && maxSeries > 0) return;
  throw new RangeError(
    `Cannot serve: maxSeries must be a whole number from 1 on, got ${
      show(maxSeries)
    }`,
  );
}

/** The path of a sibling, such as `/a/metrics` beside `/a/stats`. */
function beside(path: string, name: string): string {
  return path.replace(/[^/]*$/, name);
}

/** How this service identifies itself to another one that reads its text. */
const RELAY = {
  start: Math.round(performance.timeOrigin) / 1000,
  name: "statvent",
  relay: true,
};

/** Whether the stats can be read. A directory that does not exist yet has none. */
// deno-lint-ignore require-await -- a route promises its answer
async function answerHealth(collector: Collector): Promise<Answer> {
  try {
    collector.checkDirectory();
  } catch (error) {
    return jsonAnswer(503, { message: (error as Error).message });
  }
  return jsonAnswer(200, { status: "ok" });
}

// deno-lint-ignore require-await -- errors are shared as answers are
async function answerProcesses(collected: Collected): Promise<Answer> {
  const { processes } = collected;
  const timestamp = Date.now() / 1000;
  return jsonAnswer(200, { processes, ...figuresOf(collected), timestamp });
}

/** A scrape, and what answers it. */
interface Scrape {
  readonly exposition: PrometheusExposition;
  readonly negotiated: Negotiated;
  readonly query: MetricsQuery;
  readonly read: Collected;
  readonly maxSeries: number | undefined;
  readonly own: readonly OwnMetric[];
}

// deno-lint-ignore require-await -- errors are shared as answers are
async function answerMetrics(
  { exposition, negotiated, query: { by, keep }, read, maxSeries, own }: Scrape,
): Promise<Answer> {
  const host = merge(read);
  const parts = by && partsOf(read, by).map((part) => ({
    labels: part.labels,
    host: mergePart(part),
  }));
  const body = exposition.write(
    keep === undefined ? host : filter(host, keep),
    negotiated,
    own,
    parts && { parts, maxSeries },
  );
  return bytesAnswer(200, body, {
    "content-type": negotiated.contentType,
    vary: "accept",
  });
}

async function answerStats(
  query: Query,
  collected: Collected,
  json: StatsJson,
): Promise<Answer> {
  const { aggregate, keep, pid } = query;
  const mergeAll = (input: Partial<Collected>): HostStats => {
    const { table, processes } = collected;
    const merged = merge({ table, processes, live: [], aggregate, ...input });
    // Another program that merges has them from the histograms. They are sums,
    // not the least, the greatest or the mean of all processes.
    const isShown = query.format !== "text" &&
      (aggregate === undefined || aggregate === "sum");
    const host = isShown ? withCountsAndSums(merged) : merged;
    return keep === undefined ? host : filter(host, keep);
  };
  const { byBase, processes } = collected;
  const snapshot = pid === undefined ? undefined : byBase.get(pid);
  if (pid !== undefined && snapshot === undefined) {
    const message =
      `Cannot find the process ${pid}: it must have a pipe, and have answered`;
    return jsonAnswer(404, { message });
  }
  const chosen = snapshot === undefined ? byBase : new Map([[pid!, snapshot]]);
  const host = query.byProcess
    ? new Map(
      [...chosen].map((
        [base, snapshot],
      ) => [base, mergeAll({ live: [snapshot] })]),
    )
    : mergeAll(snapshot === undefined ? collected : { live: [snapshot] });
  if (query.format === "text") {
    return await taggedAnswer(toText(host as HostStats, RELAY), {
      "content-type": "text/plain; charset=utf-8",
    });
  }
  const pretty = query.format === "prettyjson";
  const bytes = json.write(host, processes ?? [], pretty);
  return await taggedAnswer(
    bytes.slice(),
    {},
    endOfJson(Date.now() / 1000, pretty),
  );
}

/**
 * The path of a URL as requests name it: percent-encoded, without `.` and `..`.
 *
 * @returns `undefined` if the path does not begin with a slash, or has a query
 * or a fragment.
 */
export function normalizePath(path: string): string | undefined {
  return /^\/[^?#]*$/.test(path)
    ? new URL(`http://localhost${path}`).pathname
    : undefined;
}
