/**
 * A small program to be measured from outside. Ends when its input does.
 *
 * `deno run bench/program.ts <empty | counting | recording> <pipe directory>
 * <stats>` prints its pipe, or an empty line.
 *
 * @module
 */

const [kind, pipeDir, stats] = Deno.args;
let path = "";
if (kind !== "empty") {
  const { config, incr, startRecorder } = await import("../mod.ts");
  config.pipeDir = pipeDir;
  for (let i = 0; i < Number(stats); i++) incr(`http.requests.${i}`, i);
  if (kind === "recording") path = (await startRecorder()).path;
}
console.log(path);
await Deno.stdin.read(new Uint8Array(1));
