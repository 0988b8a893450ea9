/**
 * The generations of a user's ledger, each a file that never changes.
 *
 * Touches the pipe directory.
 *
 * @module
 */

import { GoneError } from "./last_values.ts";
import { isSealed, sealContent } from "./seal.ts";
import {
  generationPath,
  parseGenerationName,
} from "../directory/file_names.ts";
import { LEDGER } from "../format/annotation_words.ts";
import { checksumOf } from "../format/checksum.ts";
import { parseSnapshot } from "../format/snapshot_parser.ts";
import type { LedgerInfo } from "../model/identity.ts";
import { jsonLine } from "../model/names.ts";
import type { FileId } from "../runtime/system.ts";
import { runtime } from "../runtime/runtime.ts";

/** A file that is named like a generation of a ledger. */
export interface GenerationFile {
  readonly path: string;
  readonly generation: number;
  readonly file: FileId;
}

/** A generation that is whole. */
export interface Generation extends GenerationFile {
  readonly info: LedgerInfo;
  readonly bytes: Uint8Array;
}

/** The numbers of the generations of each user's ledger that have a file, the highest one first. */
export function generationsByUser(
  names: readonly string[],
): Map<number, number[]> {
  const byUser = new Map<number, number[]>();
  for (const name of names) {
    const said = parseGenerationName(name);
    if (said === undefined) continue;
    const { user, generation } = said;
    const others = byUser.get(user);
    if (others === undefined) byUser.set(user, [generation]);
    else others.push(generation);
  }
  for (const generations of byUser.values()) generations.sort((a, b) => b - a);
  return byUser;
}

/** The numbers of the generations of a user's ledger that have a file, the highest one first. */
export function generationsOf(
  names: readonly string[],
  user: number,
): number[] {
  return generationsByUser(names).get(user) ?? [];
}

/**
 * Looks at the file of a generation.
 *
 * @returns `undefined` if it belongs to another user, who has planted it.
 * @throws {GoneError} If it has gone since the directory was listed, because
 * there are newer ones.
 */
export function identifyGeneration(
  dir: string,
  user: number,
  generation: number,
): GenerationFile | undefined {
  const path = generationPath(dir, { user, generation });
  const file = runtime.identify(path);
  if (file === undefined) throw new GoneError(`${path} has gone`);
  return file.owner === user ? { path, generation, file } : undefined;
}

/**
 * Reads a generation.
 *
 * @returns `undefined` if it is damaged, or not what its name says.
 * @throws {GoneError} If it has gone since the directory was listed.
 * @throws If it cannot be read now.
 */
export function readGeneration(
  { path, generation, file }: GenerationFile,
): Generation | undefined {
  const bytes = runtime.readFile(path);
  if (bytes === undefined) {
    if (runtime.identify(path) !== undefined) return undefined;
    throw new GoneError(`${path} has gone`);
  }
  const info = isSealed(bytes) ? infoIn(bytes) : undefined;
  return info?.generation === generation
    ? { path, generation, file, info, bytes }
    : undefined;
}

const HASH = 35;
const NEWLINE = 10;

const encoder = new TextEncoder();
const mark = encoder.encode(LEDGER);

/** A part of a file, in bytes. */
interface Part {
  readonly start: number;
  readonly end: number;
}

/** The line in which a ledger says what it is. The file may be long, so it is not decoded. */
function findInfo(bytes: Uint8Array): Part | undefined {
  for (
    let start = bytes.indexOf(HASH);
    start !== -1;
    start = bytes.indexOf(HASH, start + 1)
  ) {
    const begins = (start === 0 || bytes[start - 1] === NEWLINE) &&
      mark.every((byte, i) => bytes[start + i] === byte);
    if (begins) return { start, end: bytes.indexOf(NEWLINE, start) + 1 };
  }
  return undefined;
}

/** What a ledger says of itself, without reading the rest of it. */
function infoIn(bytes: Uint8Array): LedgerInfo | undefined {
  const part = findInfo(bytes);
  if (part === undefined) return undefined;
  const line = bytes.subarray(part.start, part.end);
  try {
    return parseSnapshot(sealContent(line)).ledger;
  } catch {
    return undefined;
  }
}

/**
 * The file of a ledger that says something else of itself, and has the same
 * totals.
 */
export function withInfo(
  { bytes }: Generation,
  info: LedgerInfo,
): Uint8Array {
  const { start, end } = findInfo(bytes)!;
  const line = encoder.encode(
    `${LEDGER}${jsonLine(info)}: ${info.ended.length}\n`,
  );
  const rest = bytes.subarray(end, checksumOf(bytes)!.length);
  const content = new Uint8Array(start + line.length + rest.length);
  content.set(bytes.subarray(0, start));
  content.set(line, start);
  content.set(rest, start + line.length);
  return sealContent(content);
}

/** What is wrong with a generation that is damaged, for a person. */
export function problemOfDamaged(path: string, hasEarlier: boolean): string {
  return hasEarlier
    ? `${path}: It is damaged, so an earlier generation stands in for it`
    : `${path}: It is damaged, and no earlier generation is whole`;
}
