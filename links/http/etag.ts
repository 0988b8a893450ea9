/** What is used of `@std/http/etag`, from npm. See CONTRIBUTING.md. */
import * as std from "deno-std/http/etag.js";

/** Computes an entity tag. */
export const eTag: (
  entity: string | Uint8Array,
  options?: { weak?: boolean },
) => Promise<string | undefined> = std.eTag;

/** Whether a client's `If-None-Match` asks for an answer. */
export const ifNoneMatch: (
  value: string | null,
  etag: string | undefined,
) => boolean = std.ifNoneMatch;
