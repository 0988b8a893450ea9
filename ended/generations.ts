/**
 * The generations of a user's ledger, each a file that never changes.
 *
 * Touches the pipe directory.
 *
 * @module
 */

import { GoneError } from "./last_values.ts";
import { isSealed } from "./seal.ts";
import {
  generationPath,
  parseGenerationName,
} from "../directory/file_names.ts";
import { LEDGER } from "../format/annotation_words.ts";
import { parseSnapshot } from "../format/snapshot_parser.ts";
import type { LedgerInfo } from "../model/identity.ts";
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

const latin1 = new TextDecoder("latin1");

/** What a ledger says of itself, without reading the rest of it. */
function infoIn(bytes: Uint8Array): LedgerInfo | undefined {
  const text = `\n${latin1.decode(bytes)}`;
  const start = text.indexOf(`\n${LEDGER}`);
  if (start === -1) return undefined;
  const end = text.indexOf("\n", start + 1);
  const line = text.slice(start + 1, end + 1);
  const alone = `${line}# EOF: ${line.length}\n`;
  try {
    return parseSnapshot(Uint8Array.from(alone, (c) => c.charCodeAt(0))).ledger;
  } catch {
    return undefined;
  }
}

/** What is wrong with a generation that is damaged, for a person. */
export function problemOfDamaged(path: string, hasEarlier: boolean): string {
  return hasEarlier
    ? `${path}: It is damaged, so an earlier generation stands in for it`
    : `${path}: It is damaged, and no earlier generation is whole`;
}
