/**
 * Which sender speaks which protocol.
 *
 * Opens no connection before there is something to send.
 *
 * @module
 */

import type { Clock } from "./clock.ts";
import {
  encodeLines,
  encodePickle,
  graphitePath,
  GraphiteSender,
  graphiteSeries,
} from "./graphite.ts";
import { NameCache } from "./name_cache.ts";
import { OtlpEncoder, OtlpSender } from "./otlp.ts";
import type { Sender } from "./sender.ts";
import { StatsdSender, statsdSeries } from "./statsd.ts";
import type { PushTarget } from "./target.ts";
import { hostname } from "../runtime/sockets.ts";

/** What senders need of the options of a push. */
interface SenderOptions {
  readonly prefix?: string;
  readonly host?: string;
  readonly maxWaiting?: number;
}

/** Makes what sends to a target by its protocol. */
export function senderMaker(
  options: SenderOptions,
  clock: Clock,
): (target: PushTarget) => Sender {
  const { host: hostName = hostname(), maxWaiting } = options;
  const prefix = options.prefix
    ?.replaceAll("{host}", () => hostName.toLowerCase());
  const pathPrefix = withDot(graphitePrefix(prefix ?? hostName.toLowerCase()));
  // Shared, since two targets of one protocol get the same names.
  const paths = new NameCache((_, name) => graphiteSeries(pathPrefix, name));
  const series = new NameCache((_, name) => statsdSeries(pathPrefix, name));
  return (target) => {
    switch (target.protocol) {
      case "otlp": {
        const encoder = new OtlpEncoder(withDot(prefix ?? ""), hostName);
        return new OtlpSender(target.url, encoder, clock.now);
      }
      case "statsd": {
        const { host, port } = target;
        return new StatsdSender(host, port, series, clock.sleep);
      }
      case "graphite":
      case "graphite-pickle": {
        const { protocol, host, port } = target;
        const encode = protocol === "graphite" ? encodeLines : encodePickle;
        const { patience } = clock;
        return new GraphiteSender(
          ...[host, port, encode, paths, patience, maxWaiting] as const,
        );
      }
      default:
        // A protocol without a sender does not compile.
        return target satisfies never;
    }
  };
}

/** A prefix with its dot; an empty one stays empty. */
function withDot(prefix: string): string {
  return prefix === "" || prefix.endsWith(".") ? prefix : `${prefix}.`;
}

/** Makes a prefix fit for Graphite, and leaves its dots as they are. */
function graphitePrefix(prefix: string): string {
  return prefix.split(".").filter((level) => level.trim() !== "")
    .map(graphitePath).join(".");
}
