/**
 * Takes names out of the totals of ended processes, for the person who asks for
 * it.
 *
 * Running processes keep what they count, and add it when they end.
 *
 * Touches the pipe directory. As every reader does, it books killed processes
 * and takes in those that have ended, also if it is only asked what is there.
 *
 * @module
 */

import { bookDead } from "./booking.ts";
import { EndedReader } from "./ended_reader.ts";
import { endedFiles } from "./last_values.ts";
import { forgetIn, lives, takeIn } from "./ledger_writer.ts";
import { type Forgotten, type Matches, Totals } from "./totals.ts";
import {
  parseGenerationName,
  parseOwnName,
  shortLivedPath,
} from "../directory/file_names.ts";
import { userOf } from "../directory/trust.ts";
import { NameTable, type Snapshot } from "../format/snapshot.ts";
import { attempt } from "../runtime/attempt.ts";
import { runtime } from "../runtime/runtime.ts";

/** A stat in the totals of a user. */
export interface UserTotal extends Forgotten {
  /** The id of the user. */
  readonly user: number;
}

/**
 * The users whose totals this process may change: its own, or all that have
 * anything in the directory if it is root.
 *
 * @throws If there is no permission to write to the directory.
 */
function usersIn(dir: string): number[] {
  const self = userOf(shortLivedPath(dir, runtime.pid));
  if (self === undefined) return [];
  if (self !== 0) return [self];
  const names = runtime.list(dir);
  const users = new Set(
    [...endedFiles(dir, names)].map(({ owner }) => owner),
  );
  for (const name of names) {
    const user = parseGenerationName(name)?.user;
    const isSign = parseOwnName(name)?.rest === "alive";
    if (user === undefined && !isSign) continue;
    const owner = attempt(() => runtime.identify(`${dir}/${name}`)?.owner);
    // A ledger of another user under this name is planted.
    if (owner !== undefined && (isSign || owner === user)) users.add(owner);
  }
  return [...users];
}

/**
 * Finds stats in the totals that this process may change, in the order of their
 * names.
 *
 * @throws If there is no permission to write to the directory.
 */
export function findTotals(dir: string, matches: Matches): UserTotal[] {
  const users = usersIn(dir);
  for (const user of users) bookDead(dir, runtime.list(dir), user);
  const names = runtime.list(dir);
  const { ledgers, ended } = new EndedReader()
    .read(dir, names, new NameTable());
  const over = ended.filter(({ id, final }) => final || !lives(dir, id, names));
  const found = users.flatMap((user) => {
    const totals = new Totals();
    for (const { owner, snapshot } of [...ledgers, ...over]) {
      if (owner === user) totals.add(snapshot);
    }
    return totals.forget(matches).map((stat) => ({ ...stat, user }));
  });
  return found.sort((a, b) =>
    a.name < b.name ? -1 : a.name > b.name ? 1 : a.user - b.user
  );
}

/**
 * Takes stats out of the totals of a user. Killed processes that have them
 * become a part of the ledger first, or whoever knows more of one of them would
 * bring its stats back.
 *
 * @throws If there is no space, or no permission.
 */
export function forgetTotals(
  dir: string,
  user: number,
  matches: Matches,
): void {
  const isWanted = (snapshot: Snapshot) => {
    const totals = new Totals();
    totals.add(snapshot);
    return totals.forget(matches).length > 0;
  };
  bookDead(dir, runtime.list(dir), user);
  takeIn(dir, user, Infinity, { isWanted });
  forgetIn(dir, user, matches);
}
