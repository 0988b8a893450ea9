import { assertEquals } from "@std/assert";
import { splitLabels } from "../../model/labels.ts";
import { compileRules, type Rule } from "../../push/rules.ts";

Deno.test("compileRules() lets the newest rule decide, as scales does", () => {
  const names = ["web.hits", "web.ms", "web.db.ms", 'jobs.done{kind="a.b"}'];
  for (
    const [text, expected] of [
      ["", names],
      ["allow web.*", ["web.hits", "web.ms", "web.db.ms"]],
      // What no rule applies to is only left out if something is allowed.
      ["forbid *.ms", ["web.hits", names[3]]],
      ["allow web.*,forbid *.ms", ["web.hits"]],
      ["forbid *.ms,allow web.*", ["web.hits", "web.ms", "web.db.ms"]],
      ["forbid *,allow *.db.*", ["web.db.ms"]],
      ["allow *,forbid web.*,allow web.hits", ["web.hits", names[3]]],
      ["allow *.ms,prune web.db", ["web.ms"]],
      ["prune web.db,allow *", ["web.hits", "web.ms", names[3]]],
      ["prune web", [names[3]]],
      ["prune web.*.ms,prune web.hits", ["web.ms", names[3]]],
      ["prune jobs", ["web.hits", "web.ms", "web.db.ms"]],
      ["allow jobs.done", [names[3]]],
      ['forbid *{*kind="a*', ["web.hits", "web.ms", "web.db.ms"]],
      // A dot in a label is no branch.
      ['prune jobs.done{kind="a', names],
    ] as const
  ) {
    const rules = text === "" ? [] : text.split(",").map((rule) => {
      const [action, glob] = rule.split(" ");
      return { action, glob } as Rule;
    });
    const isPushed = compileRules(rules);
    assertEquals(names.filter((name) => isPushed(name, splitLabels(name))), [
      ...expected,
    ], text);
  }
});
