/**
 * Snapshots as text and as bytes.
 *
 * Pure: no clock, no I/O.
 *
 * @module
 */

import type { Snapshot } from "../../format/snapshot.ts";
import { parseSnapshot } from "../../format/snapshot_parser.ts";

/** The bytes of a text. */
export function encode(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(text);
}

/** The snapshot of a text. */
export function parse(text: string): Snapshot {
  return parseSnapshot(encode(text));
}

/** A text with the `# EOF` that belongs to it. */
export function withEnd(text: string): string {
  return `${text}# EOF: ${encode(text).length}\n`;
}

/** The bytes of a text with the `# EOF` that belongs to it. */
export function whole(text: string): Uint8Array<ArrayBuffer> {
  return encode(withEnd(text));
}

/** The line on which a process identifies itself. */
const PROCESS =
  /^# process \{"start":\d+(\.\d+)?,"name":"[^"\n]*","runtime":"\w+ [\d.]+"\}: \d+\.\d+\n/m;

/** A snapshot without its `# process` and its `# EOF`, both of which must be right. */
export function body(snapshot: string): string {
  const start = snapshot.lastIndexOf("# EOF: ");
  const bytes = encode(snapshot.slice(0, start)).length;
  if (
    snapshot.slice(start) !== `# EOF: ${bytes}\n` || !PROCESS.test(snapshot)
  ) {
    throw new Error(`not a whole snapshot: ${JSON.stringify(snapshot)}`);
  }
  return snapshot.slice(0, start).replace(PROCESS, "");
}
