import { assertEquals, assertThrows } from "@std/assert";
import { config } from "../../mod.ts";
import { refuses } from "../helpers/refuses.ts";
import { output, ROOT, withDir, writeProgram } from "../helpers/program.ts";

Deno.test("config has the ancestors' defaults", () => {
  const { pipeMode, annotations, windowSize, percentiles, maxStats } = config;
  assertEquals({ pipeMode, annotations, windowSize, percentiles, maxStats }, {
    pipeMode: 0o644,
    annotations: true,
    windowSize: 100,
    percentiles: [[50, "median"], [95, "95th"], [99, "99th"], [100, "100th"]],
    maxStats: 100_000,
  });
});

Deno.test("config refuses a setting that does not exist, and names the nearest", () => {
  for (
    const [name, nearest] of [
      ["windowsize", "windowSize"],
      ["window", "windowSize"],
      ["piepDir", "pipeDir"],
      ["max_stats", "maxStats"],
      ["toString", "maxSeries"],
    ]
  ) {
    refuses(
      () => (config as unknown as Record<string, unknown>)[name] = 1,
      TypeError,
      `Cannot set ${name} to 1: there must be such a setting, and the nearest is ${nearest}`,
    );
  }
  assertEquals(Object.keys(config), []);
});

Deno.test("config refuses what it cannot use, says why, and keeps what was set", () => {
  const values = () => {
    const {
      pipeDir,
      pipeMode,
      annotations,
      windowSize,
      percentiles,
      maxStats,
    } = config;
    return {
      pipeDir,
      pipeMode,
      annotations,
      windowSize,
      percentiles,
      maxStats,
    };
  };
  const before = values();
  const pairs = "a list of pairs of percentile and label";
  const table: [
    string,
    unknown,
    typeof TypeError | typeof RangeError,
    string,
  ][] = [
    ["pipeDir", "", TypeError, 'an absolute path, got ""'],
    ["pipeDir", "pipes", TypeError, 'an absolute path, got "pipes"'],
    ["pipeDir", "/a\0b", TypeError, 'an absolute path, got "/a\\u0000b"'],
    ["pipeDir", 5, TypeError, "an absolute path, got 5"],
    [
      "pipeMode",
      0o1000,
      RangeError,
      'a mode from 0o600 to 0o777 by which its owner may read and write, got "0o1000"',
    ],
    [
      "pipeMode",
      "644",
      RangeError,
      'a mode from 0o600 to 0o777 by which its owner may read and write, got "644"',
    ],
    [
      "pipeMode",
      5n,
      RangeError,
      "a mode from 0o600 to 0o777 by which its owner may read and write, got 5n",
    ],
    ["annotations", 1, TypeError, "true or false, got 1"],
    ["windowSize", 0, RangeError, "a whole number from 1 to 1000000, got 0"],
    [
      "windowSize",
      1.5,
      RangeError,
      "a whole number from 1 to 1000000, got 1.5",
    ],
    ["percentiles", 50, TypeError, `${pairs}, got 50`],
    ["percentiles", [50], TypeError, `${pairs}, got [50]`],
    [
      "percentiles",
      [["50", "median"]],
      TypeError,
      `${pairs}, got [an array]`,
    ],
    [
      "percentiles",
      [[101, "a"]],
      RangeError,
      "percentiles from 0 to 100, got 101",
    ],
    [
      "percentiles",
      [[NaN, "a"]],
      RangeError,
      "percentiles from 0 to 100, got NaN",
    ],
    [
      "percentiles",
      [[1, "a"], [2, "a"]],
      RangeError,
      'labels that differ from each other and from "mean", got "a"',
    ],
    [
      "percentiles",
      [[1, "mean"]],
      RangeError,
      'labels that differ from each other and from "mean", got "mean"',
    ],
    [
      "maxStats",
      -1,
      RangeError,
      "a whole number from 0 to 9007199254740991, got -1",
    ],
  ];
  for (const [key, value, ErrorClass, why] of table) {
    const error = assertThrows(
      () => (config as unknown as Record<string, unknown>)[key] = value,
      ErrorClass,
    );
    assertEquals(error.message, `Cannot set ${key}: it must be ${why}`);
  }
  assertEquals(values(), before);
});

Deno.test("config.percentiles is not changed from outside", () => {
  const { percentiles } = config;
  const mine: [number, string][] = [[10, "10th"]];
  config.percentiles = mine;
  mine[0][0] = 1000;
  assertEquals(config.percentiles, [[10, "10th"]]);
  assertThrows(
    () => (config.percentiles as unknown[]).push([200, "a"]),
    TypeError,
  );
  config.percentiles = percentiles;
});

/** What a program prints of `config.pipeDir`. */
function pipeDir(env: Record<string, string>, ...permissions: string[]) {
  return withDir(async (dir) => {
    const text = `import { config } from "${new URL("mod.ts", ROOT)}";
try { console.log(config.pipeDir); } catch (error) { console.log(error.message); }`;
    await Deno.writeTextFile(`${dir}/program.ts`, text);
    const { stdout } = await new Deno.Command(Deno.execPath(), {
      args: [
        "run",
        "--quiet",
        "--no-prompt",
        ...permissions,
        `${dir}/program.ts`,
      ],
      env: { NO_COLOR: "1", ...env },
      stderr: "inherit",
    }).output();
    return new TextDecoder().decode(stdout).trim();
  });
}

Deno.test("config.pipeDir comes from STATVENT_PIPE_DIR where that may be read", async () => {
  const env = { STATVENT_PIPE_DIR: "/run/pipes/" };
  const permission = "--allow-env=STATVENT_PIPE_DIR";
  assertEquals(await pipeDir(env, permission), "/run/pipes");
  assertEquals(await pipeDir(env), "/tmp/stats-pipe");
  assertEquals(
    await pipeDir({ STATVENT_PIPE_DIR: "" }, permission),
    "/tmp/stats-pipe",
  );
  assertEquals(
    await pipeDir({ STATVENT_PIPE_DIR: "pipes" }, permission),
    'Cannot set pipeDir: it must be an absolute path, got "pipes" from STATVENT_PIPE_DIR',
  );
});

Deno.test("importing statvent has no side effect and needs no permission", () =>
  withDir(async (dir) => {
    const file = await writeProgram(
      "counter('a').incr(); console.log(JSON.stringify(getAll()));",
      { dir },
    );
    const { code, stdout, stderr } = await output(
      Deno.execPath(),
      ...["run", "--quiet", "--no-prompt", file],
    );
    await Deno.remove(file);
    assertEquals({ code, stdout, stderr }, {
      code: 0,
      stdout: '{"a":1}\n',
      stderr: "",
    });
    assertEquals([...Deno.readDirSync(dir)], []);
  }));
