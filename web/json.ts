/**
 * Writes the stats of a host as JSON.
 *
 * Keeps its buffer and the quoted names from one answer to the next.
 *
 * Pure: no clock, no I/O.
 *
 * @module
 */

import {
  countStates,
  type HostStats,
  type ProcessStatus,
} from "../collect/host_stats.ts";
import { COMMA, SPACE } from "../format/ascii.ts";
import { ByteBuffer } from "../format/byte_buffer.ts";
import type { NameTable } from "../format/snapshot.ts";
import { printable } from "../model/printable.ts";

const encoder = new TextEncoder();

/** Writes answers, one after the other. */
export class StatsJson {
  readonly #out = new ByteBuffer();
  // Quoted names by id, each followed by ": ". They hold for one table.
  #table: NameTable | undefined;
  #quoted: Uint8Array[] = [];

  /**
   * Writes an object with the stats and the states of the processes, but not
   * its end, so that more can follow.
   *
   * @param host The stats, or those of each process by the name of its pipe without `.stats`.
   * @param pretty Whether every stat has a line of its own.
   * @returns The bytes, in a buffer that the next call reuses.
   */
  write(
    host: HostStats | ReadonlyMap<string, HostStats>,
    processes: readonly ProcessStatus[],
    pretty: boolean,
  ): Uint8Array<ArrayBuffer> {
    const out = this.#out;
    out.length = 0;
    this.#text(pretty ? `{\n  "stats": ` : `{"stats": `);
    if ("ids" in host) this.#object(host, pretty ? "  " : undefined);
    else this.#processes(host, pretty);
    this.#text(pretty ? `,\n  "processes": {` : `, "processes": {`);
    this.#text(
      Object.entries(countStates(processes))
        .map(([state, n]) => `"${state}": ${n}`).join(", "),
    );
    this.#text("}");
    return out.bytes.subarray(0, out.length);
  }

  #processes(hosts: ReadonlyMap<string, HostStats>, pretty: boolean): void {
    let isFirst = true;
    this.#text("{");
    for (const [base, host] of hosts) {
      if (!isFirst) this.#text(pretty ? "," : ", ");
      const quoted = printable(JSON.stringify(base));
      this.#text(pretty ? `\n    ${quoted}: ` : `${quoted}: `);
      this.#object(host, pretty ? "    " : undefined);
      isFirst = false;
    }
    this.#text(pretty && !isFirst ? "\n  }" : "}");
  }

  #object(host: HostStats, indent: string | undefined): void {
    const { ids, values, fractional } = host;
    const out = this.#out;
    const quoted = this.#quote(host);
    const start = encoder.encode(
      indent === undefined || ids.length === 0 ? "" : `\n${indent}  `,
    );
    this.#text("{");
    for (let i = 0; i < ids.length; i++) {
      if (i > 0) {
        out.char(COMMA);
        if (indent === undefined) out.char(SPACE);
      }
      out.text(start);
      out.text(quoted[ids[i]]);
      out.number(values[i], fractional[i] === 1);
    }
    this.#text(start.length > 0 ? `\n${indent}}` : "}");
  }

  /** The quoted names of a host's stats, by their ids. */
  #quote({ table, ids }: HostStats): readonly Uint8Array[] {
    if (table !== this.#table) {
      this.#table = table;
      this.#quoted = [];
    }
    const quoted = this.#quoted;
    for (const id of ids) {
      quoted[id] ??= encoder.encode(
        `${printable(JSON.stringify(table.names[id]))}: `,
      );
    }
    return quoted;
  }

  #text(text: string): void {
    this.#out.string(text);
  }
}

/** The end of the object, including a line break. */
export function endOfJson(timestamp: number, pretty: boolean): Uint8Array {
  return encoder.encode(
    pretty
      ? `,\n  "timestamp": ${timestamp}\n}\n`
      : `, "timestamp": ${timestamp}}\n`,
  );
}
