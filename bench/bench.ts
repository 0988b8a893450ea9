/**
 * Compares statvent with the bare operations and with its peers.
 *
 * `deno task bench --help` says how. A target that is missed is marked, and
 * nothing more: machines differ.
 *
 * @module
 */

import { type Answer, answer } from "./answer.ts";
import { head, type Report, withReport } from "./document.ts";
import { FlagError, type Flags, HELP, parseFlags } from "./flags.ts";
import { guard } from "./guard.ts";
import { QUESTIONS } from "./questions.ts";
import { peerVersions, Runtime } from "./runtimes.ts";
import { tableOf } from "./table.ts";
import { VERSION } from "../model/version.ts";

const DOCUMENT = new URL("../BENCHMARKS.md", import.meta.url);

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
  const before = await Deno.readTextFile(DOCUMENT).catch(() => "");
  await Deno.writeTextFile(DOCUMENT, withReport(before, report));
}

async function main(): Promise<void> {
  const flags = parseFlags(Deno.args, QUESTIONS.length);
  if (flags.help) return console.log(HELP.trimEnd());
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
