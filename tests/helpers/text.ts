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
  /^# process \{"id":"[0-9a-f]{32}","start":\d+(\.\d+)?,"name":"[^"\n]*","runtime":"\w+ [\d.]+"\}: \d+\.\d+\n/m;

/** The line that numbers a snapshot, and the last one. */
const END = /# seq: [1-9]\d*\n# EOF: (\d+)\n$/;

/** A snapshot without its `# process`, `# seq` and `# EOF`, all of which must be right. */
export function body(snapshot: string): string {
  const bytes = encode(snapshot.slice(0, snapshot.lastIndexOf("# EOF: ")));
  const end = END.exec(snapshot);
  if (Number(end?.[1]) !== bytes.length || !PROCESS.test(snapshot)) {
    throw new Error(`not a whole snapshot: ${JSON.stringify(snapshot)}`);
  }
  return snapshot.slice(0, end!.index).replace(PROCESS, "");
}
