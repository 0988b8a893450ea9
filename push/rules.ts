/**
 * Which stats are pushed: the rules of scales, a Python library.
 *
 * Pure: no clock, no I/O.
 *
 * @module
 */

import { compileGlob } from "../model/glob.ts";
import type { LabelledName } from "../model/labels.ts";

/** One rule. The last rule that matches a stat decides. */
export interface Rule {
  /**
   * `allow` pushes the stats that the glob matches, `forbid` does not. `prune`
   * removes what the glob matches and everything below it, whatever is allowed.
   */
  readonly action: "allow" | "forbid" | "prune";
  /**
   * A pattern for the whole name, with or without its labels: `*` matches any
   * text, dots included, `?` any character, `[a-z]` a character in the range, and
   * `[!a-z]` a character outside of it.
   */
  readonly glob: string;
}

/**
 * Compiles rules into one test. A stat that no rule matches is pushed unless a
 * rule allows something. In scales such a stat is never pushed, so that rules
 * that only forbid would push nothing.
 */
export function compileRules(
  rules: readonly Rule[],
): (name: string, labelled: LabelledName) => boolean {
  const compiled = rules.map(({ action, glob }) => ({
    action,
    matches: compileGlob(glob),
  }));
  const prunes = compiled.filter(({ action }) => action === "prune");
  const others = compiled.filter(({ action }) => action !== "prune").reverse();
  const otherwise = !others.some(({ action }) => action === "allow");
  return (name, { family }) => {
    if (prunes.length > 0) {
      const nodes = [name, family];
      for (
        let dot = family.indexOf(".");
        dot !== -1;
        dot = family.indexOf(".", dot + 1)
      ) nodes.push(family.slice(0, dot));
      if (prunes.some(({ matches }) => nodes.some(matches))) return false;
    }
    const rule = others.find(({ matches }) => matches(family) || matches(name));
    return rule === undefined ? otherwise : rule.action === "allow";
  };
}
