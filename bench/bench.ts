/**
 * Compares statvent with the bare operations and with its peers.
 *
 * `deno task bench --help` lists the flags. A missed target is only marked,
 * since machines differ.
 *
 * @module
 */

import { type Answer, answer } from "./answer.ts";
import { FlagError, type Flags, HELP, parseFlags } from "./flags.ts";
import { guard } from "./guard.ts";
import { QUESTIONS } from "./questions.ts";
import { head, pageName, pageOf, parsePage, type Report } from "./results.ts";
import { peerVersions, Runtime } from "./runtimes.ts";
import { summaryOf } from "./summary.ts";
import { tableOf } from "./table.ts";
import { VERSION } from "../model/version.ts";

const SUMMARY = new URL("../docs/benchmarks.md", import.meta.url);
const RESULTS = new URL("./results/", import.meta.url);

/** The pages in the order of the summary's columns. */
const PAGES = ["deno.md", "node.md", "bun.md"];

async function writeSummary(): Promise<void> {
  const pages = await Promise.all(
    PAGES.map((name) => Deno.readTextFile(new URL(name, RESULTS))),
  );
  await Deno.writeTextFile(SUMMARY, summaryOf(pages.map(parsePage)));
}

async function ask({ runtime: name, only, quick, json, write }: Flags) {
  await using runtime = await Runtime.prepare(name);
  const questions: Answer[] = [];
  const report: Report = {
    ...await runtime.about(),
    date: new Date().toISOString(),
    statvent: VERSION,
    peers: await peerVersions(),
    questions,
  };
  if (!json) console.log(head(report));
  for (const number of only) {
    questions.push(await answer(number, runtime, quick));
    if (!json) console.log(tableOf(questions.at(-1)!));
  }
  if (json) console.log(JSON.stringify(report, null, 2));
  if (!write) return;
  const page = new URL(pageName(report), RESULTS);
  await Deno.writeTextFile(page, pageOf(report));
  await writeSummary();
}

async function main(): Promise<void> {
  const flags = parseFlags(Deno.args, QUESTIONS.length);
  if (flags.help) return console.log(HELP.trimEnd());
  if (flags.summary) return await writeSummary();
  if (!flags.guard) return await ask(flags);
  await using runtime = await Runtime.prepare(flags.runtime);
  if (!await guard(runtime)) Deno.exitCode = 1;
}

try {
  await main();
} catch (error) {
  if (!(error instanceof FlagError)) throw error;
  console.error(error.message);
  Deno.exitCode = 2;
}
