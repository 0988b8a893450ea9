/** The parts of `@std/http/etag` that are used here, from npm. See CONTRIBUTING.md. */
import * as std from "deno-std/http/etag.js";

/** Whether a client's `If-None-Match` asks for an answer. */
export const ifNoneMatch: (
  value: string | null,
  etag: string | undefined,
) => boolean = std.ifNoneMatch;
