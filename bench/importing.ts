/**
 * Measures the time until a program can be read, against the time that loading
 * the peers takes.
 *
 * @module
 */

import { Child } from "./child.ts";
import { rounds } from "./effort.ts";
import { say } from "./measured.ts";
import { withPipeDir } from "./pipe_dir.ts";
import { inTurn, Result } from "./race.ts";
import { summary } from "./versus.ts";

const ROUNDS = 9;
const PEERS = [
  "prom-client",
  "@prometheus-io/client",
  "OpenTelemetry",
  "hot-shots",
  "measured-core",
];

/** Runs a program that prints how many milliseconds it needed. */
const load = (what: string, pipeDir: string) => async () => {
  const child = new Child("load.ts", [what, pipeDir]);
  const ms = Number(await child.receive());
  await child.end();
  return ms;
};

say(
  await withPipeDir(async (pipeDir) => {
    const peers = Object.fromEntries(
      PEERS.map((peer) => [peer, load(peer, pipeDir)]),
    );
    const measure = async (what: string, statvent: string, floor: string) => {
      const measures = {
        statvent: load(statvent, pipeDir),
        floor: load(floor, pipeDir),
        ...peers,
      };
      // The first run fills the runtime's compile cache.
      await inTurn(measures, 1);
      const times = await inTurn(measures, rounds(ROUNDS));
      return summary(what, "ms", new Result<string>(times), {});
    };
    return [
      await measure("import and startRecorder()", "recorder", "thread"),
      await measure("import", "statvent", "nothing"),
    ];
  }),
);
