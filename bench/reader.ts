/**
 * Reads a pipe, or an address, 100 times a second.
 *
 * An input line with a path or a URL starts the reading and is answered by a line.
 * An empty line stops it and is answered by the number of reads.
 *
 * @module
 */

import { readFileSync } from "node:fs";
import { stdin } from "node:process";
import { createInterface } from "node:readline";

const PERIOD_MS = 10;

let timer: ReturnType<typeof setTimeout> | undefined;
let reading: Promise<void> = Promise.resolve();
let reads = 0;

async function read(target: string): Promise<void> {
  if (!target.startsWith("http:")) readFileSync(target);
  else await (await fetch(target)).arrayBuffer();
  reads++;
}

function start(target: string): void {
  reads = 0;
  let next = performance.now();
  const turn = () => {
    reading = read(target).then(() => {
      // A missed read is not made up for, which would read in bursts.
      next = Math.max(next + PERIOD_MS, performance.now());
      if (timer !== undefined) {
        timer = setTimeout(turn, Math.max(0, next - performance.now()));
      }
    });
  };
  timer = setTimeout(turn);
}

for await (const target of createInterface({ input: stdin })) {
  if (target !== "") start(target);
  else {
    clearTimeout(timer);
    timer = undefined;
    await reading;
  }
  console.log(reads);
}
