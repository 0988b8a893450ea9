/**
 * Says on the standard error output what a person should know of a recorder
 * that works less well than it should.
 *
 * Writes to the console. Imports nothing.
 *
 * @module
 */

const said = new Set<string>();

/** Says one sentence, unless this thread has said it before. */
export function warnOnce(sentence: string): void {
  if (said.has(sentence)) return;
  said.add(sentence);
  console.error(`statvent: ${sentence}`);
}
