/**
 * Which stats are pushed: the rules of scales, a Python library.
 *
 * Pure: no clock, no I/O.
 *
 * @module
 */

import { compileGlob } from "../model/glob.ts";
import type { LabelledName } from "../model/labels.ts";

/** One rule. Of those that apply to a stat the last one decides. */
export interface Rule {
  /**
   * `allow` sends the stats that the glob matches, `forbid` does not. `prune`
   * cuts off what the glob matches and all that is below it, whatever is
   * allowed.
   */
  readonly action: "allow" | "forbid" | "prune";
  /**
   * A pattern for the whole name, with or without its labels: `*` is any text,
   * dots included, `?` any character, `[a-z]` one of these, `[!a-z]` one of the
   * others.
   */
  readonly glob: string;
}

/**
 * Makes one test of all rules. A stat that no rule applies to is pushed unless
 * something is allowed: scales never pushes it, which makes sense of nothing but
 * rules that allow.
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
