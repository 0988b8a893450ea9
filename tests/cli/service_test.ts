/**
 * The web service as a program, among slow, huge and hostile requests.
 *
 * @module
 */

import { Service } from "../helpers/service.ts";
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import {
  killShell,
  output,
  ROOT,
  startShell,
  until,
  withDir,
} from "../helpers/program.ts";

/** Sends bytes, and returns all that comes back until the other side closes or `enough` is there. */
async function talk(
  port: number,
  text: string,
  enough: RegExp,
): Promise<string> {
  using connection = await Deno.connect({ hostname: "127.0.0.1", port });
  await connection.write(new TextEncoder().encode(text));
  const decoder = new TextDecoder();
  const bytes = new Uint8Array(65_536);
  let answer = "";
  while (!enough.test(answer)) {
    const count = await connection.read(bytes).catch(() => null);
    if (count === null) break;
    answer += decoder.decode(bytes.subarray(0, count), { stream: true });
  }
  return answer;
}

const get = (path: string, host: string, more = "") =>
  `GET ${path} HTTP/1.1\r\nHost: ${host}\r\n${more}Connection: close\r\n\r\n`;

Deno.test("the service answers only hosts that are addresses or localhost", () =>
  withDir(async (dir) => {
    await using service = new Service(dir, []);
    const port = await service.port();
    for (
      const host of ["127.0.0.1", `127.0.0.1:${port}`, "localhost", "[::1]"]
    ) {
      const answer = await talk(port, get("/stats", host), /\}\n$/);
      assertStringIncludes(answer, "200 OK", host);
    }
    for (
      const host of [
        "evil.example",
        "localhost.evil.example",
        "127.0.0.1.nip.io",
      ]
    ) {
      for (const path of ["/stats", "/metrics", "/processes"]) {
        const answer = await talk(port, get(path, host), /\}$/);
        assertStringIncludes(answer, "403 Forbidden");
        assertStringIncludes(answer, "nosniff");
        assertStringIncludes(
          answer,
          `Cannot serve the host \\"${host}\\": it must be an address or localhost`,
        );
      }
    }
    assertEquals(service.stderr, "");
  }));

Deno.test("the service has read the pipes once when it says that it serves", () =>
  withDir(async (dir) => {
    const pipe = `${dir}/${Deno.pid}.stats`;
    await output("mkfifo", pipe);
    const writer = startShell('echo "n: 3" > "$0"', pipe);
    let hasWritten = false;
    writer.status.then(() => hasWritten = true);
    try {
      await using service = new Service(dir, []);
      await service.port();
      await until("a reader of the pipe", () => hasWritten);
    } finally {
      await killShell(writer);
    }
  }));

Deno.test("SIGTERM ends the service although a request never becomes whole", () =>
  withDir(async (dir) => {
    await using service = new Service(dir, []);
    using connection = await Deno.connect({
      hostname: "127.0.0.1",
      port: await service.port(),
    });
    const head = "POST /stats HTTP/1.1\r\nHost: localhost\r\n";
    await connection.write(
      new TextEncoder().encode(`${head}Content-Length: 10\r\n\r\n`),
    );
    await connection.read(new Uint8Array(1));
    Deno.kill(service.pid, "SIGTERM");
    const { code } = await service.ended();
    assertEquals(code, 0);
  }));

Deno.test("the service with --token-file answers only who sends the token, and says what is missing", () =>
  withDir(async (dir) => {
    await Deno.writeTextFile(`${dir}/token`, "sesame\n");
    const flags = ["--ip", "0.0.0.0", "--token-file", `${dir}/token`];
    await using service = new Service(`${dir}/pipes`, flags);
    const url = `http://127.0.0.1:${await service.port()}/stats`;
    const status = async (authorization?: string) => {
      const response = await fetch(
        url,
        authorization === undefined ? {} : { headers: { authorization } },
      );
      await response.body?.cancel();
      return response.status;
    };
    assertEquals(await status(), 401);
    assertEquals(await status("Bearer other"), 401);
    assertEquals(await status("Bearer "), 401);
    assertEquals(await status("Bearer sesame"), 200);
    const refused = await fetch(url);
    assertEquals(refused.headers.get("www-authenticate"), "Bearer");
    assertEquals(await refused.json(), {
      message:
        "Cannot serve without the token: send it as Authorization: Bearer TOKEN",
    });
    assertEquals(
      service.stderr,
      "statvent: the token is sent unencrypted; see --cert\n",
    );
  }));

Deno.test("the service on another address says that all can read", () =>
  withDir(async (dir) => {
    await using service = new Service(dir, ["--ip", "0.0.0.0"]);
    await service.port();
    await until("the warning", () => service.stderr !== "");
    assertEquals(
      service.stderr,
      "statvent: anyone who can reach this address can read the stats; see --token-file\n",
    );
  }));

const hasOpenssl =
  (await output("sh", "-c", "command -v openssl curl")).code === 0;

if (!hasOpenssl) {
  console.log("skipped: https, because there is no openssl or curl");
}

