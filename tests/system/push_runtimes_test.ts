import { assertEquals } from "@std/assert";
import { hasProgram, output, ROOT, withDir } from "../helpers/program.ts";

/** Pushes to servers of its own, one of which comes late, and prints what they got. */
const PROGRAM = `
import { createSocket } from "node:dgram";
import { createServer as createWeb } from "node:http";
import { createServer } from "node:net";
import { NameTable, startPush } from "./push.js";

const got = { tcp: "", udp: [], otlp: 0 };
const listen = (server, port) =>
  new Promise((resolve) => server.listen(port, "127.0.0.1", () =>
    resolve(server.address().port)));
const tcp = createServer((socket) => socket.on("data", (data) => got.tcp += data));
const web = createWeb((request, response) => {
  request.resume().on("end", () => { got.otlp++; response.end("{}"); });
});
const udp = createSocket("udp4").on("message", (data) => got.udp.push(String(data)));
await new Promise((resolve) => udp.bind(0, "127.0.0.1", resolve));
const port = await listen(tcp, 0);
await new Promise((resolve) => tcp.close(resolve));
const webPort = await listen(web, 0);

let n = 0;
const table = new NameTable(["a", "g"]);
const lines = [];
const push = startPush({
  collect: async () => ({
    table,
    ids: Int32Array.of(0, 1),
    values: Float64Array.of(++n, -n),
    fractional: new Uint8Array(2),
    kinds: Uint8Array.of(0, 1),
    recorded: [],
    descriptions: new Map(),
    processes: [],
  }),
  targets: [
    { protocol: "graphite", host: "127.0.0.1", port },
    { protocol: "statsd", host: "localhost", port: udp.address().port },
    { protocol: "otlp", url: "http://127.0.0.1:" + webPort + "/v1/metrics" },
  ],
  host: "h",
  interval: 1,
  log: (line) => lines.push(line),
});
const until = async (probe) => {
  while (!probe()) await new Promise((resolve) => setTimeout(resolve, 5));
};
await until(() => push.stats()[0].failed > 0 && n >= 2);
await listen(tcp, port);
await until(() => push.stats()[0].waiting === 0);
const late = n;
await push.stop();
await until(() => got.udp.length === n && got.otlp === n);
await new Promise((resolve) => tcp.close(resolve));
const values = got.tcp.trim().split("\\n").map((line) => line.split(" ")[1]);
console.log(JSON.stringify({
  graphite: values.map(Number).sort((a, b) => a - b).join() ===
    Array.from({ length: 2 * n }, (_, i) => i < n ? i - n : i - n + 1).join(),
  newestFirst: Number(values[0]) >= 2 && late >= 2,
  udp: got.udp.slice(0, 2),
  dropped: push.stats().map(({ dropped }) => dropped),
  errors: push.stats().map(({ lastError }) => lastError ?? null),
  lines: lines.length,
}));
web.close();
udp.close();
`;

for (const command of ["deno", "node", "bun"]) {
  const there = await hasProgram(command, "--version");
  if (!there) console.log(`skipped: there is no ${command}`);
  Deno.test(`startPush() does the same on ${command}, and lets it end`, {
    ignore: !there,
  }, async () => {
    await withDir(async (dir) => {
      const bundle = await output(
        Deno.execPath(),
        "bundle",
        "--quiet",
        "--platform=deno",
        `--output=${dir}/push.js`,
        new URL("push.ts", ROOT).pathname,
      );
      assertEquals(bundle.stderr, "");
      await Deno.writeTextFile(`${dir}/package.json`, '{"type":"module"}');
      await Deno.writeTextFile(`${dir}/program.js`, PROGRAM);
      const flags = command === "deno" ? ["run", "--allow-net"] : [];
      const { code, stdout, stderr } = await output(
        "timeout",
        "20",
        command,
        ...flags,
        `${dir}/program.js`,
      );
      assertEquals({ code, stderr, ...JSON.parse(stdout || "{}") }, {
        code: 0,
        stderr: "",
        graphite: true,
        newestFirst: true,
        udp: ["h.g:0|g\nh.g:-1|g", "h.a:1|c\nh.g:0|g\nh.g:-2|g"],
        dropped: [0, 0, 0],
        errors: [null, null, null],
        lines: 2,
      });
    });
  });
}
