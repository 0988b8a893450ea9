/**
 * Measures the resident memory of stats and their recorder, beyond that of an
 * empty program.
 *
 * @module
 */

import { readFileSync } from "node:fs";
import { Child } from "./child.ts";
import { rounds } from "./effort.ts";
import { type Measured, say } from "./measured.ts";
import { withPipeDir } from "./pipe_dir.ts";
import { inTurn, Result } from "./race.ts";
import { residentMemory } from "./usage.ts";
import { summary } from "./versus.ts";

const ROUNDS = 3;
const PEERS = ["prom-client", "@prometheus-io/client", "OpenTelemetry"];

function measure(stats: number): Promise<Measured> {
  return withPipeDir(async (pipeDir) => {
    /** The memory of a program after one read. */
    const resident = (kind: string) => async () => {
      const child = new Child("subject.ts", [kind, pipeDir, `${stats}`]);
      const path = await child.receive();
      if (kind === "recording") readFileSync(path);
      else if (PEERS.includes(kind)) await child.ask("read 1");
      const megabytes = residentMemory(child.pid);
      await child.end();
      return megabytes;
    };
    const all = await inTurn({
      statvent: resident("recording"),
      empty: resident("empty"),
      floor: resident("threaded"),
      ...Object.fromEntries(PEERS.map((peer) => [peer, resident(peer)])),
    }, rounds(ROUNDS));
    const { empty, ...others } = all;
    const more = new Result<string>(others)
      .map((megabytes, _, round) => megabytes - empty[round]);
    return summary(`${stats} stats`, "MB", more, {});
  });
}

say([await measure(1), await measure(1_000), await measure(100_000)]);