Deno.test(
  {
    name: "the service with --cert and --key serves https",
    ignore: !hasOpenssl,
  },
  () =>
    withDir(async (dir) => {
      const made = await output(
        "openssl",
        ...["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"],
        ...["-keyout", `${dir}/key.pem`, "-out", `${dir}/cert.pem`],
        ...["-subj", "/CN=localhost"],
        ...["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"],
      );
      assertEquals(made.code, 0, made.stderr);
      const flags = ["--cert", `${dir}/cert.pem`, "--key", `${dir}/key.pem`];
      await using service = new Service(`${dir}/pipes`, flags);
      const url = `https://127.0.0.1:${await service.port()}/stats`;
      const { code, stdout } = await output(
        "curl",
        ...["--silent", "--cacert", `${dir}/cert.pem`, url],
      );
      assertEquals(code, 0);
      assertEquals(JSON.parse(stdout).stats, {});
    }),
);

Deno.test("wrong files for --token-file, --cert and --key end with a sentence", () =>
  withDir(async (dir) => {
    await Deno.writeTextFile(`${dir}/empty`, "\n");
    await Deno.writeTextFile(`${dir}/umlaut`, "größe\n");
    const cases: [string[], string][] = [
      [
        ["--token-file", `${dir}/none`],
        "statvent: cannot read --token-file: No such file or directory",
      ],
      [
        ["--token-file", `${dir}/empty`],
        "statvent: --token-file must hold a token, got an empty file; see --help\n",
      ],
      [
        ["--token-file", `${dir}/umlaut`],
        "statvent: --token-file must hold one word of ASCII characters, which is what a header can hold; see --help\n",
      ],
      [
        ["--cert", `${dir}/empty`],
        "statvent: --cert and --key need each other; see --help\n",
      ],
    ];
    for (const [flags, expected] of cases) {
      const { code, stderr } = await output(
        Deno.execPath(),
        ...["run", "--quiet", "-A", `${ROOT.pathname}/web.ts`, ...flags],
      );
      assertEquals(code, 2);
      assertEquals(stderr.slice(0, expected.length), expected);
    }
  }));

Deno.test("slow, huge, aborted and very many requests delay nobody, and leave nothing", () =>
  withDir(async (dir) => {
    await using service = new Service(dir, []);
    const port = await service.port();
    const url = `http://127.0.0.1:${port}/stats`;
    const files = async () =>
      Number(
        (await output("sh", "-c", `ls /proc/${service.pid}/fd | wc -l`)).stdout,
      );
    const ask = async () => {
      const start = performance.now();
      const response = await fetch(url);
      assertEquals((await response.json()).stats, {});
      return performance.now() - start;
    };
    await ask();
    const before = await files();
    const open: Deno.Conn[] = [];
    const connect = async (text: string) => {
      const connection = await Deno.connect({ hostname: "127.0.0.1", port });
      open.push(connection);
      await connection.write(new TextEncoder().encode(text));
    };
    // Headers that do not end.
    for (let i = 0; i < 200; i++) await connect("GET /stats HTTP/1.1\r\nHost:");
    // Connections that say nothing.
    for (let i = 0; i < 800; i++) await connect("");
    assert(await ask() < 3000);
    // Pipelined.
    const pipelined = get("/stats", "localhost").replace(
      "Connection: close\r\n",
      "",
    );
    const answers = await talk(
      port,
      pipelined.repeat(9) + get("/stats", "localhost"),
      /(\}\n.*){10}$/s,
    );
    assertEquals(answers.match(/HTTP\/1\.1 200 OK/g)?.length, 10);
    // A URL of a megabyte is refused, or answered with a short sentence.
    const huge = await talk(
      port,
      get(`/${"x".repeat(2 ** 20)}`, "localhost"),
      /\}$/,
    );
    assert(/^HTTP\/1\.1 4\d\d /.test(huge) || huge === "", huge.slice(0, 100));
    const query = await talk(
      port,
      get(`/stats?match=${"*a".repeat(20_000)}`, "localhost"),
      /\}\n?$/,
    );
    assert(
      /^HTTP\/1\.1 (200|4\d\d) /.test(query) || query === "",
      query.slice(0, 100),
    );
    // Aborted.
    for (let i = 0; i < 200; i++) {
      const connection = await Deno.connect({ hostname: "127.0.0.1", port });
      await connection.write(
        new TextEncoder().encode(get("/stats", "localhost")),
      );
      connection.close();
    }
    assert(await ask() < 3000);
    for (const connection of open) connection.close();
    await until("the files", async () => await files() <= before + 5);
    assertEquals(service.stderr, "");
  }));

Deno.test("a pipe that is wrong is named once where the service logs", () =>
  withDir(async (dir) => {
    await using service = new Service(dir, []);
    const url = `http://127.0.0.1:${await service.port()}/stats`;
    await Deno.writeTextFile(`${dir}/${Deno.pid}.stats`, "a: 1\n");
    for (let i = 0; i < 3; i++) {
      assertEquals((await (await fetch(url)).json()).processes.invalid, 1);
    }
    const line =
      `statvent: ${dir}/${Deno.pid}.stats: It must be a named pipe\n`;
    assertEquals(service.stderr, line);
    await Deno.remove(`${dir}/${Deno.pid}.stats`);
    await (await fetch(url)).json();
    await Deno.writeTextFile(`${dir}/${Deno.pid}.stats`, "a: 1\n");
    await (await fetch(url)).json();
    assertEquals(service.stderr, line + line);
  }));
