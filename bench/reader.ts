/**
 * Reads a pipe 100 times a second, from a process of its own.
 *
 * A line of its input that names a pipe starts it. An empty one stops it, and
 * is answered by how often it has read.
 *
 * @module
 */

const PERIOD_MS = 10;

let timer: ReturnType<typeof setTimeout> | undefined;
let reads = 0;

function start(path: string): void {
  reads = 0;
  let next = performance.now();
  const turn = () => {
    if (Deno.readFileSync(path).length > 0) reads++;
    // What was missed is not made up for by a burst.
    next = Math.max(next + PERIOD_MS, performance.now());
    timer = setTimeout(turn, Math.max(0, next - performance.now()));
  };
  turn();
}

const lines = Deno.stdin.readable.pipeThrough(new TextDecoderStream());
let rest = "";
for await (const text of lines) {
  rest += text;
  for (let end; (end = rest.indexOf("\n")) !== -1;) {
    const path = rest.slice(0, end);
    rest = rest.slice(end + 1);
    if (path !== "") start(path);
    else {
      clearTimeout(timer);
      console.log(reads);
    }
  }
}
