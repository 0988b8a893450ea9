/**
 * Measures one answer over all processes of a host, from the request to the
 * text.
 *
 * @module
 */

import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createHandler } from "../web.ts";
import { Child } from "./child.ts";
import { type Measured, say } from "./measured.ts";
import { withPipeDir } from "./pipe_dir.ts";
import { once, type Pass, versus } from "./versus.ts";

const STATS = 1_000;

/** A pass that asks a program for one answer. */
async function asked(child: Child): Promise<Pass> {
  await child.receive();
  return once(async () => Number(await child.ask("read")));
}

/** The command of a Python that has `prometheus_client`. */
function python(): string {
  for (const command of ["python3", "/usr/bin/python3"]) {
    try {
      execFileSync(command, ["-c", "import prometheus_client"], {
        stdio: "ignore",
      });
      return command;
    } catch {
      // Another Python may have it.
    }
  }
  throw new Error("python3 has no prometheus_client");
}

function measure(processes: number): Promise<Measured> {
  return withPipeDir(async (dir) => {
    const pipeDir = `${dir}/pipes`;
    const filesDir = `${dir}/files`;
    for (const each of [pipeDir, filesDir]) mkdirSync(each);
    const args = ["recording", pipeDir, `${STATS}`];
    const files: string[] = [];
    for (let i = 0; i < processes; i++) {
      const path = await new Child("subject.ts", args).receive();
      files.push(`${dir}/${i}.txt`);
      writeFileSync(files[i], readFileSync(path));
    }
    const handler = createHandler({ pipeDir, deadline: 10_000 });
    const request = async (path: string) => {
      const response = await handler(new Request(`http://localhost/${path}`));
      return await response.text();
    };
    const { processes: states } = JSON.parse(await request("stats"));
    if (states.ok !== processes) {
      throw new Error(`Cannot measure: ${states.ok} of ${processes} answer`);
    }
    return await versus(`${processes} processes of ${STATS} stats`, {
      statvent: once(async () => (await request("metrics")).length),
      floor: once(() =>
        files.reduce((sum, file) => sum + readFileSync(file).length, 0)
      ),
      peers: {
        "prom-client's cluster": () =>
          asked(
            new Child("cluster_peer.ts", [`${processes}`, `${STATS}`]),
          ),
        "Python's multiprocess mode": () => {
          const program = new URL("multiprocess_peer.py", import.meta.url);
          return asked(
            new Child("", [`${processes}`, `${STATS}`, filesDir], {
              command: python(),
              args: [program.pathname],
            }),
          );
        },
      },
    }, { rounds: 15, warmUp: 4 });
  });
}

say([await measure(8), await measure(64)]);
