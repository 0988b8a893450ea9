import { assertEquals, assertThrows } from "@std/assert";
import { UsageError } from "../../cli/flags.ts";
import { parsePushFlags } from "../../cli/push_flags.ts";

Deno.test("parsePushFlags() takes its flags, in their order, and leaves the others", () => {
  assertEquals(
    parsePushFlags([
      "--port",
      "80",
      "--graphite",
      "carbon",
      "--forbid=*",
      "--graphite=10.0.0.1:99",
      "--allow",
      "web.*",
      "--graphite-pickle",
      "[::1]",
      "--forbid",
      "*.ms",
      "--statsd=[fe80::1%eth0]:1",
      "-h",
      "--prune=jobs",
      "--otlp",
      "http://otel:4318",
      "--otlp=https://otel/api/v1?a=b",
      "--interval=2.5",
      "--prefix=",
      "--",
      "--allow",
    ]),
    {
      push: {
        targets: [
          { protocol: "graphite", host: "carbon", port: 2003 },
          { protocol: "graphite", host: "10.0.0.1", port: 99 },
          { protocol: "graphite-pickle", host: "::1", port: 2004 },
          { protocol: "statsd", host: "fe80::1%eth0", port: 1 },
          { protocol: "otlp", url: "http://otel:4318/v1/metrics" },
          { protocol: "otlp", url: "https://otel/api/v1?a=b" },
        ],
        rules: [
          { action: "forbid", glob: "*" },
          { action: "allow", glob: "web.*" },
          { action: "forbid", glob: "*.ms" },
          { action: "prune", glob: "jobs" },
        ],
        interval: 2.5,
        prefix: "",
      },
      rest: ["--port", "80", "-h", "--", "--allow"],
    },
  );
  assertEquals(parsePushFlags(["--port", "80", "--allowed"]), {
    push: undefined,
    rest: ["--port", "80", "--allowed"],
  });
});

Deno.test("parsePushFlags() says what a flag must be", () => {
  const address = (flag: string, got: string) =>
    `${flag} must be HOST or HOST:PORT, with an IPv6 address in brackets, got "${got}"`;
  const url = (got: string) =>
    `--otlp must be a URL that begins with http:// or https://, without a user and a fragment, got "${got}"`;
  const interval = (got: string) =>
    `--interval must be a number of seconds from 1 to 86400, got "${got}"`;
  const port = (flag: string, got: string) =>
    `the port of ${flag} must be a number from 1 to 65535, got "${got}"`;
  for (
    const [args, message] of [
      ["--graphite", "--graphite needs a value"],
      ["--graphite=", "--graphite needs a value"],
      ["--prefix", "--prefix needs a value"],
      ["--allow --forbid", "--allow needs a value"],
      ["--graphite ::1", address("--graphite", "::1")],
      ["--graphite :2003", address("--graphite", ":2003")],
      ["--graphite [::1", address("--graphite", "[::1")],
      ["--graphite [web]:1", address("--graphite", "[web]:1")],
      ["--statsd udp://a:1", address("--statsd", "udp://a:1")],
      ["--graphite a:b", port("--graphite", "b")],
      ["--graphite a:", port("--graphite", "")],
      ["--graphite-pickle a:0", port("--graphite-pickle", "0")],
      ["--statsd a:65536", port("--statsd", "65536")],
      ["--otlp otel:4318", url("otel:4318")],
      ["--otlp http://", url("http://")],
      ["--otlp http://me:pw@otel", url("http://me:pw@otel")],
      ["--otlp http://otel/#a", url("http://otel/#a")],
      ["--interval 0.5", interval("0.5")],
      ["--interval 1e3", interval("1e3")],
      ["--interval 86401", interval("86401")],
      [
        "--allow a",
        "--allow needs --graphite, --graphite-pickle, --statsd or --otlp",
      ],
    ]
  ) {
    assertThrows(() => parsePushFlags(args.split(" ")), UsageError, message);
    try {
      parsePushFlags(args.split(" "));
    } catch (error) {
      assertEquals((error as Error).message, message);
    }
  }
});
